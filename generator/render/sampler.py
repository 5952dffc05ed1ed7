"""Plays SoundFont zones: whole batches of notes at once, in torch.

Three steps. Every distinct (zone, pitch, filter) is resampled and filtered once, as a row. Loudness curves are
computed for batches of notes. Each note is then its row times its curve, added to the stem at its place.
A drum kit ignores note ends: its sounds run out, or are choked by their exclusive class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from generator.errors import SoundError
from generator.render import envelope
from generator.render.filters import lowpass, swept_lowpass
from generator.render.sf2 import SoundFont, Zone
from generator.render.timing import SAMPLE_RATE, Event

_FRACTION_BITS = 24
_BATCH_SAMPLES = 1 << 22
_GUARD = 4
_HOP = 512
_CHOKE_S = 0.12
_LONGEST_S = 30.0
_EMU_FACTOR = 0.4  # fonts are voiced for hardware that applies 0.4 of the written attenuation; all players follow
_OPEN_CENTS = 13400


@dataclass(frozen=True, slots=True)
class _RowKey:
    """A waveform worth computing once; `release` is only set where the loop ends with the note."""

    zone: int
    pitch: int
    cutoff_cents: int
    release: int


@dataclass(frozen=True, slots=True)
class _Hit:
    """One zone sounding for one event; `off` and `length` in samples."""

    event: Event
    key: _RowKey
    off: int
    length: int
    choked: bool


def seconds(timecents: int) -> float:
    """2 ** (timecents / 1200), from 1 ms to 100 s."""
    return float(min(max(2.0 ** (timecents / 1200.0), 0.001), 100.0))


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
    rows = _rows(font, zones, hits, device)
    for batch in _batches(hits):
        curves = _curves(zones, batch, device)
        for hit, curve in zip(batch, curves, strict=True):
            _place(stem, zones[hit.key.zone], hit, rows[hit.key], curve)
    return stem


def _place(stem: Tensor, zone: Zone, hit: _Hit, row: Tensor, curve: Tensor) -> None:
    start = hit.event.start
    length = min(hit.length, stem.shape[1] - start)
    if length <= 0:
        return
    sound = row[:length] * curve[:length]
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
        length = min(length, int((zone.end - zone.start) / _ratio(zone, event.pitch)))
    elif until_loop_end:
        length = min(length, off + int((zone.end - zone.loop_start) / _ratio(zone, event.pitch)))
    cents = _cutoff_cents(zone, event, kit=kit)
    key = _RowKey(index, event.pitch, 50 * round(cents / 50), off if until_loop_end else 0)
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


def _ratio(zone: Zone, pitch: int) -> float:
    """Sample positions to advance per output sample, without modulation."""
    values = zone.generators
    pitch = values["fixed_key"] if values["fixed_key"] >= 0 else pitch
    cents = (pitch - zone.root) * values["scale_tuning"]
    cents += values["coarse_tune"] * 100 + values["fine_tune"] + zone.correction
    return float(zone.rate / SAMPLE_RATE * 2.0 ** (min(max(cents, -12000), 8400) / 1200.0))


def _batches(hits: Sequence[_Hit]) -> Iterator[list[_Hit]]:
    """Hits of similar length together, bounded by memory."""
    batch: list[_Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.length, hit.event.start, hit.event.pitch, hit.key.zone)):
        if batch and (len(batch) + 1) * hit.length > _BATCH_SAMPLES:
            yield batch
            batch = []
        batch.append(hit)
    if batch:
        yield batch


def _curves(zones: Sequence[Zone], batch: Sequence[_Hit], device: torch.device) -> Tensor:
    """Volume envelopes [B, longest of the batch]."""
    values = [zones[hit.key.zone].generators for hit in batch]

    def column(numbers: list[float]) -> Tensor:
        return torch.tensor(numbers, device=device, dtype=torch.float32)

    def keyed(hit: _Hit, time: str, scale: str) -> float:
        own = zones[hit.key.zone].generators
        return seconds(own[time] + own[scale] * (60 - hit.event.pitch))

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
    return envelope.draw(envelope.amplitude(level, times, delay, attack), length)


def _rows(font: SoundFont, zones: Sequence[Zone], hits: Sequence[_Hit], device: torch.device) -> dict[_RowKey, Tensor]:
    """The waveform of every key that is used, as long as its longest note."""
    longest: dict[_RowKey, int] = {}
    for hit in hits:
        longest[hit.key] = max(longest.get(hit.key, 0), hit.length)
    pool, places = _load(font, zones, sorted({key.zone for key in longest}), device)
    keys = sorted(longest, key=lambda key: (longest[key], key.zone, key.pitch, key.cutoff_cents, key.release))
    rows: dict[_RowKey, Tensor] = {}
    while keys:
        size = 1
        while size < len(keys) and (size + 1) * longest[keys[size]] <= _BATCH_SAMPLES:
            size += 1
        batch, keys = keys[:size], keys[size:]
        sound = _resample(pool, [places[key.zone] for key in batch], zones, batch, longest[batch[-1]])
        rows.update(zip(batch, _filter(sound, zones, batch), strict=True))
    return rows


def _load(
    font: SoundFont, zones: Sequence[Zone], used: Sequence[int], device: torch.device
) -> tuple[Tensor, dict[int, int]]:
    """The used zones' samples end to end in [-1, 1], and where each zone starts.

    A looped zone is cut at its loop end and a few samples of the loop's start follow, for the interpolation.
    """
    pieces: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    places: dict[int, int] = {}
    at = 0
    for index in used:
        zone = zones[index]
        mode = zone.generators["sample_mode"]
        raw = font.samples(zone.start, zone.loop_end if mode == 1 else zone.end).astype(np.float32) / 32768.0
        guard = np.zeros(_GUARD, np.float32)
        if mode == 1:
            loop = raw[zone.loop_start - zone.start :]
            guard = np.resize(loop, _GUARD)
        piece = np.concatenate([np.zeros(1, np.float32), raw, guard])
        pieces.append(piece)
        places[index] = at + 1
        at += len(piece)
    return torch.from_numpy(np.concatenate(pieces)).to(device), places


def _resample(
    pool: Tensor, places: Sequence[int], zones: Sequence[Zone], keys: Sequence[_RowKey], length: int
) -> Tensor:
    """Read every key's zone at its pitch with four-point cubic (Hermite) interpolation. -> [B, length]

    Positions are 64-bit fixed point, exact however long the note.
    """
    device = pool.device
    position = _positions(zones, keys, length, device)
    whole = position >> _FRACTION_BITS
    t = (position & ((1 << _FRACTION_BITS) - 1)).float() * 2.0**-_FRACTION_BITS
    whole, alive = _loop(whole, zones, keys)
    whole += torch.tensor(places, device=device)[:, None]
    whole.clamp_(1, len(pool) - 3)
    a, b, c, d = (torch.take(pool, whole + shift) for shift in (-1, 0, 1, 2))
    slope, next_slope = (c - a) * 0.5, (d - b) * 0.5
    rise = c - b
    cubic = slope + next_slope - 2 * rise
    square = rise - slope - cubic
    return (((cubic * t + square) * t + slope) * t + b) * alive


def _positions(zones: Sequence[Zone], keys: Sequence[_RowKey], length: int, device: torch.device) -> Tensor:
    """Fixed-point sample positions [B, length], vibrato and pitch envelopes included."""
    ratios = [_ratio(zones[key.zone], key.pitch) for key in keys]
    steps = torch.tensor([round(ratio * 2**_FRACTION_BITS) for ratio in ratios], device=device)
    position = steps[:, None] * torch.arange(length, device=device)
    for row, key in enumerate(keys):
        own = zones[key.zone].generators
        if own["mod_lfo_to_pitch"] or own["vib_lfo_to_pitch"] or own["mod_env_to_pitch"]:
            advance = ratios[row] * 2.0 ** (_pitch_cents(zones[key.zone], length, device) / 1200.0)
            moved = torch.cumsum(advance, 0) - advance
            position[row] = (moved * 2.0**_FRACTION_BITS).long()
    return position


def _pitch_cents(zone: Zone, length: int, device: torch.device) -> Tensor:
    """Pitch modulation in cents, float64 [length]."""
    own = zone.generators
    times = torch.arange(length, device=device, dtype=torch.float64) / SAMPLE_RATE
    cents = own["mod_env_to_pitch"] * _modulation(zone, times)
    for lfo in ("mod", "vib"):
        depth, delay, rate = f"{lfo}_lfo_to_pitch", f"delay_{lfo}_lfo", f"freq_{lfo}_lfo"
        if own[depth]:
            hertz = min(8.176 * 2.0 ** (own[rate] / 1200.0), 100.0)
            cents = cents + own[depth] * torch.sin(2 * math.pi * hertz * (times - seconds(own[delay])).clamp(min=0.0))
    return cents


def _modulation(zone: Zone, times: Tensor) -> Tensor:
    """The modulation envelope in [0, 1] before release, at `times` in seconds."""
    own = zone.generators
    delay, attack = seconds(own["delay_mod_env"]), seconds(own["attack_mod_env"])
    hold, decay = seconds(own["hold_mod_env"]), seconds(own["decay_mod_env"])
    sustain = 1.0 - min(max(own["sustain_mod_env"], 0), 1000) / 1000.0
    fall = 1.0 - ((times - delay - attack - hold) / decay).clamp(min=0.0)
    return torch.minimum(((times - delay) / attack).clamp(0.0, 1.0), fall.clamp(min=sustain))


def _loop(whole: Tensor, zones: Sequence[Zone], keys: Sequence[_RowKey]) -> tuple[Tensor, Tensor]:
    """Fold positions into the loops; positions are relative to the zone's start. -> positions, where it sounds"""
    alive = torch.ones_like(whole, dtype=torch.bool)
    for row, key in enumerate(keys):
        zone = zones[key.zone]
        size = zone.end - zone.start
        here = whole[row]
        if zone.generators["sample_mode"]:
            start, period = zone.loop_start - zone.start, zone.loop_end - zone.loop_start
            folded = torch.where(here > start, (here - start - 1) % period + start + 1, here)
            if 0 < key.release < len(here):
                folded[key.release :] = folded[key.release] + here[key.release :] - here[key.release]
            here = folded
        if key.release or not zone.generators["sample_mode"]:
            alive[row] = here < size - 1
        whole[row] = here.clamp(max=size)
    return whole, alive


def _filter(sound: Tensor, zones: Sequence[Zone], keys: Sequence[_RowKey]) -> Tensor:
    """The zones' low-pass filters: fixed ones in one go, moving ones in groups of equal resonance."""
    fixed: list[int] = []
    moving: dict[float, list[int]] = {}
    hertz: dict[int, float] = {}
    for row, key in enumerate(keys):
        own = zones[key.zone].generators
        q_db = min(max(own["filter_q"], 0), 960) / 10.0
        depth = own["mod_env_to_filter"]
        if depth and not _settled(zones[key.zone]):
            moving.setdefault(q_db, []).append(row)
            continue
        cents = key.cutoff_cents + depth
        if cents < _OPEN_CENTS or q_db > 0:
            fixed.append(row)
            hertz[row] = 8.176 * 2.0 ** (cents / 1200.0)
    if fixed:
        cutoff = torch.tensor([hertz[row] for row in fixed], device=sound.device)
        q_db_column = [min(max(zones[keys[row].zone].generators["filter_q"], 0), 960) / 10.0 for row in fixed]
        q = torch.tensor([_quality(db) for db in q_db_column], device=sound.device)
        gain = torch.tensor([10 ** (-db / 40.0) for db in q_db_column], device=sound.device)
        sound[fixed] = lowpass(sound[fixed], cutoff, q) * gain[:, None]
    for q_db, rows in moving.items():
        frames = sound.shape[1] // _HOP + 2
        times = torch.arange(frames, device=sound.device, dtype=torch.float32) * (_HOP / SAMPLE_RATE)
        cents_curve = torch.stack(
            [
                keys[row].cutoff_cents
                + zones[keys[row].zone].generators["mod_env_to_filter"] * _modulation(zones[keys[row].zone], times)
                for row in rows
            ]
        )
        cutoffs = 8.176 * torch.exp2(cents_curve.clamp(1500, 13500) / 1200.0)
        sound[rows] = swept_lowpass(sound[rows], cutoffs, _quality(q_db), _HOP) * 10 ** (-q_db / 40.0)
    return sound


def _settled(zone: Zone) -> bool:
    """Whether the modulation envelope jumps to its full value and stays there."""
    own = zone.generators
    return own["sustain_mod_env"] <= 0 and max(own["delay_mod_env"], own["attack_mod_env"]) <= -7000


def _quality(q_db: float) -> float:
    """Resonance in dB above the passband to the quality of a biquad; 0 dB is flat (0.707)."""
    return float(10 ** ((q_db - 3.01) / 20.0))
