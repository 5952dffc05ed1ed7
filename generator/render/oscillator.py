"""Band-limited oscillators for batches of notes.

A wave is one cycle built from exactly the harmonics that fit below 19 kHz at its pitch, so it cannot alias; it is
read by a phase of 32 bits, which overflows once a cycle: pitches are exact to 0.00001 Hz however long the note. Knows
nothing of voices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from generator.render.timing import SAMPLE_RATE

_TABLE_BITS = 12
_PHASE_BITS = 32
_REST_BITS = _PHASE_BITS - _TABLE_BITS
_SIZE = 1 << _TABLE_BITS
_TOP_HZ = 19000.0
_STRETCH = 1 << 17


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


def tables(shape: str | tuple[float, ...], hertz: Tensor) -> Tensor:
    """One cycle for every frequency [B] -> [B, 4096]."""
    limits = (_TOP_HZ / hertz.cpu()).floor().clamp(1, _SIZE // 4).long().tolist()
    return torch.stack([_cycle(shape, limit) for limit in limits]).to(hertz.device)


@lru_cache(maxsize=256)
def _cycle(shape: str | tuple[float, ...], harmonics: int) -> Tensor:
    """[4096]; notes share their numbers of harmonics."""
    levels = harmonic_levels(shape, harmonics)
    spectrum = torch.zeros(_SIZE // 2 + 1, dtype=torch.complex128)
    spectrum[1 : len(levels) + 1] = -0.5j * _SIZE * levels
    cycle: Tensor = torch.fft.irfft(spectrum, n=_SIZE)
    return cycle.float()


def _fixed(cycles: Tensor) -> Tensor:
    """Cycles as fixed-point phase: int32 that overflows once a cycle."""
    return (cycles.double() * 2.0**_PHASE_BITS).round().long().to(torch.int32)


def phase(hertz: Tensor, start: Tensor, length: int, bend: Tensor | None = None) -> Tensor:
    """Fixed-point phase [..., length] at frequencies [...], from `start` [...] cycles, bent by cycles [..., length]."""
    steps = torch.arange(length, device=hertz.device, dtype=torch.int32)
    out = (_fixed(hertz / SAMPLE_RATE)[..., None] * steps).add_(_fixed(start)[..., None])
    return out if bend is None else out.add_(_bent(bend))


def _bent(cycles: Tensor) -> Tensor:
    """Float32 cycles as fixed-point phase."""
    return (torch.frac(cycles) * 2.0**24).to(torch.int32) << (_PHASE_BITS - 24)


def cycles(fixed: Tensor) -> Tensor:
    """Fixed-point phase to float32 cycles in [-0.5, 0.5)."""
    return (fixed >> (_PHASE_BITS - 24)).float().mul_(2.0**-24)


def sine(hertz: Tensor, start: Tensor, length: int) -> Tensor:
    """Pure tones [B, length]."""
    return cycles(phase(hertz, start, length)).mul_(2 * math.pi).sin_()


class _Tables:
    """Waves [W, 4096], turned by half a cycle: fixed-point phases are signed."""

    def __init__(self, waves: Tensor) -> None:
        self._here = torch.roll(waves, _SIZE // 2, dims=1).flatten()
        rise = torch.roll(waves, _SIZE // 2 - 1, dims=1).flatten() - self._here
        self._rise = rise.mul_(2.0**-_REST_BITS)

    def read(self, which: Tensor, fixed: Tensor) -> Tensor:
        """The tables `which` [...] at phases [..., n], with straight lines between their points."""
        first = which.to(torch.int32).mul_(_SIZE).add_(_SIZE // 2)
        index = (fixed >> _REST_BITS).add_(first[..., None]).flatten()
        rest = fixed.bitwise_and((1 << _REST_BITS) - 1).to(self._here.dtype)
        here, rise = (table.index_select(0, index).view(rest.shape) for table in (self._here, self._rise))
        return here.addcmul_(rise, rest)


def chorus(
    waves: Tensor, which: Sequence[int], hertz: Tensor, start: Tensor, levels: Tensor, length: int,
    bend: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Oscillators [B, V] mixed by `levels` [sides, V], in stretches that fit the cache. -> [B, sides, length]

    Every note has tables `waves` [B, W, 4096], of which its oscillators read `which` [V]; they start at `start` [B, V]
    cycles and are bent together by `bend` [B, length] cycles.
    """
    device, (notes, voices) = hertz.device, hertz.shape
    tables = _Tables(waves.flatten(0, 1))
    row = torch.arange(notes, device=device)[:, None] * waves.shape[1] + torch.tensor(which, device=device)
    mixing = levels.expand(notes, -1, -1)
    out = torch.empty(notes, len(levels), length, device=device)
    stretch = max(_STRETCH // (notes * voices), 1) if device.type == "cpu" else length
    advance, first = _fixed(hertz / SAMPLE_RATE), _fixed(start)
    steady = advance[..., None] * torch.arange(min(stretch, length), device=device, dtype=torch.int32)
    for at in range(0, length, stretch):
        count = min(stretch, length - at)
        fixed = steady[..., :count] + (first + advance * at)[..., None]
        if bend is not None:
            fixed += _bent(bend[:, None, at : at + count])
        torch.bmm(mixing, tables.read(row, fixed), out=out[..., at : at + count])
    return out
