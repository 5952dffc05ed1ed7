"""Compressors: gain curves at a control rate, computed over whole pieces at once.

An instant attack with a release of constant decibels per second is a running maximum of (reduction + rate × time), so
no loop runs over samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generator.render.timing import SAMPLE_RATE

_STEP = 64
_LONG = 1 << 16
_KNEE_DB = 8.0
_GATE_DB = 40.0  # what lies so far below the loudest does not count as playing


@dataclass(frozen=True, slots=True)
class Compressor:
    """`slope` is the share of what rises above the threshold that is taken away (0.75: a ratio of 4); the threshold
    lies `below_db` under the median level, and at most `most_db` are taken. `late_ms` lets the front of a hit pass."""

    slope: float
    most_db: float
    release_db_s: float
    below_db: float = 2.0
    late_ms: float = 12.0


def glue(amount: float) -> Compressor:
    """Gentle bus compression, ratios from 1.3 to 4."""
    return Compressor((0.25 + 0.5 * amount) * min(1.0, amount * 2), 6.0, 18.0)


def channel(amount: float) -> Compressor:
    """A player's level evened out: 1 is 4:1 and at most 9 dB."""
    return Compressor(0.75 * amount, 9.0, 60.0, below_db=1.0, late_ms=8.0)


def compress(audio: Tensor, compressor: Compressor) -> Tensor:
    """Turn audio [2, n] down in place where it is loud: 10 ms level, soft knee. -> audio"""
    length = audio.shape[-1]
    level = 10 * torch.log10(smooth(_power(audio), 7).clamp(min=1e-10))
    loud = level[level > level.max() - _GATE_DB]
    over = level - (float(loud.median()) - compressor.below_db)
    soft = torch.where(over.abs() < _KNEE_DB / 2, (over + _KNEE_DB / 2) ** 2 / (2 * _KNEE_DB), over.clamp(min=0.0))
    reduction = (soft * compressor.slope).clamp(max=compressor.most_db)
    held = smooth(released(reduction, compressor.release_db_s * _STEP / SAMPLE_RATE), 21)
    late = min(round(compressor.late_ms / 1000 * SAMPLE_RATE / _STEP), len(held) - 1)
    held = torch.cat([held[:1].expand(late), held[: len(held) - late]])
    apply_gain(audio, -held, _STEP, length)
    return audio


def apply_gain(audio: Tensor, gain_db: Tensor, step: int, length: int) -> None:
    """Multiply audio [c, n] in place by a curve in dB with a point in the middle of every `step` samples."""
    gains = torch.pow(10.0, gain_db / 20)
    held = torch.cat([gains[:1], gains, gains[-1:]])
    ramp = (torch.arange(step, device=gains.device) + 0.5) / step
    shift = step // 2
    for at in range(0, length + shift, _LONG):
        points = held[at // step : (at + _LONG) // step + 1]
        lines = (points[:-1, None] + points.diff()[:, None] * ramp).flatten()
        begin, end = at - shift, min(at - shift + len(lines), length)
        audio[:, max(begin, 0) : end] *= lines[max(-begin, 0) : end - begin]


def released(reduction: Tensor, fall: float) -> Tensor:
    """Hold a reduction and let it fall by `fall` dB a step."""
    slope = torch.arange(len(reduction), device=reduction.device, dtype=torch.float64) * fall
    return (torch.cummax(reduction.double() + slope, 0).values - slope).float()


def smooth(curve: Tensor, width: int) -> Tensor:
    """Average under a Hann window of an odd number of steps, ends held."""
    window = torch.hann_window(width + 2, periodic=False, device=curve.device)[1:-1]
    held = torch.nn.functional.pad(curve[None, None], (width // 2, width // 2), mode="replicate")
    return torch.nn.functional.conv1d(held, (window / window.sum())[None, None])[0, 0]


def _power(audio: Tensor) -> Tensor:
    """Mean power of every step, the last one filled up with silence."""
    whole = audio.shape[-1] // _STEP
    steps = audio[:, : whole * _STEP].reshape(len(audio), whole, _STEP)
    power = torch.linalg.vector_norm(steps, dim=(0, 2)).square()
    rest = audio[:, whole * _STEP :].square().sum()[None]
    return torch.cat([power, rest]) / (_STEP * len(audio))
