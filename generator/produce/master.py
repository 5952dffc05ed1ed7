"""From a mix to a finished sound: clean low end, tonal balance, glue, soft clip, loudness, true-peak ceiling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generator.measure.loudness import SILENCE_LUFS, integrated_lufs
from generator.produce import effects
from generator.produce.limiter import envelope_of, glue, limit
from generator.produce.settings import Master
from generator.render.filters import samples
from generator.render.timing import SAMPLE_RATE

HEADROOM_DB = 0.6
"""Room below the ceiling for what MP3 coding adds to the peaks at 192 kbit/s."""
CODEC_LOSS_LU = 0.26
"""Loudness that LAME takes away at 192 kbit/s; the same within 0.02 LU on quiet, dense and percussive pieces."""

_MATCH_LIMIT_DB = 4.0
_MATCH_STRENGTH = 0.5
_SLOPE_DB_PER_OCTAVE = -4.5  # the long-term spectrum of finished records above 100 Hz
_MAX_GAIN_DB = 40.0


def master(bus: Tensor, settings: Master) -> Tensor:
    """Finish a mix [2, n] so that it has the target loudness and room under the ceiling once it is an MP3.

    Silence comes back unchanged.
    """
    if integrated_lufs(bus, SAMPLE_RATE) <= SILENCE_LUFS:
        return bus
    sound = _balance(bus, settings.tilt_db)
    if settings.glue > 0:
        sound = glue(sound, settings.glue)
    sound = loudness_to(sound, -18.0)
    if settings.drive > 0:
        sound = _soft_clip(sound, settings.drive)
    return to_target(sound, settings.target_lufs + CODEC_LOSS_LU, settings.ceiling_dbtp - HEADROOM_DB)


def loudness_to(sound: Tensor, lufs: float) -> Tensor:
    """Plain gain to a loudness."""
    return sound * 10 ** ((lufs - integrated_lufs(sound, SAMPLE_RATE)) / 20)


def to_target(sound: Tensor, lufs: float, ceiling_db: float) -> Tensor:
    """Amplify and limit until the limited sound measures `lufs` (to 0.05 LU where the limiter allows)."""
    peaks = envelope_of(sound)
    gain_db = lufs - integrated_lufs(sound, SAMPLE_RATE)
    limited = limit(sound, ceiling_db, gain_db, peaks)
    for _ in range(4):
        short = lufs - integrated_lufs(limited, SAMPLE_RATE)
        if abs(short) < 0.05:
            break
        gain_db = min(gain_db + 1.15 * short, _MAX_GAIN_DB)
        limited = limit(sound, ceiling_db, gain_db, peaks)
    return limited


def _balance(bus: Tensor, tilt_db: float) -> Tensor:
    """High-pass at 25 Hz, no offset, tilt, and half of what would bring the spectrum to a record's."""
    parts, hertz, size = effects.spectrum(bus)
    response = effects.highpass(hertz, 25.0)
    octaves = torch.log2(hertz.clamp(100.0, 10000.0) / 1000.0)
    gain_db = tilt_db * octaves / math.log2(100.0) + _match(parts, hertz)
    return samples(parts * (response * torch.pow(10.0, gain_db / 20)), size, bus.shape[1])


def _match(parts: Tensor, hertz: Tensor) -> Tensor:
    """Bounded correction in dB [bins], smooth over third octaves from 60 Hz to 12 kHz."""
    power = parts.abs().pow(2).sum(0)
    centres = 62.5 * 2 ** (torch.arange(0, 24, device=hertz.device) / 3)
    edges = torch.searchsorted(hertz, torch.stack([centres * 2 ** (-1 / 6), centres * 2 ** (1 / 6)]))
    total = torch.cat([power.new_zeros(1).double(), power.double().cumsum(0)])
    band = 10 * torch.log10((total[edges[1]] - total[edges[0]]).clamp(min=1e-12)).float()
    # Third-octave bands of a spectrum falling s dB an octave per bin fall s + 3 dB an octave per band.
    wanted = (_SLOPE_DB_PER_OCTAVE + 3.0) * torch.log2(centres / 1000.0)
    off = wanted - band
    off = (off - off.median()) * _MATCH_STRENGTH
    # What a piece does not have (no bass, no cymbals) cannot be equalised into being.
    off = torch.where(band < band.max() - 45, 0.0, off).clamp(-_MATCH_LIMIT_DB, _MATCH_LIMIT_DB)
    kernel = torch.tensor([0.25, 0.5, 0.25], device=hertz.device)
    held = torch.nn.functional.pad(off[None, None], (1, 1), mode="replicate")
    off = torch.nn.functional.conv1d(held, kernel[None, None])[0, 0]
    place = (torch.log2(hertz.clamp(min=1.0) / 62.5) * 3).clamp(0, len(off) - 1.001)
    lower = place.floor().long()
    return off[lower] + (off[lower + 1] - off[lower]) * (place - lower)


def _soft_clip(sound: Tensor, drive: float) -> Tensor:
    """Round off what rises above -6 dBFS … -2 dBFS of a sound at -18 LUFS; quieter samples stay as they are."""
    knee = 0.8 - 0.35 * drive
    over = (sound.abs() - knee).clamp(min=0.0)
    return torch.where(over > 0, torch.sign(sound) * (knee + (1 - knee) * torch.tanh(over / (1 - knee))), sound)
