"""Resonant low-pass filters for batches of notes, in the frequency domain, alike on CPU and GPU.

The filters are causal second-order sections (the bilinear low-pass of R. Bristow-Johnson's cookbook) applied by
multiplying spectra, so attacks stay sharp and no loop runs over samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from generator import blocks
from generator.render.timing import SAMPLE_RATE

_FRAMES = (1152, 1280, 1536, 2304, 2560, 3072, 4096)
_BLOCK, _RING = 4096, 512  # a fixed filter works in blocks of so many samples and may ring so long
_LONG_BLOCK, _LONG_RING = 32768, 4096  # the same for one that rings longer; four times as dear
_TOGETHER = 1 << 18  # samples of the frames that are transformed together
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


def lowpass(sound: Tensor, cutoff_hz: Sequence[float], q: float) -> Tensor:
    """Filter rows [B, n], each with its own fixed cutoff; in blocks that fit the processor's cache."""
    # A resonance falls by exp(-pi f t / q): 78 dB within the ring.
    short = min(cutoff_hz) * _RING > 2.9 * q * SAMPLE_RATE
    size, ring = (_BLOCK, _RING) if short else (_LONG_BLOCK, _LONG_RING)
    response = torch.stack([_fixed_response(hertz, q, size, sound.device) for hertz in cutoff_hz])
    return blocks.causal(sound, response[:, None], ring)


@lru_cache(maxsize=256)
def _fixed_response(cutoff_hz: float, q: float, size: int, device: torch.device) -> Tensor:
    """[bins]; notes share their cutoffs."""
    cutoff = torch.tensor([cutoff_hz], device=device)
    return lowpass_response(cutoff, torch.full_like(cutoff, q), size)[0]


@lru_cache(maxsize=64)
def _response_table(q: float, frame: int, device: torch.device) -> Tensor:
    """Responses for cutoffs a quarter-tone apart, [steps, bins]."""
    cutoffs = _LOWEST_HZ * 2 ** (torch.arange(_STEPS + 1, device=device) / _STEPS_PER_OCTAVE)
    return lowpass_response(cutoffs, torch.full_like(cutoffs, q), frame)


def swept_lowpass(sound: Tensor, cutoff_hz: Tensor, q: float, hop: int) -> Tensor:
    """Filter the sides of notes [B, sides, n] with cutoffs [B, n // hop + 2] (Hz) given every `hop` samples.

    The input is cut into overlapping triangular windows; each goes through the causal filter of its moment and
    the results add up, so the filter glides. `hop` is at most 1024: the rest of a frame is for ringing, and frames are
    as short as the lowest cutoff allows.
    """
    notes, sides, length = sound.shape
    frames = length // hop + 2
    lowest = float(cutoff_hz.min())
    # A resonance falls by exp(-pi f t / q): below -78 dB where a shorter frame ends.
    frame = next((size for size in _FRAMES if lowest * (size - 2 * hop) > 2.9 * q * SAMPLE_RATE), _FRAMES[-1])
    padded = torch.nn.functional.pad(sound, (hop, frames * hop + hop - hop - length))
    ramp = torch.arange(hop, device=sound.device, dtype=torch.float32) / hop
    window = torch.cat([ramp, 1 - ramp])
    cut = padded.unfold(-1, 2 * hop, hop)
    step = (torch.log2(cutoff_hz[:, :frames].clamp(min=_LOWEST_HZ) / _LOWEST_HZ) * _STEPS_PER_OCTAVE).round()
    step = step.long().clamp(0, _STEPS)
    table = _response_table(q, frame, sound.device)
    out = sound.new_zeros(notes, sides, (frames - 1) * hop + frame)
    together = min(max(_TOGETHER // (notes * sides * frame), 1), frames)
    windowed = sound.new_zeros(notes, sides, together, frame)
    for at in range(0, frames, together):
        count = min(together, frames - at)
        torch.mul(cut[:, :, at : at + count], window, out=windowed[:, :, :count, : 2 * hop])
        spectra = torch.fft.rfft(windowed[:, :, :count]).mul_(table[step[:, None, at : at + count]])
        # A fold in time: the k-th hop-long slice of every frame, the last one shorter, lands k hops later.
        heard = torch.fft.irfft(spectra, n=frame)
        for begin in range(0, frame, hop):
            end = min(begin + hop, frame)
            there = out[..., at * hop + begin : (at + count - 1) * hop + end]
            there.unfold(-1, end - begin, hop).add_(heard[..., begin:end])
    return out[..., hop : hop + length]
