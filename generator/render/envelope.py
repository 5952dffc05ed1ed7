"""Loudness curves of notes, computed for whole batches at a control rate and drawn out to samples."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from generator.render import bend
from generator.render.timing import SAMPLE_RATE

STEP = bend.STEP
"""Samples between the points of a curve (0.36 ms)."""
FLOOR_DB = -96.0
_OCTAVES_PER_DB = math.log2(10) / 20


def points(length: int, device: torch.device) -> Tensor:
    """Times in seconds of the control points that cover `length` samples; the last lies at or after the end."""
    count = -(-length // STEP) + 1
    return torch.arange(count, device=device, dtype=torch.float32) * (STEP / SAMPLE_RATE)


def draw(curve: Tensor, length: int) -> Tensor:
    """Straight lines through control points [..., count]: samples [..., length]. A matrix product is the fastest way to
    write so many short lines."""
    starts, ends = curve[..., :-1], curve[..., 1:]
    lines = curve.new_empty(*starts.shape, 2)
    lines[..., 0] = starts
    torch.sub(ends, starts, out=lines[..., 1])
    return (lines @ _ramp(curve.dtype, curve.device)).flatten(-2)[..., :length]


@cache
def _ramp(dtype: torch.dtype, device: torch.device) -> Tensor:
    """What a line's start and its rise add at each of its samples [2, STEP]."""
    share = torch.arange(STEP, device=device, dtype=dtype) / STEP
    return torch.stack([torch.ones_like(share), share])


def decibels(
    times: Tensor, *, hold_s: Tensor, decay_s: Tensor, sustain_db: Tensor, off_s: Tensor, release_s: Tensor
) -> Tensor:
    """Level in dB at `times` [T] for rows of parameters [B]: hold at 0, fall to `sustain_db`, released at `off_s`.

    As in a SoundFont, `decay_s` and `release_s` are the times for a fall of 96 dB. -> [B, T]
    """
    level = _falling(times, hold_s, decay_s).maximum(sustain_db[:, None])
    return level.add_(_falling(times, off_s, release_s))


def _falling(times: Tensor, begin_s: Tensor, length_s: Tensor) -> Tensor:
    """0 dB until `begin_s`, then down by 96 dB in every `length_s`. -> [B, T]"""
    return (begin_s[:, None] - times).mul_(length_s.reciprocal().mul_(-FLOOR_DB)[:, None]).clamp_(max=0.0)


def amplitude(level_db: Tensor, times: Tensor, delay_s: Tensor, attack_s: Tensor) -> Tensor:
    """Linear gain of levels [B, T], with a straight attack after a delay; nothing below -96 dB sounds. -> [B, T]"""
    rise = (times - delay_s[:, None]).div_(attack_s[:, None]).clamp_(0.0, 1.0)
    heard = torch.nn.functional.threshold(level_db, FLOOR_DB, -math.inf)
    return heard.mul_(_OCTAVES_PER_DB).exp2_().mul_(rise)
