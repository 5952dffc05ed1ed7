"""The sound of a worn record: a bed of hiss, rumble and seeded crackle. Used as an instrument and by the bus."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from generator import blocks
from generator.render.timing import SAMPLE_RATE
from generator.seeds import stream


def record_noise(length: int, *, seed: int, name: str, device: torch.device) -> Tensor:
    """Stereo record noise [2, length] of about -30 dB peak-to-full-scale clicks over a -60 dB bed.

    The bed is drawn as a random spectrum; clicks fall at random, loud ones rarely, each ringing for under 1 ms.
    """
    random = stream(seed, name)
    hertz = blocks.frequencies(SAMPLE_RATE, device)
    # Surface noise falls by 3 dB an octave from 60 Hz; what lies below is the rumble of the motor.
    shape = (hertz > 20.0) / torch.sqrt(hertz.clamp(min=60.0) / 1000.0) / (1 + (hertz / 9000.0) ** 4)
    white = torch.from_numpy(random.standard_normal((2, length), dtype=np.float32)).to(device)
    noise = blocks.filtered(white, lambda spectra: spectra.mul_(shape))
    noise.mul_(0.0008 / max(float(torch.linalg.vector_norm(noise)) / (2 * length) ** 0.5, 1e-12))
    count = random.poisson(length / SAMPLE_RATE * 14.0)
    where = random.integers(0, length, count)
    loud = 0.028 * random.pareto(2.6, count).clip(0, 3.0) * random.choice([-1.0, 1.0], count)
    lean = random.uniform(0.3, 0.7, count)
    ring = np.arange(40)
    tick = np.exp(-ring / 7.0) * np.cos(ring * 0.55)
    clicks = np.zeros((2, length + len(ring)), np.float32)
    for side, share in enumerate((lean, 1 - lean)):
        np.add.at(clicks[side], where[:, None] + ring, (loud * share)[:, None] * tick)
    return noise.add_(torch.from_numpy(clicks[:, :length]).to(device))
