"""How the energy of audio is spread from low to high."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BANDS_HZ = {
    "sub": (20.0, 60.0), "bass": (60.0, 250.0), "low_mid": (250.0, 500.0), "mid": (500.0, 2000.0),
    "presence": (2000.0, 6000.0), "air": (6000.0, 20000.0),
}  # fmt: skip
FLOOR_DB = -120.0
_WINDOW = 4096


def spectral_balance(audio: Tensor, rate: int) -> dict[str, float]:
    """Energy of every band of BANDS_HZ in dB against that of all of them; FLOOR_DB where there is none."""
    mono = audio.mean(0) if audio.dim() == 2 else audio
    mono = torch.nn.functional.pad(mono, (0, max(0, _WINDOW - mono.shape[-1])))
    window = torch.hann_window(_WINDOW, device=mono.device)
    parts = torch.stft(mono, _WINDOW, _WINDOW // 2, window=window, return_complex=True)
    power = parts.abs().double().pow(2).mean(-1)
    hertz = torch.fft.rfftfreq(_WINDOW, 1 / rate, device=mono.device)
    energy = {name: float(power[(hertz >= low) & (hertz < high)].sum()) for name, (low, high) in BANDS_HZ.items()}
    whole = sum(energy.values())
    return {name: _db(value / whole) if whole > 0 else FLOOR_DB for name, value in energy.items()}


def _db(ratio: float) -> float:
    return max(10 * math.log10(ratio), FLOOR_DB) if ratio > 0 else FLOOR_DB
