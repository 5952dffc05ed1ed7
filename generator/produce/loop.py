"""Music that goes round: what rings over the end is heard at the beginning again.

A stem's tail is folded onto its beginning, which makes it periodic. Whatever remembers (room, echo, compressor,
limiter) then works on three rounds, and the middle one is kept: it begins in the state in which it ends.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from generator.produce.master import master
from generator.produce.mix import Mix, mix
from generator.produce.settings import Channel, Master
from generator.render.timing import SAMPLE_RATE

_ROUNDS = 3


def mix_round(
    stems: Mapping[str, Tensor],
    roles: Mapping[str, str],
    channels: Mapping[str, Channel],
    settings: Master,
    *,
    length_s: float,
    seed: int,
    tempo_bpm: float,
) -> Mix:
    """As `mix.mix`, of one round of `length_s`; the worn tape runs evenly, since its drift would not come round."""
    length = round(length_s * SAMPLE_RATE)
    going = {name: _rounds(fold(stem, length)) for name, stem in stems.items()}
    even = settings.model_copy(update={"wow": 0.0})
    mixed = mix(going, roles, channels, even, seed=seed, tempo_bpm=tempo_bpm)
    kept = {name: _middle(stem, length) for name, stem in mixed.stems.items()}
    return Mix(_middle(mixed.bus, length), kept, mixed.levels, mixed.silent)


def master_round(bus: Tensor, settings: Master) -> Tensor:
    """As `master.master`, of one round."""
    return _middle(master(_rounds(bus), settings), bus.shape[-1])


def fold(stem: Tensor, length: int) -> Tensor:
    """[2, n] -> [2, length]: everything after `length` samples sounds at the beginning as well."""
    folded = torch.zeros(stem.shape[0], length, device=stem.device)
    for start in range(0, stem.shape[-1], length):
        piece = stem[:, start : start + length]
        folded[:, : piece.shape[-1]] += piece
    return folded


def _rounds(sound: Tensor) -> Tensor:
    return sound.repeat(1, _ROUNDS)


def _middle(sound: Tensor, length: int) -> Tensor:
    return sound[:, length : 2 * length].clone()
