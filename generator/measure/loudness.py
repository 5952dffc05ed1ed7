"""How loud audio is: integrated loudness and range after BS.1770 / EBU R128, and true peak at 8 times the rate.

Knows nothing of how audio was made; every function takes float audio [2, n] (or [n]) and its rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from generator import blocks, hands

SILENCE_LUFS = -120.0
"""What silence is called instead of minus infinity, so that it can be written as JSON."""
STEPS_PER_S = 10
"""Loudness is gathered in tenths of a second; every window of the standards is a whole number of them."""

_BLOCK_STEPS = 4
_RANGE_STEPS = 30
_OFFSET_DB = -0.691
_ABSOLUTE_LUFS = -70.0
_RELATIVE_LU, _RANGE_RELATIVE_LU = -10.0, -20.0
_PHASES = 8
_HALF_WIDTH = 16
_FRAME = 64
_FRAMES_AT_ONCE = 2048
_HALFWAY_OVERSHOOT = 1.5  # between values half a sample apart: a sine at half the rate's half, the worst, reaches 1.41
_CHUNK = 1 << 19
_STEPS_AT_ONCE = 32
_STRETCH_S = 2  # of sound that is weighted at a time: what lies in between has to fit the processor's cache
_SIZE, _RING = 8192, 2048  # of a block of the weighting, whose high-pass has fallen by 90 dB after 46 ms


@dataclass(frozen=True, slots=True)
class Loudness:
    """What a meter shows: integrated loudness in LUFS, its range in LU, the highest true peak in dBTP."""

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float


def measure_loudness(audio: Tensor, rate: int) -> Loudness:
    power, peak_dbtp = hands.both(lambda: weighted_power(audio, rate), lambda: true_peak_dbtp(audio), audio.device)
    return Loudness(gated_lufs(power), range_lu(power), peak_dbtp)


def integrated_lufs(audio: Tensor, rate: int) -> float:
    """Gated loudness in LUFS; SILENCE_LUFS for silence. Audio shorter than 0.4 s counts as if silence followed."""
    return gated_lufs(weighted_power(audio, rate))


def nearly_lufs(audio: Tensor, rate: int) -> float:
    """`integrated_lufs` in half the time, for levelling: mostly within 0.02 LU, the lowest notes within 0.3.

    Every tenth of a second is weighted by its own spectrum, as if it were heard again and again.
    """
    audio = audio if audio.dim() == 2 else audio[None]
    step = rate // STEPS_PER_S
    size = -(-step // 128) * 128  # transforms of such sizes are fast
    weights = _weighting(rate, size, audio.device).abs().square().repeat_interleave(2) * (2 / (size * step))
    whole, rest = audio[:, : audio.shape[-1] // step * step], audio[:, audio.shape[-1] // step * step :]
    steps = [*torch.split(whole.view(len(audio), -1, step), _STEPS_AT_ONCE, 1), rest[:, None]]  # perhaps of no samples
    found = [
        (torch.view_as_real(torch.fft.rfft(some, n=size)).flatten(-2).square_() @ weights).sum(0).double()
        if blocks.peak(some) > 0
        else weights.new_zeros(some.shape[1], dtype=torch.float64)
        for some in steps
    ]
    return gated_lufs(torch.cat(found))


def loudness_range(audio: Tensor, rate: int) -> float:
    """Loudness range in LU (EBU Tech 3342); 0 for audio under two windows of 3 s or silence."""
    return range_lu(weighted_power(audio, rate))


def weighted_power(audio: Tensor, rate: int, steps_per_s: int = STEPS_PER_S) -> Tensor:
    """K-weighted power in steps of 1 / `steps_per_s` of a second, the channels added up. -> float64 [steps]

    What is left after the last whole step counts as a step that silence fills up.
    """
    audio = audio if audio.dim() == 2 else audio[None]
    step = rate // steps_per_s
    response = _weighting(rate, _SIZE, audio.device)
    stretch = _STRETCH_S * steps_per_s * step
    found = []
    for at in range(0, max(audio.shape[-1], 1), stretch):
        begin = max(at - _RING, 0)
        heard = audio[:, begin : at + stretch]
        if blocks.peak(heard) > 0:  # parts rest a lot
            heard = blocks.causal(heard, response, _RING)
        heard = heard[:, at - begin :]
        heard = torch.nn.functional.pad(heard, (0, -heard.shape[-1] % step)).view(len(heard), -1, step)
        found.append(torch.linalg.vector_norm(heard, dim=-1).double().square().sum(0) / step)
    if audio.shape[-1] % step == 0:
        found.append(found[0].new_zeros(1))
    return torch.cat(found)


def gated_lufs(power: Tensor) -> float:
    """Integrated loudness of K-weighted power in tenths of a second, with both gates of BS.1770-4. -> LUFS"""
    windows = _windows(power, _BLOCK_STEPS)
    loud = windows[_lufs(windows) > _ABSOLUTE_LUFS]
    if not len(loud):
        return SILENCE_LUFS
    return float(_lufs(loud[_lufs(loud) > _lufs(loud.mean()) + _RELATIVE_LU].mean()))


def range_lu(power: Tensor) -> float:
    """Loudness range of K-weighted power in tenths of a second: the 10th to the 95th of 100 of the windows of 3 s."""
    if len(power) - 1 < 2 * _RANGE_STEPS:
        return 0.0
    windows = _windows(power[:-1], _RANGE_STEPS)
    loud = windows[_lufs(windows) > _ABSOLUTE_LUFS]
    if not len(loud):
        return 0.0
    levels = _lufs(loud[_lufs(loud) > _lufs(loud.mean()) + _RANGE_RELATIVE_LU])
    low, high = torch.quantile(levels, torch.tensor([0.10, 0.95], dtype=levels.dtype, device=levels.device)).tolist()
    return float(high - low)


def true_peak_dbtp(audio: Tensor) -> float:
    """Highest true peak of any channel in dBTP, between the samples too."""
    if not audio.shape[-1]:
        return 20 * math.log10(1e-6)
    return 20 * math.log10(max(float(peak_envelope(audio, _FRAME, above=float(audio.abs().max())).max()), 1e-6))


def peak_envelope(audio: Tensor, step: int, *, above: float = 0.0) -> Tensor:
    """True peak of all channels in every stretch of `step` samples (a divisor of 64). -> [ceil(n / step)]

    Eight-fold interpolation by a windowed sine cardinal, as one matrix product. Only where a peak might exceed `above`
    is all of it computed; elsewhere the highest value seen stands for the peak.
    """
    audio = audio if audio.dim() == 2 else audio[None]
    length = audio.shape[-1]

    def chunk(at: int) -> Tensor:
        begin, end = at - _HALF_WIDTH, min(at + _CHUNK, length)
        after = -(end - at) % _FRAME + _HALF_WIDTH
        near = audio[:, max(begin, 0) : min(end + after, length)].float()
        return _peaks(torch.nn.functional.pad(near, (max(-begin, 0), max(end + after - length, 0))), step, above)

    return torch.cat(hands.each(chunk, range(0, length, _CHUNK), audio.device))[: -(-length // step)]


def _peaks(near: Tensor, step: int, above: float) -> Tensor:
    """`peak_envelope` of a stretch of whole frames with 16 samples around it.

    First the samples are looked at, then halfway between them, and closer only where it matters.
    """
    frames = near.unfold(-1, _FRAME + 2 * _HALF_WIDTH, _FRAME)
    inner = near[:, _HALF_WIDTH:-_HALF_WIDTH].view(len(near), -1, _FRAME // step, step)
    peaks = torch.maximum(inner.amax((0, 3)), -inner.amin((0, 3)))
    loud = torch.maximum(frames.amax((0, 2)), -frames.amin((0, 2)))  # a frame hears 16 samples of its neighbours
    matrix = _interpolator().to(near.device)
    halfway = matrix[:, _PHASES // 2 :: _PHASES].contiguous()
    for some in torch.split((loud >= above / _overshoot()).nonzero().flatten(), _FRAMES_AT_ONCE):
        heard = frames[:, some]
        seen = torch.maximum(peaks[some], _highest(heard @ halfway, step))
        peaks[some] = seen
        close = (seen.amax(-1) >= above / _HALFWAY_OVERSHOOT).nonzero().flatten()
        if len(close):
            peaks[some[close]] = _highest(heard[:, close] @ matrix, step * _PHASES)
    return peaks.flatten()


def _highest(values: Tensor, step: int) -> Tensor:
    """The highest of all channels in stretches of `step` values. [channels, frames, values] -> [frames, stretches]"""
    return values.abs_().amax(0).view(values.shape[1], values.shape[2] // step, step).amax(-1)


def _windows(power: Tensor, steps: int) -> Tensor:
    """Mean power of all windows of so many steps; one window where there are fewer."""
    if len(power) <= steps:
        return (power.sum() / steps)[None]
    # The last step is filled up with silence: a window ends before it, as in the standard.
    sums = torch.cat([power.new_zeros(1), power[:-1].cumsum(0)])
    return ((sums[steps:] - sums[:-steps]) / steps).clamp(min=0.0)


def _lufs(power: Tensor) -> Tensor:
    return _OFFSET_DB + 10 * torch.log10(power.clamp(min=1e-13))


@lru_cache(maxsize=8)
def _weighting(rate: int, size: int, device: torch.device) -> Tensor:
    """Response of the K-weighting at the bins of a transform of `size`: a shelf for the head, a high-pass for the ear.

    BS.1770-4 gives the coefficients at 48 kHz alone; these are the analogue filters behind them (as in libebur128).
    """
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    bend, quality = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196
    high, band = 10 ** (3.999843853973347 / 20), 10 ** (3.999843853973347 / 20 * 0.4996667741545416)
    square = bend * bend
    top = (high + band * bend / quality + square) + 2 * (square - high) * z
    top = top + (high - band * bend / quality + square) * z * z
    shelf = top / ((1 + bend / quality + square) + 2 * (square - 1) * z + (1 - bend / quality + square) * z * z)
    bend, quality = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    square = bend * bend
    scale = 1 + bend / quality + square
    ear = (1 - z) ** 2 / (1 + 2 * (square - 1) / scale * z + (1 - bend / quality + square) / scale * z * z)
    return torch.from_numpy((shelf * ear).astype(np.complex64)).to(device)


@lru_cache(maxsize=1)
def _interpolator() -> Tensor:
    """[64 + 32, 64 * 8]: a frame with 16 samples either side to its values an eighth of a sample apart."""
    out = np.arange(_FRAME * _PHASES)[None, :] / _PHASES
    offset = np.arange(-_HALF_WIDTH, _FRAME + _HALF_WIDTH)[:, None] - out
    inside = np.clip(1 - (offset / _HALF_WIDTH) ** 2, 0, None)
    window = np.where(np.abs(offset) < _HALF_WIDTH, np.i0(8.0 * np.sqrt(inside)) / np.i0(8.0), 0.0)
    return torch.from_numpy((np.sinc(offset) * window).astype(np.float32))


@lru_cache(maxsize=1)
def _overshoot() -> float:
    """How far an interpolated value can stand above the highest sample around it."""
    return float(_interpolator().abs().sum(0).max())
