"""Third octaves: how much of a sound lies in each, and gains per third octave as a filter's response."""

from __future__ import annotations

import torch
from torch import Tensor

COUNT = 24
LOWEST_HZ = 62.5


def centres(device: torch.device) -> Tensor:
    """Middle frequencies in Hz [COUNT], from 62.5 Hz to 12.7 kHz."""
    return LOWEST_HZ * 2 ** (torch.arange(COUNT, device=device) / 3)


def levels(power: Tensor, hertz: Tensor) -> Tensor:
    """Power of a spectrum [bins] in every third octave, in dB [COUNT]."""
    middle = centres(hertz.device)
    edges = torch.searchsorted(hertz, torch.stack([middle * 2 ** (-1 / 6), middle * 2 ** (1 / 6)]))
    total = torch.cat([power.new_zeros(1).double(), power.double().cumsum(0)])
    return 10 * torch.log10((total[edges[1]] - total[edges[0]]).clamp(min=1e-12)).float()


def smoothed(gains_db: Tensor) -> Tensor:
    """Gains [COUNT] evened out between neighbours, so that the filter stays short."""
    kernel = torch.tensor([0.25, 0.5, 0.25], device=gains_db.device)
    held = torch.nn.functional.pad(gains_db[None, None], (1, 1), mode="replicate")
    return torch.nn.functional.conv1d(held, kernel[None, None])[0, 0]


def response(gains_db: Tensor, hertz: Tensor) -> Tensor:
    """Gains in dB [COUNT] as a zero-phase response [bins], straight lines between the bands."""
    place = (torch.log2(hertz.clamp(min=1.0) / LOWEST_HZ) * 3).clamp(0, COUNT - 1.001)
    lower = place.floor().long()
    drawn = gains_db[lower] + (gains_db[lower + 1] - gains_db[lower]) * (place - lower)
    return torch.pow(10.0, drawn / 20)
