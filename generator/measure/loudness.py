"""How loud audio is: integrated loudness and range after BS.1770 / EBU R128, and true peak at 8 times the rate.

Knows nothing of how audio was made; every function takes float audio [2, n] (or [n]) and its rate.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pyloudnorm
import torch
from torch import Tensor

SILENCE_LUFS = -120.0
"""What silence is called instead of minus infinity, so that it can be written as JSON."""

_BLOCK_S = 0.4
_RANGE_WINDOW_S = 3.0
_PHASES = 8
_HALF_WIDTH = 16
_FRAME = 64
_CHUNK = 4096 * _FRAME


def integrated_lufs(audio: Tensor, rate: int) -> float:
    """Gated loudness in LUFS; SILENCE_LUFS for silence. Audio shorter than 0.4 s counts as if silence followed."""
    samples = _samples(audio, math.ceil(_BLOCK_S * rate) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(pyloudnorm.Meter(rate).integrated_loudness(samples))
    return value if math.isfinite(value) else SILENCE_LUFS


def loudness_range(audio: Tensor, rate: int) -> float:
    """Loudness range in LU (EBU Tech 3342); 0 for audio under two windows of 3 s or silence."""
    if audio.shape[-1] < 2 * _RANGE_WINDOW_S * rate or float(audio.abs().max()) < 1e-6:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(pyloudnorm.Meter(rate).loudness_range(_samples(audio, 0)))
    return value if math.isfinite(value) else 0.0


def true_peak_dbtp(audio: Tensor) -> float:
    """Highest true peak of any channel in dBTP, between the samples too."""
    peak = float(peak_envelope(audio, _FRAME).max()) if audio.shape[-1] else 0.0
    return 20 * math.log10(max(peak, 1e-6))


def peak_envelope(audio: Tensor, step: int) -> Tensor:
    """True peak of all channels in every stretch of `step` samples (a divisor of 64). -> [ceil(n / step)]

    Eight-fold interpolation by a windowed sine cardinal, as one matrix product per stretch of audio.
    """
    audio = audio if audio.dim() == 2 else audio[None]
    length = audio.shape[-1]
    matrix = _interpolator().to(audio.device)
    whole = -(-length // _FRAME) * _FRAME
    padded = torch.nn.functional.pad(audio.float(), (_HALF_WIDTH, whole - length + _HALF_WIDTH))
    peaks = []
    for start in range(0, whole, _CHUNK):
        stretch = padded[:, start : start + min(_CHUNK, whole - start) + 2 * _HALF_WIDTH]
        frames = stretch.unfold(-1, _FRAME + 2 * _HALF_WIDTH, _FRAME)
        dense = (frames @ matrix).abs_().amax(0)
        peaks.append(dense.view(-1, _FRAME // step, step * _PHASES).amax(-1).flatten())
    return torch.cat(peaks)[: -(-length // step)]


@lru_cache(maxsize=1)
def _interpolator() -> Tensor:
    """[64 + 32, 64 * 8]: a frame with 16 samples either side to its values an eighth of a sample apart."""
    out = np.arange(_FRAME * _PHASES)[None, :] / _PHASES
    offset = np.arange(-_HALF_WIDTH, _FRAME + _HALF_WIDTH)[:, None] - out
    inside = np.clip(1 - (offset / _HALF_WIDTH) ** 2, 0, None)
    window = np.where(np.abs(offset) < _HALF_WIDTH, np.i0(8.0 * np.sqrt(inside)) / np.i0(8.0), 0.0)
    return torch.from_numpy((np.sinc(offset) * window).astype(np.float32))


def _samples(audio: Tensor, at_least: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    samples = np.atleast_2d(audio.detach().cpu().numpy()).T
    short = at_least - len(samples)
    return np.pad(samples, ((0, short), (0, 0))) if short > 0 else samples
