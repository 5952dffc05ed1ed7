"""How the energy of audio is spread from low to high."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

BANDS_HZ = {
    "sub": (20.0, 60.0), "bass": (60.0, 250.0), "low_mid": (250.0, 500.0), "mid": (500.0, 2000.0),
    "presence": (2000.0, 6000.0), "air": (6000.0, 20000.0),
}  # fmt: skip
FLOOR_DB = -120.0
_WINDOW = 4096
_TOGETHER = 1 << 19  # samples


def frames(audio: Tensor, size: int, hop: int) -> Iterator[Tensor]:
    """Power spectra [frames, size // 2 + 1] of mono or the mean of [2, n], Hann-windowed and centred every `hop`
    samples, some hundred at a time: those of a long piece would fill the memory."""
    mono = audio.mean(0) if audio.dim() == 2 else audio
    mono = torch.nn.functional.pad(mono, (0, max(0, size - mono.shape[-1])))
    mono = torch.nn.functional.pad(mono[None], (size // 2, size // 2), mode="reflect")[0]
    window = torch.hann_window(size, device=mono.device)
    cut = mono.unfold(0, size, hop)
    together = max(_TOGETHER // size, 1)
    for at in range(0, len(cut), together):
        yield torch.view_as_real(torch.fft.rfft(cut[at : at + together] * window)).square().sum(-1)


def spectral_balance(audio: Tensor, rate: int) -> dict[str, float]:
    """Energy of every band of BANDS_HZ in dB against that of all of them; FLOOR_DB where there is none."""
    power = torch.zeros(_WINDOW // 2 + 1, dtype=torch.float64, device=audio.device)
    for some in frames(audio, _WINDOW, _WINDOW):
        power += some.sum(0)
    hertz = torch.fft.rfftfreq(_WINDOW, 1 / rate, device=audio.device)
    energy = {name: float(power[(hertz >= low) & (hertz < high)].sum()) for name, (low, high) in BANDS_HZ.items()}
    whole = sum(energy.values())
    return {name: _db(value / whole) if whole > 0 else FLOOR_DB for name, value in energy.items()}


def _db(ratio: float) -> float:
    return max(10 * math.log10(ratio), FLOOR_DB) if ratio > 0 else FLOOR_DB
