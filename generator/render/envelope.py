"""Loudness curves of notes, computed for whole batches at a control rate and drawn out to samples."""

from __future__ import annotations

import torch
from torch import Tensor

from generator.render import bend
from generator.render.timing import SAMPLE_RATE

STEP = bend.STEP
"""Samples between the points of a curve (0.36 ms)."""
FLOOR_DB = -96.0


def points(length: int, device: torch.device) -> Tensor:
    """Times in seconds of the control points that cover `length` samples; the last lies at or after the end."""
    count = -(-length // STEP) + 1
    return torch.arange(count, device=device, dtype=torch.float32) * (STEP / SAMPLE_RATE)


def draw(curve: Tensor, length: int) -> Tensor:
    """Straight lines through control points [..., count]: samples [..., length]. A matrix product is the fastest way to
    write so many short lines."""
    ramp = torch.arange(STEP, device=curve.device, dtype=curve.dtype) / STEP
    lines = torch.stack([curve[..., :-1], curve.diff(dim=-1)], -1) @ torch.stack([torch.ones_like(ramp), ramp])
    return lines.flatten(-2)[..., :length]


def decibels(
    times: Tensor, *, hold_s: Tensor, decay_s: Tensor, sustain_db: Tensor, off_s: Tensor, release_s: Tensor
) -> Tensor:
    """Level in dB at `times` [T] for rows of parameters [B]: hold at 0, fall to `sustain_db`, released at `off_s`.

    As in a SoundFont, `decay_s` and `release_s` are the times for a fall of 96 dB. -> [B, T]
    """
    level = ((hold_s[:, None] - times) * (-FLOOR_DB / decay_s[:, None])).clamp(max=0.0)
    level = torch.maximum(level, sustain_db[:, None])
    return level + ((off_s[:, None] - times) * (-FLOOR_DB / release_s[:, None])).clamp(max=0.0)


def amplitude(level_db: Tensor, times: Tensor, delay_s: Tensor, attack_s: Tensor) -> Tensor:
    """Linear gain of levels [B, T], with a straight attack after a delay; nothing below -96 dB sounds. -> [B, T]"""
    rise = ((times - delay_s[:, None]) / attack_s[:, None]).clamp(0.0, 1.0)
    gain = torch.exp2(level_db * 0.16609640474)  # 1 dB = log2(10) / 20 octaves of amplitude
    return torch.where(level_db > FLOOR_DB, gain, 0.0) * rise
