"""Plays the notes of a part on the zones of a SoundFont preset.

Every distinct (zone, pitch, filter) is computed once, as a row (`waves`). Loudness curves are computed for batches of
notes. Each note is then its row times its curve, added to the stem at its place.
A drum kit ignores note ends: its sounds run out, or are choked by their exclusive class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from generator.errors import SoundError
from generator.render import envelope
from generator.render.sf2 import SoundFont, Zone
from generator.render.timing import SAMPLE_RATE, Event
from generator.render.waves import RowKey, keyed_seconds, oscillation, ratio, rows, seconds

_BATCH_SAMPLES = 1 << 22  # a curve has a point for every 16 of them
_CHOKE_S = 0.12
_LONGEST_S = 30.0
_CUTOFF_STEP = 100  # cents: nobody hears an edge above the note move by a semitone
_EMU_FACTOR = 0.4  # fonts are voiced for hardware that applies 0.4 of the written attenuation; all players follow


@dataclass(frozen=True, slots=True)
class _Hit:
    """One zone sounding for one event; `off` and `length` in samples."""

    event: Event
    key: RowKey
    off: int
    length: int
    choked: bool


def play(
    font: SoundFont, bank: int, program: int, played: Sequence[Event], total: int, *, kit: bool, device: torch.device
) -> Tensor:
    """A stem [2, total] of the events on a preset. Raises SoundError when the font lacks the preset."""
    zones = font.zones(bank, program)
    if not zones:
        raise SoundError(f"The soundfont has no preset {program} in bank {bank}.")
    hits = [
        replace(hit, length=min(hit.length, total - hit.event.start))  # nothing is heard after the end
        for hit in _hits(zones, played, kit=kit)
        if hit.event.start < total
    ]
    stem = torch.zeros(2, total, device=device)
    if not hits:
        return stem
    bends = {hit.key.bend: hit.event.bend for hit in hits if hit.event.bend is not None}
    wanted: dict[RowKey, int] = {}
    played_by: dict[RowKey, list[_Hit]] = {}
    for hit in hits:
        wanted[hit.key] = max(wanted.get(hit.key, 0), hit.length)
        played_by.setdefault(hit.key, []).append(hit)
    for key, row in rows(font, zones, wanted, bends, device):
        for hit, curve in _with_curves(zones, played_by[key], len(row), device):
            _place(stem, zones[key.zone], hit, row, curve)
    return stem


def _place(stem: Tensor, zone: Zone, hit: _Hit, row: Tensor, curve: Tensor) -> None:
    start, length = hit.event.start, len(curve)
    sound = row[:length] * curve
    for channel, gain in enumerate(_gains(zone, hit.event.velocity)):
        if gain > 0:
            stem[channel, start : start + length].add_(sound, alpha=gain)


def _gains(zone: Zone, velocity: int) -> tuple[float, float]:
    """Left and right gain. The default velocity curve is 40 dB per decade (concave, 96 dB; specification 8.4.1)."""
    velocity = zone.generators["fixed_velocity"] if zone.generators["fixed_velocity"] > 0 else velocity
    concave = min(-40.0 / 96.0 * math.log10(min(velocity, 127) / 127.0), 1.0)
    attenuation_db = (zone.generators["attenuation"] * _EMU_FACTOR + zone.velocity_to_attenuation * concave) / 10.0
    gain = 10 ** (-min(max(attenuation_db, 0.0), 144.0) / 20.0)
    angle = (min(max(zone.generators["pan"], -500), 500) / 1000.0 + 0.5) * math.pi / 2
    left, right = math.cos(angle) * gain, math.sin(angle) * gain
    return (left if left > 1e-6 else 0.0), (right if right > 1e-6 else 0.0)


def _hits(zones: Sequence[Zone], played: Sequence[Event], *, kit: bool) -> list[_Hit]:
    chosen: dict[tuple[int, int], list[int]] = {}
    hits: list[_Hit] = []
    later_choke: dict[int, int] = {}  # exclusive class -> start of the next note of it (walking backwards)
    for event in sorted(played, key=lambda event: -event.start):
        spot = (event.pitch, event.velocity)
        if spot not in chosen:
            chosen[spot] = [index for index, zone in enumerate(zones) if zone.plays(*spot)]
        classes = set()
        for index in chosen[spot]:
            group = zones[index].generators["exclusive_class"]
            classes.add(group)
            choke = later_choke.get(group) if group else None
            hits.append(_hit(zones, index, event, choke, kit=kit))
        for group in classes - {0}:
            later_choke[group] = event.start
    return [hit for hit in hits if hit.length > 0]


def _hit(zones: Sequence[Zone], index: int, event: Event, choke: int | None, *, kit: bool) -> _Hit:
    zone = zones[index]
    longest = round(_LONGEST_S * SAMPLE_RATE)
    looped = zone.generators["sample_mode"] != 0
    off = longest if kit and not looped else min(event.length, longest)
    choked = choke is not None and choke - event.start < off
    release_s = seconds(zone.generators["release_vol_env"])
    if choke is not None and choked:
        off, release_s = max(choke - event.start, 1), _CHOKE_S
    length = off + round(release_s * SAMPLE_RATE)
    until_loop_end = looped and zone.generators["sample_mode"] == 3
    if not looped:
        length = min(length, int((zone.end - zone.start) / ratio(zone, event.pitch)))
    elif until_loop_end:
        length = min(length, off + int((zone.end - zone.loop_start) / ratio(zone, event.pitch)))
    cents = _cutoff_cents(zone, event, kit=kit)
    cutoff = _CUTOFF_STEP * round(cents / _CUTOFF_STEP)
    bend = event.start + 1 if event.bend is not None else 0  # notes of one moment bend together
    key = RowKey(index, event.pitch, cutoff, off if until_loop_end else 0, bend)
    return _Hit(event, key, off, min(length, longest), choked)


def _cutoff_cents(zone: Zone, event: Event, *, kit: bool) -> float:
    """Filter cutoff for how hard the note is played.

    The default velocity modulator takes two octaves off soft notes, which swallows the fundamental of fonts voiced
    for players that leave it out (most do). So it never goes below eight times the note, and drums, whose samples
    are layered by velocity, go without.
    """
    written = zone.generators["filter_fc"]
    if kit:
        return written
    softened = written + zone.velocity_to_filter * (127 - event.velocity) / 128
    return max(softened, min(written, event.pitch * 100 + 3600))


def _with_curves(
    zones: Sequence[Zone], hits: Sequence[_Hit], longest: int, device: torch.device
) -> Iterator[tuple[_Hit, Tensor]]:
    """Hits of one row with their volume envelopes, each cut where hit or row ends; batches are bounded by memory."""
    hits = [replace(hit, length=min(hit.length, longest)) for hit in hits]
    batch: list[_Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.length, hit.event.start)):
        if batch and (len(batch) + 1) * hit.length > _BATCH_SAMPLES:
            yield from _drawn(batch, _curves(zones, batch, device))
            batch = []
        batch.append(hit)
    if longest:
        yield from _drawn(batch, _curves(zones, batch, device))


def _drawn(batch: Sequence[_Hit], curves: Tensor) -> Iterator[tuple[_Hit, Tensor]]:
    for hit, curve in zip(batch, curves, strict=True):
        yield hit, envelope.draw(curve[: -(-hit.length // envelope.STEP) + 1], hit.length)


def _curves(zones: Sequence[Zone], batch: Sequence[_Hit], device: torch.device) -> Tensor:
    """Volume envelopes at control points [B, points]."""
    values = [zones[hit.key.zone].generators for hit in batch]

    def column(numbers: list[float]) -> Tensor:
        return torch.tensor(numbers, device=device, dtype=torch.float32)

    def keyed(hit: _Hit, time: str, scale: str) -> float:
        return keyed_seconds(zones[hit.key.zone], hit.event.pitch, time, scale)

    length = max(hit.length for hit in batch)
    times = envelope.points(length, device)
    delay = column([seconds(own["delay_vol_env"]) for own in values])
    attack = column([seconds(own["attack_vol_env"]) for own in values])
    hold = column([keyed(hit, "hold_vol_env", "key_to_vol_hold") for hit in batch])
    decay = column([keyed(hit, "decay_vol_env", "key_to_vol_decay") for hit in batch])
    sustain = column([-min(max(own["sustain_vol_env"], 0), 960) / 10.0 for own in values])
    off = column([hit.off / SAMPLE_RATE for hit in batch])
    release = column(
        [_CHOKE_S if hit.choked else seconds(own["release_vol_env"]) for hit, own in zip(batch, values, strict=True)]
    )
    level = envelope.decibels(
        times, hold_s=delay + attack + hold, decay_s=decay, sustain_db=sustain, off_s=off, release_s=release
    )
    return envelope.amplitude(level + _tremolo_db(values, times), times, delay, attack)


def _tremolo_db(values: Sequence[Mapping[str, int]], times: Tensor) -> Tensor:
    """What the modulation oscillator adds to the level at `times` [T], in dB. -> [B, T], or [1, 1] where none does"""
    if not any(own["mod_lfo_to_volume"] for own in values):
        return times.new_zeros(1, 1)
    return torch.stack([own["mod_lfo_to_volume"] / 10.0 * oscillation(own, "mod", times) for own in values])
