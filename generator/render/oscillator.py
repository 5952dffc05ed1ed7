"""Band-limited oscillators for batches of notes.

A wave is one cycle built from exactly the harmonics that fit below 19 kHz at its pitch, so it cannot alias; it is
read by a phase of 32 bits, which overflows once a cycle: pitches are exact to 0.00001 Hz however long the note. Knows
nothing of voices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from generator.render.timing import SAMPLE_RATE

_TABLE_BITS = 12
_PHASE_BITS = 32
_REST_BITS = _PHASE_BITS - _TABLE_BITS
_SIZE = 1 << _TABLE_BITS
_TOP_HZ = 19000.0
_STRETCH = 1 << 16


def pitch_hz(pitch: Tensor) -> Tensor:
    """MIDI pitches to frequencies, A4 = 440 Hz."""
    return 440.0 * torch.exp2((pitch.double() - 69.0) / 12.0)


def harmonic_levels(shape: str | Sequence[float], count: int) -> Tensor:
    """Signed sine amplitudes of harmonics 1 … count of a shape, or of a list of levels."""
    k = torch.arange(1, count + 1, dtype=torch.float64)
    odd = (k % 2 == 1).double()
    if not isinstance(shape, str):
        given = torch.tensor(list(shape)[:count], dtype=torch.float64)
        return torch.nn.functional.pad(given, (0, count - len(given)))
    if shape == "saw":
        return (2 / math.pi) / k
    if shape == "square":
        return odd * (4 / math.pi) / k
    if shape == "triangle":
        return odd * (8 / math.pi**2) / k**2 * torch.where(k % 4 == 1, 1.0, -1.0)
    return (k == 1).double()


def tables(shape: str | Sequence[float], hertz: Tensor) -> Tensor:
    """One cycle for every frequency [B] -> [B, 4096]."""
    limits = (_TOP_HZ / hertz.cpu()).floor().clamp(1, _SIZE // 4).long()
    levels = harmonic_levels(shape, int(limits.max()))
    keep = torch.arange(1, len(levels) + 1)[None, :] <= limits[:, None]
    spectrum = torch.zeros(len(hertz), _SIZE // 2 + 1, dtype=torch.complex128)
    spectrum[:, 1 : len(levels) + 1] = -0.5j * _SIZE * levels * keep
    cycle: Tensor = torch.fft.irfft(spectrum, n=_SIZE)
    return cycle.float().to(hertz.device)


def phase(hertz: Tensor, start: Tensor, length: int, bend: Tensor | None = None, at: int = 0) -> Tensor:
    """Fixed-point phase [B, length] at frequencies [B], from `start` [B] cycles, bent by `bend` [B, length] cycles.

    `at` is how many samples have passed before.
    """
    step, first = (
        (cycles.double() * 2.0**_PHASE_BITS).round().long().to(torch.int32)[:, None]
        for cycles in (hertz / SAMPLE_RATE, start)
    )
    out = step * torch.arange(at, at + length, device=hertz.device, dtype=torch.int32)
    out += first
    if bend is not None:
        out += (torch.frac(bend) * 2.0**24).to(torch.int32) << (_PHASE_BITS - 24)
    return out


def cycles(fixed: Tensor) -> Tensor:
    """Fixed-point phase to float32 cycles in [-0.5, 0.5)."""
    return (fixed >> (_PHASE_BITS - 24)).float() * 2.0**-24


def sine(hertz: Tensor, start: Tensor, length: int) -> Tensor:
    """Pure tones [B, length]."""
    return torch.sin(cycles(phase(hertz, start, length)) * (2 * math.pi))


def read(waves: Tensor, fixed: Tensor) -> Tensor:
    """Read tables [B, 4096] at fixed-point phases [B, n] with straight-line interpolation."""
    index = (fixed >> _REST_BITS).bitwise_and_(_SIZE - 1)
    index += torch.arange(len(waves), device=waves.device, dtype=torch.int32)[:, None] * _SIZE
    rest = fixed.bitwise_and((1 << _REST_BITS) - 1).float().mul_(2.0**-_REST_BITS)
    rise = torch.roll(waves, -1, dims=1) - waves
    here, there = (table.flatten().index_select(0, index.flatten()).view(rest.shape) for table in (waves, rise))
    return here.addcmul_(there, rest)


def tone(waves: Tensor, hertz: Tensor, start: Tensor, length: int, bend: Tensor | None = None) -> Tensor:
    """Read tables at frequencies [B], as `phase` and `read` do, in stretches that fit the cache. -> [B, length]"""
    out = torch.empty(len(waves), length, device=waves.device)
    stretch = _STRETCH // len(waves) if waves.device.type == "cpu" else length
    for at in range(0, length, stretch):
        count = min(stretch, length - at)
        some = bend[:, at : at + count] if bend is not None else None
        out[:, at : at + count] = read(waves, phase(hertz, start, count, some, at))
    return out
