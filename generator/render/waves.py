"""The waveforms of SoundFont zones: read at a pitch, in loops, and filtered.

Every distinct (zone, pitch, filter) is computed once, as a row. A zone's loop is written out first, as long as its
longest note needs, so that reading goes straight on; rows are read in stretches that fit the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from generator.render import envelope
from generator.render.batches import batches
from generator.render.bend import MOST_CENTS, Bend
from generator.render.filters import lowpass, swept_lowpass
from generator.render.sf2 import Samples, SoundFont, Zone
from generator.render.timing import SAMPLE_RATE

_FRACTION_BITS = 24
_GUARD = 4
_HOP = 512
_OPEN_CENTS = 13400  # 19 kHz: a filter that nobody hears
_SILENT = 10 ** (-90 / 20)
_TRIM_STEP = 1024
_MOST_READ = 1 << 25  # source samples of one note: half a minute, bent up by two octaves from four above; then silence
_BATCH = {"cpu": 1 << 18}  # samples computed together; what lies in between has to fit the processor's cache
_BATCH_ELSEWHERE = 1 << 23

Cubics = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """A waveform worth computing once; `release` is only set where the loop ends with the note, `bend` (the number of
    the bend) where the note's pitch moves."""

    zone: int
    pitch: int
    cutoff_cents: int
    release: int
    bend: int = 0


def seconds(timecents: int) -> float:
    """2 ** (timecents / 1200), from 1 ms to 100 s."""
    return float(min(max(2.0 ** (timecents / 1200.0), 0.001), 100.0))


def key_number(zone: Zone, pitch: int) -> int:
    """The key that a zone hears: the note's, or one that it has fixed."""
    fixed = zone.generators["fixed_key"]
    return fixed if fixed >= 0 else pitch


def keyed_seconds(zone: Zone, pitch: int, time: str, scale: str) -> float:
    """A time of an envelope that goes with the key: as written at key 60, `scale` timecents more for each key below."""
    return seconds(zone.generators[time] + zone.generators[scale] * (60 - key_number(zone, pitch)))


def ratio(zone: Zone, pitch: int) -> float:
    """Sample positions to advance per output sample, without modulation."""
    values = zone.generators
    cents = (key_number(zone, pitch) - zone.root) * values["scale_tuning"]
    cents += values["coarse_tune"] * 100 + values["fine_tune"] + zone.correction
    return float(zone.rate / SAMPLE_RATE * 2.0 ** (min(max(cents, -12000), 8400) / 1200.0))


def most_samples(device: torch.device) -> int:
    """How many samples to compute together."""
    return _BATCH.get(device.type, _BATCH_ELSEWHERE)


def rows(
    font: SoundFont, zones: Sequence[Zone], wanted: Mapping[RowKey, int], bends: Mapping[int, Bend],
    device: torch.device,
) -> Iterator[list[tuple[RowKey, Tensor, int]]]:  # fmt: skip
    """The waveform of every key, in batches, and how many samples of it are heard: as many as are wanted, fewer where
    it has died away before."""
    by_zone: dict[int, list[RowKey]] = {}
    for key in sorted(wanted):
        by_zone.setdefault(key.zone, []).append(key)
    for index, keys in by_zone.items():
        zone = zones[index]
        source = _Source(font, zone, max(_reach(zone, key, wanted[key]) for key in keys), device)
        for batch in _batches(keys, wanted, device):
            lengths = [wanted[key] for key in batch]
            length = -(-lengths[-1] // _TRIM_STEP) * _TRIM_STEP
            sound = _filter(_read(source, zone, batch, length, bends.get(batch[0].bend)), zone, batch)
            yield list(zip(batch, sound.unbind(), _heard(sound, lengths), strict=True))


def _batches(keys: Sequence[RowKey], wanted: Mapping[RowKey, int], device: torch.device) -> Iterator[list[RowKey]]:
    """Keys of one bend in each."""
    ordered = sorted(keys, key=lambda key: (key.bend, wanted[key], key))
    for _, alike in groupby(ordered, key=lambda key: key.bend):
        yield from batches(alike, wanted.__getitem__, most_samples(device))


def _reach(zone: Zone, key: RowKey, length: int) -> int:
    """Source samples that a row reads at most; a bend of two octaves is the most that is followed."""
    bent = 4.0 if _bends(zone) or key.bend else 1.0
    return min(math.ceil(length * ratio(zone, key.pitch) * bent) + _GUARD, _MOST_READ)


class _Source:
    """A zone's samples with its loop written out for `reach` samples, and what follows the loop.

    Nothing is read from the file that no row reaches.
    """

    def __init__(self, font: SoundFont, zone: Zone, reach: int, device: torch.device) -> None:
        mode, level = zone.generators["sample_mode"], _passband(zone) / 32768
        self.loop_start, self.period = zone.loop_start - zone.start, zone.loop_end - zone.loop_start
        if mode:
            raw = font.samples(zone.start, zone.end if mode == 3 else zone.loop_end)
            loop = raw[self.loop_start : self.loop_start + self.period]
            straight = np.concatenate([raw[: self.loop_start], np.resize(loop, max(reach - self.loop_start, 1))])
        else:
            raw = straight = font.samples(zone.start, min(zone.end, zone.start + reach))
        self.whole = _cubics(straight, level, device)
        self.tail = _cubics(raw, level, device) if mode == 3 else None


def _cubics(raw: Samples, level: float, device: torch.device) -> Cubics:
    """The four-point cubic (Hermite) of every sample and the next: factors of t to the power of 0 … 3.

    One sample of silence before, a few after. A sample is read several times; so its cubic is made beforehand.
    """
    padded = torch.zeros(1 + len(raw) + _GUARD, device=device)
    torch.mul(torch.from_numpy(raw).to(device), level, out=padded[1 : 1 + len(raw)])
    count = len(padded) - 3
    even, following = padded[1 : 1 + count], padded[2 : 2 + count]
    slopes = (padded[2:] - padded[:-2]).mul_(0.5)
    linear, rise = slopes[:count], following - even
    cubic = (linear + slopes[1:]).sub_(rise, alpha=2)
    return even, linear, rise.sub_(linear).sub_(cubic), cubic


def _read(source: _Source, zone: Zone, keys: Sequence[RowKey], length: int, played: Bend | None) -> Tensor:
    """Every key's zone at its pitch, bent as the zone and the player want it. -> [B, length]"""
    device = source.whole[0].device
    advance = [round(ratio(zone, key.pitch) * 2**_FRACTION_BITS) / 2**_FRACTION_BITS for key in keys]
    steps = torch.tensor(advance, device=device, dtype=torch.float64)[:, None]
    bend = _bend(zone, keys, length, device, played) if _bends(zone) or played is not None else None
    out = torch.empty(len(keys), length, device=device)
    stretch = max(most_samples(device) // len(keys) // envelope.STEP, 1) * envelope.STEP
    for at in range(0, length, stretch):
        count = min(stretch, length - at)
        if bend is None:
            time = torch.arange(at, at + count, device=device, dtype=torch.float64)
        else:
            time = _drawn(bend, at, count)
        position = steps * time
        _interpolate(source.whole, position, out[:, at : at + count])
        for row, key in enumerate(keys):
            if source.tail is not None and key.release < at + count:
                first = max(key.release - at, 0)
                jump = _loops_done(source, advance[row] * key.release)
                _interpolate(source.tail, position[row, first:] - jump, out[row, at + first : at + count])
    return out


def _loops_done(source: _Source, position: float) -> int:
    """Source samples by which a position in the written-out loop lies beyond the same place in the sample."""
    beyond = int(position) - source.loop_start
    return beyond // source.period * source.period if beyond > 0 else 0


def _interpolate(cubics: Cubics, position: Tensor, into: Tensor) -> None:
    """The cubics of a source at positions in float64, exact to 2^-24 of a sample however long the note.

    Beyond the end of the source there is silence.
    """
    position = position.clamp(0, len(cubics[0]) - 1)
    where = position.to(torch.int32).flatten()
    t = position.frac_().to(into.dtype)
    even, linear, square, cubic = (factors.index_select(0, where).view(t.shape) for factors in cubics)
    torch.addcmul(even, linear.addcmul_(square.addcmul_(cubic, t), t), t, out=into)


def _bends(zone: Zone) -> bool:
    own = zone.generators
    return bool(own["mod_lfo_to_pitch"] or own["vib_lfo_to_pitch"] or own["mod_env_to_pitch"])


def _bend(zone: Zone, keys: Sequence[RowKey], length: int, device: torch.device, played: Bend | None) -> Tensor:
    """Output samples as the bent pitch counts them, at every `envelope.STEP` samples: float64 [B or 1, steps + 1]."""
    count = -(-length // envelope.STEP) + 1
    times = torch.arange(count, device=device, dtype=torch.float64) * (envelope.STEP / SAMPLE_RATE)
    cents = _pitch_cents(zone, keys, times)
    if played is not None:
        cents = cents + torch.from_numpy(played.at(count)).to(device)
    advance = envelope.STEP * torch.pow(2.0, cents.clamp(-MOST_CENTS, MOST_CENTS) / 1200.0)
    return torch.cumsum(advance, -1) - advance


def _drawn(bend: Tensor, at: int, count: int) -> Tensor:
    """Straight lines between the points of `_bend` from sample `at` on, a multiple of the step. -> [B or 1, count]"""
    return envelope.draw(bend[:, at // envelope.STEP : (at + count - 1) // envelope.STEP + 2], count)


def _pitch_cents(zone: Zone, keys: Sequence[RowKey], times: Tensor) -> Tensor:
    """Pitch modulation in cents at `times` in seconds: modulation envelope, two low-frequency oscillators."""
    own = zone.generators
    cents = own["mod_env_to_pitch"] * modulation(zone, keys, times)
    for lfo in ("mod", "vib"):
        if depth := own[f"{lfo}_lfo_to_pitch"]:
            cents = cents + depth * oscillation(own, lfo, times)
    return cents


def oscillation(own: Mapping[str, int], lfo: str, times: Tensor) -> Tensor:
    """The oscillator "mod" or "vib" of a zone at `times`: after its delay a triangle from 0 up, within -1 … 1."""
    hertz = min(8.176 * 2.0 ** (own[f"freq_{lfo}_lfo"] / 1200.0), 100.0)
    since = (times - seconds(own[f"delay_{lfo}_lfo"])).clamp(min=0.0) * hertz
    return 2 * torch.abs(2 * ((since + 0.75) % 1.0) - 1) - 1


def modulation(zone: Zone, keys: Sequence[RowKey], times: Tensor) -> Tensor:
    """The modulation envelope in [0, 1] before release, at `times` [T] in seconds. -> [B, T], or [1, T] where it is the
    same for all keys"""
    own = zone.generators
    scaled = own["key_to_mod_hold"] or own["key_to_mod_decay"]
    pitches = [key.pitch for key in keys] if scaled else [keys[0].pitch]

    def column(time: str, scale: str) -> Tensor:
        found = [keyed_seconds(zone, pitch, time, scale) for pitch in pitches]
        return torch.tensor(found, device=times.device, dtype=times.dtype)[:, None]

    delay, attack = seconds(own["delay_mod_env"]), seconds(own["attack_mod_env"])
    hold, decay = column("hold_mod_env", "key_to_mod_hold"), column("decay_mod_env", "key_to_mod_decay")
    sustain = 1.0 - min(max(own["sustain_mod_env"], 0), 1000) / 1000.0
    fall = 1.0 - ((times - delay - attack - hold) / decay).clamp(min=0.0)
    return torch.minimum(((times - delay) / attack).clamp(0.0, 1.0), fall.clamp(min=sustain))


def _filter(sound: Tensor, zone: Zone, keys: Sequence[RowKey]) -> Tensor:
    """The zone's low-pass: one that moves with the modulation envelope and oscillator, or one that stands still."""
    own = zone.generators
    q_db, depth = _resonance_db(zone), own["mod_env_to_filter"]
    if own["mod_lfo_to_filter"] or (depth and not _settled(zone)):
        return swept_lowpass(sound[:, None], _moving_cutoffs(zone, keys, sound), _quality(q_db), _HOP)[:, 0]
    cents = [key.cutoff_cents + depth for key in keys]
    heard = [row for row, cutoff in enumerate(cents) if cutoff < _OPEN_CENTS or q_db > 0]
    cutoffs = [8.176 * 2.0 ** (cents[row] / 1200.0) for row in heard]
    if len(heard) == len(keys):
        return lowpass(sound, cutoffs, _quality(q_db))
    if heard:
        sound[heard] = lowpass(sound[heard], cutoffs, _quality(q_db))
    return sound


def _moving_cutoffs(zone: Zone, keys: Sequence[RowKey], sound: Tensor) -> Tensor:
    """Cutoffs in Hz at every `_HOP` samples of the rows. -> [B, n // _HOP + 2]"""
    own, device = zone.generators, sound.device
    times = torch.arange(sound.shape[1] // _HOP + 2, device=device, dtype=torch.float32) * (_HOP / SAMPLE_RATE)
    moves = own["mod_env_to_filter"] * modulation(zone, keys, times)
    if own["mod_lfo_to_filter"]:
        moves = moves + own["mod_lfo_to_filter"] * oscillation(own, "mod", times)
    written = torch.tensor([float(key.cutoff_cents) for key in keys], device=device)
    return 8.176 * torch.exp2((written[:, None] + moves).clamp(1500, 13500) / 1200.0)


def _settled(zone: Zone) -> bool:
    """Whether the modulation envelope jumps to its full value and stays there."""
    own = zone.generators
    return own["sustain_mod_env"] <= 0 and max(own["delay_mod_env"], own["attack_mod_env"]) <= -7000


def _resonance_db(zone: Zone) -> float:
    return min(max(zone.generators["filter_q"], 0), 960) / 10.0


def _passband(zone: Zone) -> float:
    """What a resonant filter lets through beside its resonance."""
    return float(10 ** (-_resonance_db(zone) / 40.0))


def _quality(q_db: float) -> float:
    """Resonance in dB above the passband to the quality of a biquad; 0 dB is flat (0.707)."""
    return float(10 ** ((q_db - 3.01) / 20.0))


def _heard(sound: Tensor, lengths: Sequence[int]) -> list[int]:
    """How much of each row [B, n] there is before it stays 90 dB below its peak: recorded strokes ring into much
    silence. What lies beyond its length is made silent."""
    for row, length in zip(sound.unbind(), lengths, strict=True):
        row[length:] = 0.0
    blocks = sound.view(len(sound), -1, _TRIM_STEP)
    loud = torch.maximum(blocks.amax(-1), -blocks.amin(-1)).cpu().numpy()
    heard = loud > loud.max(1, keepdims=True) * _SILENT
    ends = np.where(heard.any(1), heard.shape[1] - heard[:, ::-1].argmax(1), 0) * _TRIM_STEP
    return [min(int(end), length) for end, length in zip(ends, lengths, strict=True)]
