"""The tempo that is heard in audio, measured near the tempo that was asked for.

Which metrical level people tap to is not in the sound: 70 and 140 are both right for many pieces. So the level is
taken from the request, and what is measured is the exact rate of the pulse at that level and whether there is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from generator.measure.spectrum import frames

_WINDOW = 1024
_HOP = 256
_BANDS = 24
_REACH = 0.12
_LEVELS = {0.5: 0.5, 1.0: 1.0, 2.0: 1.0, 4.0: 0.6}  # of the beat: half notes, beats, eighths, sixteenths


@dataclass(frozen=True, slots=True)
class Tempo:
    """`bpm` in quarter notes a minute; `clarity` is how far the pulse stands out (about 1: not at all; 2: plainly)."""

    bpm: float
    clarity: float


def onset_strength(audio: Tensor, rate: int) -> tuple[Tensor, float]:
    """Rise of log power, summed over bands [frames], and its frames per second."""
    edges = torch.logspace(math.log10(60), math.log10(14000), _BANDS + 1, device=audio.device)
    bins = (edges / rate * _WINDOW).round().long().clamp(1, _WINDOW // 2)
    heard = []
    for power in frames(audio, _WINDOW, _HOP):
        total = torch.nn.functional.pad(power.cumsum(1), (1, 0))
        heard.append(total[:, torch.maximum(bins[1:], bins[:-1] + 1)] - total[:, bins[:-1]])
    bands = torch.cat(heard).T
    level = torch.log10(1e-4 * float(bands.mean()) + bands)
    rise = (level[:, 2:] - level[:, :-2]).clamp(min=0.0).sum(0)
    local = torch.nn.functional.avg_pool1d(rise[None, None], 301, 1, 150, count_include_pad=False)[0, 0]
    return (rise - local).clamp(min=0.0), rate / _HOP


def measure_tempo(audio: Tensor, rate: int, requested_bpm: float, beats_per_bar: int = 4) -> Tempo:
    """Where within 12 % of the request a Fourier sum of the onset strength is largest over the metrical levels."""
    if audio.shape[-1] < 2 * rate:
        return Tempo(0.0, 0.0)
    strength, fps = onset_strength(audio, rate)
    strength = (strength - strength.mean()).double()
    seconds = len(strength) / fps
    step = 60.0 / seconds / 16.0  # a sixteenth of the resolution of the sum, in beats per minute
    grid = torch.arange(
        requested_bpm * (1 - _REACH), requested_bpm * (1 + _REACH), step, dtype=torch.float64, device=strength.device
    )
    levels = _LEVELS | {1.0 / beats_per_bar: 0.5}
    score = torch.zeros_like(grid)
    for level, weight in levels.items():
        first, apart = (bpm * level / 60.0 / fps for bpm in (float(grid[0]), step))
        score += weight * _magnitude(strength, first, apart, len(grid))
    best = int(score.argmax())
    bpm = float(grid[best])
    if 0 < best < len(grid) - 1:  # the top of the parabola through the three highest points
        before, top, after = (float(score[best + shift]) for shift in (-1, 0, 1))
        bpm += 0.5 * (before - after) / (before - 2 * top + after + 1e-12) * step
    clarity = float(score[best] / score.median().clamp(min=1e-12))
    return Tempo(bpm, min(clarity, 99.0))


def aligned_tempo(
    audio: Tensor, rate: int, onsets_s: Sequence[float], weights: Sequence[float], written_bpm: float
) -> Tempo:
    """The tempo at which the written onsets meet the audio's; for pieces too short or sparse for a pulse to stand out.

    The onsets are stretched to every tempo within 12 % of the written one, and moved by up to 0.14 s for slow attacks.
    `clarity` is how far the best fit stands above the best one at a tempo more than 3 % away.
    """
    if audio.shape[-1] < 2 * rate or not onsets_s:
        return Tempo(0.0, 0.0)
    strength, fps = onset_strength(audio, rate)
    # The root keeps a few loud attacks from deciding alone; 40 ms are what playing together means.
    level = np.convolve(strength.sqrt().double().cpu().numpy(), np.hanning(9)[1:-1] / 4.0, mode="same")
    level -= level.mean()
    times, loud = np.asarray(onsets_s, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    ratios = np.arange(1 - _REACH, 1 + _REACH, 0.001)
    fits = np.full(len(ratios), -np.inf)
    for late_s in np.arange(-0.02, 0.15, 0.01):
        frames = (times / ratios[:, None] + late_s) * fps
        fits = np.maximum(fits, np.interp(frames, np.arange(len(level)), level, left=0.0, right=0.0) @ loud)
    best = int(fits.argmax())
    elsewhere = float(fits[np.abs(ratios / ratios[best] - 1) > 0.03].max())
    return Tempo(float(ratios[best]) * written_bpm, min(99.0, float(fits[best]) / max(elsewhere, 1e-9)))


def _magnitude(strength: Tensor, first: float, step: float, count: int) -> Tensor:
    """|sum of strength × exp(-2πift)| over its frames t, at `count` frequencies f from `first` on, in cycles a frame.

    A chirp-z transform (Bluestein): with 2tk = t² + k² - (k - t)² the sum is a convolution, so that fast transforms do.
    """
    size = 1 << (len(strength) + count - 1).bit_length()
    at = torch.arange(max(len(strength), count), device=strength.device, dtype=torch.float64)
    chirp = torch.exp(1j * math.pi * step * at * at)
    frames = at[: len(strength)]
    turned = strength * torch.exp(-2j * math.pi * first * frames) * chirp[: len(strength)].conj()
    around = torch.zeros(size, device=strength.device, dtype=torch.complex128)
    around[:count] = chirp[:count]
    around[size - len(strength) + 1 :] = chirp[1 : len(strength)].flip(0)
    found: Tensor = torch.fft.ifft(torch.fft.fft(turned, n=size) * torch.fft.fft(around))[:count].abs()
    return found
