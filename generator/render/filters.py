"""Resonant low-pass filters for batches of notes, in the frequency domain, alike on CPU and GPU.

The filters are causal second-order sections (the bilinear low-pass of R. Bristow-Johnson's cookbook) applied by
multiplying spectra, so attacks stay sharp and no loop runs over samples.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from generator.render.timing import SAMPLE_RATE

_FRAME = 4096
_STEPS_PER_OCTAVE = 24
_LOWEST_HZ = 20.0
_STEPS = int(math.log2(20000 / _LOWEST_HZ) * _STEPS_PER_OCTAVE)


def samples(spectrum: Tensor, size: int, length: int) -> Tensor:
    """Back from the spectrum of a padded signal of `size` samples to its first `length` samples."""
    padded: Tensor = torch.fft.irfft(spectrum, n=size)
    return padded[..., :length]


def lowpass_response(cutoff_hz: Tensor, q: Tensor, size: int) -> Tensor:
    """Complex response [B, size // 2 + 1] of low-passes with cutoffs [B] (Hz) and qualities [B] (0.7 is flat)."""
    omega = torch.arange(size // 2 + 1, device=cutoff_hz.device, dtype=torch.float32) * (2 * math.pi / size)
    z = torch.polar(torch.ones_like(omega), -omega)[None, :]
    w0 = (2 * math.pi / SAMPLE_RATE * cutoff_hz.clamp(5.0, 0.49 * SAMPLE_RATE))[:, None]
    cosine, alpha = torch.cos(w0), torch.sin(w0) / (2 * q[:, None])
    top = (1 - cosine) / 2 * (1 + z) ** 2
    response: Tensor = top / ((1 + alpha) - 2 * cosine * z + (1 - alpha) * z * z)
    return response


def lowpass(sound: Tensor, cutoff_hz: Tensor, q: Tensor) -> Tensor:
    """Filter rows [B, n], each with its own fixed cutoff [B] and quality [B]."""
    length = sound.shape[-1]
    size = next_fast_len(length + 4096, real=True)
    spectrum = torch.fft.rfft(sound, n=size) * lowpass_response(cutoff_hz, q, size)
    return samples(spectrum, size, length)


@lru_cache(maxsize=64)
def _response_table(q: float, device: torch.device) -> Tensor:
    """Responses for cutoffs a quarter-tone apart, [steps, bins]."""
    cutoffs = _LOWEST_HZ * 2 ** (torch.arange(_STEPS + 1, device=device) / _STEPS_PER_OCTAVE)
    return lowpass_response(cutoffs, torch.full_like(cutoffs, q), _FRAME)


def swept_lowpass(sound: Tensor, cutoff_hz: Tensor, q: float, hop: int) -> Tensor:
    """Filter rows [B, n] with cutoffs [B, n // hop + 2] (Hz) given every `hop` samples.

    The input is cut into overlapping triangular windows; each goes through the causal filter of its moment and
    the results add up, so the filter glides. `hop` is at most 1024: the rest of the 4096-sample frame is for ringing.
    """
    rows, length = sound.shape
    frames = length // hop + 2
    padded = torch.nn.functional.pad(sound, (hop, frames * hop + hop - hop - length))
    ramp = torch.arange(hop, device=sound.device, dtype=torch.float32) / hop
    window = torch.cat([ramp, 1 - ramp])
    cut = padded.unfold(-1, 2 * hop, hop)[:, :frames] * window
    step = (torch.log2(cutoff_hz[:, :frames].clamp(min=_LOWEST_HZ) / _LOWEST_HZ) * _STEPS_PER_OCTAVE).round()
    response = _response_table(q, sound.device)[step.long().clamp(0, _STEPS)]
    filtered = torch.fft.irfft(torch.fft.rfft(cut, n=_FRAME) * response, n=_FRAME)
    out = sound.new_zeros(rows, (frames - 1) * hop + _FRAME)
    # A fold in time: the k-th hop-long slice of every frame lands k hops later.
    slices = filtered.view(rows, frames, _FRAME // hop, hop)
    for k in range(_FRAME // hop):
        out[:, k * hop : (k + frames) * hop] += slices[:, :, k].reshape(rows, frames * hop)
    return out[:, hop : hop + length]
