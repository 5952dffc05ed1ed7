"""The sound of a worn record: a bed of hiss, rumble and seeded crackle. Used as an instrument and by the bus."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from generator.render.filters import samples
from generator.render.timing import SAMPLE_RATE
from generator.seeds import stream


def record_noise(length: int, *, seed: int, name: str, device: torch.device) -> Tensor:
    """Stereo record noise [2, length] of about -30 dB peak-to-full-scale clicks over a -60 dB bed.

    The bed is drawn as a random spectrum; clicks fall at random, loud ones rarely, each ringing for under 1 ms.
    """
    random = stream(seed, name)
    size = next_fast_len(length + 64, real=True)
    hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=device)
    # Surface noise falls by 3 dB an octave from 60 Hz; what lies below is the rumble of the motor.
    shape = (hertz > 20.0) / torch.sqrt(hertz.clamp(min=60.0) / 1000.0) / (1 + (hertz / 9000.0) ** 4)
    white = torch.from_numpy(random.standard_normal((2, size), dtype=np.float32)).to(device)
    bed = samples(torch.fft.rfft(white) * shape, size, length)
    bed = bed * (0.0008 / bed.std().clamp(min=1e-12))
    clicks = np.zeros((2, length), np.float32)
    count = random.poisson(length / SAMPLE_RATE * 14.0)
    where = random.integers(0, length, count)
    loud = 0.028 * random.pareto(2.6, count).clip(0, 3.0) * random.choice([-1.0, 1.0], count)
    lean = random.uniform(0.3, 0.7, count)
    np.add.at(clicks[0], where, loud * lean)
    np.add.at(clicks[1], where, loud * (1 - lean))
    ring = np.arange(40)
    tick = torch.from_numpy((np.exp(-ring / 7.0) * np.cos(ring * 0.55)).astype(np.float32)).to(device)
    answer = torch.fft.rfft(tick, n=size)
    return bed + samples(torch.fft.rfft(torch.from_numpy(clicks).to(device), n=size) * answer, size, length)
