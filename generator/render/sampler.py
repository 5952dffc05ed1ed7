"""Plays the notes of a part on the zones of a SoundFont preset.

Every distinct (zone, pitch, filter) is computed once, as a row (`waves`). The notes of a batch of rows get their
loudness curves together; each note is then its row times its curve, added to the stem at its place.
A drum kit ignores note ends: its sounds run out, or are choked by their exclusive class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from generator.errors import SoundError
from generator.render import envelope
from generator.render.batches import batches
from generator.render.sf2 import SoundFont, Zone
from generator.render.stems import silence
from generator.render.timing import SAMPLE_RATE, Event
from generator.render.waves import RowKey, keyed_seconds, most_samples, oscillation, ratio, rows, seconds

_CHOKE_S = 0.12
_LONGEST_S = 30.0
_CUTOFF_STEP = 100  # cents: nobody hears an edge above the note move by a semitone
_EMU_FACTOR = 0.4  # fonts are voiced for hardware that applies 0.4 of the written attenuation; all players follow


@dataclass(frozen=True, slots=True)
class _Layer:
    """A zone as it sounds at a pitch and velocity.

    `key` is of the straight note, `contour` the curve's delay, attack, end of hold and decay in seconds, sustain in dB.
    """

    zone: Zone
    key: RowKey
    ratio: float
    gains: tuple[float, float]
    contour: tuple[float, float, float, float, float]
    release_s: float


class _Hit(NamedTuple):
    """A layer sounding for one event; `off` and `length` in samples from its start."""

    layer: _Layer
    event: Event
    key: RowKey
    off: int
    length: int
    release_s: float


class _Sound(NamedTuple):
    """A hit, its row, and for how many samples both last."""

    hit: _Hit
    row: Tensor
    length: int


def play(
    font: SoundFont, bank: int, program: int, played: Sequence[Event], total: int, *, kit: bool, device: torch.device
) -> Tensor:
    """A stem [2, total] of the events on a preset. Raises SoundError when the font lacks the preset."""
    zones = font.zones(bank, program)
    if not zones:
        raise SoundError(f"The soundfont has no preset {program} in bank {bank}.")
    stem = silence(total, device)
    hits = _hits(zones, played, total, kit=kit)
    bends = {hit.key.bend: hit.event.bend for hit in hits if hit.event.bend is not None}
    played_by: dict[RowKey, list[_Hit]] = {}
    for hit in hits:
        played_by.setdefault(hit.key, []).append(hit)
    wanted = {key: max(hit.length for hit in own) for key, own in played_by.items()}
    for batch in rows(font, zones, wanted, bends, device):
        _add(stem, [_Sound(hit, row, min(hit.length, end)) for key, row, end in batch for hit in played_by[key] if end])
    return stem


def _add(stem: Tensor, sounds: Sequence[_Sound]) -> None:
    sides = stem.unbind()
    ordered = sorted(sounds, key=lambda sound: (sound.length, sound.hit.event.start))
    for batch in batches(ordered, lambda sound: sound.length, most_samples(stem.device)):
        curves = _curves([sound.hit for sound in batch], batch[-1].length, stem.device)
        for (hit, row, length), curve in zip(batch, curves.unbind(), strict=True):
            start, heard, shape = hit.event.start, row[:length], curve[:length]
            for side, gain in zip(sides, hit.layer.gains, strict=True):
                if gain > 0:
                    side[start : start + length].addcmul_(heard, shape, value=gain)


def _gains(zone: Zone, velocity: int) -> tuple[float, float]:
    """Left and right gain. The default velocity curve is 40 dB per decade (concave, 96 dB; specification 8.4.1)."""
    velocity = zone.generators["fixed_velocity"] if zone.generators["fixed_velocity"] > 0 else velocity
    concave = min(-40.0 / 96.0 * math.log10(min(velocity, 127) / 127.0), 1.0)
    attenuation_db = (zone.generators["attenuation"] * _EMU_FACTOR + zone.velocity_to_attenuation * concave) / 10.0
    gain = 10 ** (-min(max(attenuation_db, 0.0), 144.0) / 20.0)
    angle = (min(max(zone.generators["pan"], -500), 500) / 1000.0 + 0.5) * math.pi / 2
    left, right = math.cos(angle) * gain, math.sin(angle) * gain
    return (left if left > 1e-6 else 0.0), (right if right > 1e-6 else 0.0)


def _hits(zones: Sequence[Zone], played: Sequence[Event], total: int, *, kit: bool) -> list[_Hit]:
    """Every layer of every event as far as it is heard within `total` samples."""
    layers = _layers(zones, played, kit=kit)
    hits: list[_Hit] = []
    later_choke: dict[int, int] = {}  # exclusive class -> start of the next note of it (walking backwards)
    for event in sorted(played, key=lambda event: -event.start):
        groups = set()
        for layer in layers[event.pitch, event.velocity]:
            group = layer.zone.generators["exclusive_class"]
            groups.add(group)
            choke = later_choke.get(group) if group else None
            hits.append(_hit(layer, event, choke, total, kit=kit))
        for group in groups - {0}:
            later_choke[group] = event.start
    return [hit for hit in hits if hit.length > 0]


def _layers(zones: Sequence[Zone], played: Sequence[Event], *, kit: bool) -> dict[tuple[int, int], list[_Layer]]:
    """The layers of every pitch and velocity that is played."""
    velocities: dict[int, set[int]] = {}
    for event in played:
        velocities.setdefault(event.pitch, set()).add(event.velocity)
    layers: dict[tuple[int, int], list[_Layer]] = {}
    for pitch, struck in velocities.items():
        near = [(index, zone) for index, zone in enumerate(zones) if zone.keys[0] <= pitch <= zone.keys[1]]
        for velocity in struck:
            heard = [(index, zone) for index, zone in near if zone.plays(pitch, velocity)]
            layers[pitch, velocity] = [_layer(zone, index, pitch, velocity, kit=kit) for index, zone in heard]
    return layers


def _layer(zone: Zone, index: int, pitch: int, velocity: int, *, kit: bool) -> _Layer:
    own = zone.generators
    cutoff = _CUTOFF_STEP * round(_cutoff_cents(zone, pitch, velocity, kit=kit) / _CUTOFF_STEP)
    delay, attack = seconds(own["delay_vol_env"]), seconds(own["attack_vol_env"])
    hold = keyed_seconds(zone, pitch, "hold_vol_env", "key_to_vol_hold")
    decay = keyed_seconds(zone, pitch, "decay_vol_env", "key_to_vol_decay")
    sustain_db = -min(max(own["sustain_vol_env"], 0), 960) / 10.0
    return _Layer(
        zone,
        RowKey(index, pitch, cutoff, 0),
        ratio(zone, pitch),
        _gains(zone, velocity),
        (delay, attack, delay + attack + hold, decay, sustain_db),
        seconds(own["release_vol_env"]),
    )


def _hit(layer: _Layer, event: Event, choke: int | None, total: int, *, kit: bool) -> _Hit:
    zone, key, release_s = layer.zone, layer.key, layer.release_s
    longest = round(_LONGEST_S * SAMPLE_RATE)
    mode = zone.generators["sample_mode"]
    off = longest if kit and not mode else min(event.length, longest)
    if choke is not None and choke - event.start < off:
        off, release_s = max(choke - event.start, 1), _CHOKE_S
    dies = math.ceil(_dies_s(layer, off / SAMPLE_RATE, release_s) * SAMPLE_RATE) + envelope.STEP
    length = min(off + round(release_s * SAMPLE_RATE), dies, longest, total - event.start)
    if mode == 0:
        length = min(length, int((zone.end - zone.start) / layer.ratio))
    elif mode == 3:  # the loop ends with the note
        length = min(length, off + int((zone.end - zone.loop_start) / layer.ratio))
    if mode == 3 or event.bend is not None:
        bend = event.start + 1 if event.bend is not None else 0  # notes of one moment bend together
        key = RowKey(key.zone, key.pitch, key.cutoff_cents, off if mode == 3 else 0, bend)
    return _Hit(layer, event, key, off, length, release_s)


def _dies_s(layer: _Layer, off_s: float, release_s: float) -> float:
    """When a hit has fallen by 96 dB, in seconds: notes that fade while they are held are over before their release."""
    if layer.zone.generators["mod_lfo_to_volume"]:  # lifts the level again
        return off_s + release_s
    _, _, hold_s, decay_s, sustain_db = layer.contour
    by_release = off_s + (1 - sustain_db / envelope.FLOOR_DB) * release_s
    if hold_s + decay_s <= off_s:
        by_decay = hold_s + decay_s
    else:
        both = (1 + hold_s / decay_s + off_s / release_s) / (1 / decay_s + 1 / release_s)
        by_decay = min(both, off_s + release_s)
    return max(by_release, by_decay)


def _cutoff_cents(zone: Zone, pitch: int, velocity: int, *, kit: bool) -> float:
    """Filter cutoff for how hard the note is played.

    The default velocity modulator takes two octaves off soft notes, which swallows the fundamental of fonts voiced
    for players that leave it out (most do). So it never goes below eight times the note, and drums, whose samples
    are layered by velocity, go without.
    """
    written = zone.generators["filter_fc"]
    if kit:
        return written
    softened = written + zone.velocity_to_filter * (127 - velocity) / 128
    return max(softened, min(written, pitch * 100 + 3600))


def _curves(batch: Sequence[_Hit], length: int, device: torch.device) -> Tensor:
    """Volume envelopes [B, length]."""
    times = envelope.points(length, device)
    columns = [(*hit.layer.contour, hit.off / SAMPLE_RATE, hit.release_s) for hit in batch]
    delay, attack, hold, decay, sustain, off, release = torch.tensor(columns, device=device).unbind(1)
    level = envelope.decibels(times, hold_s=hold, decay_s=decay, sustain_db=sustain, off_s=off, release_s=release)
    level = _with_tremolo(level, [hit.layer.zone.generators for hit in batch], times)
    return envelope.draw(envelope.amplitude(level, times, delay, attack), length)


def _with_tremolo(level_db: Tensor, values: Sequence[Mapping[str, int]], times: Tensor) -> Tensor:
    """Levels [B, T] and what the modulation oscillators of their zones add to them."""
    if not any(own["mod_lfo_to_volume"] for own in values):
        return level_db
    return level_db + torch.stack([own["mod_lfo_to_volume"] / 10.0 * oscillation(own, "mod", times) for own in values])
