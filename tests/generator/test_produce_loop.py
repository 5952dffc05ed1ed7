"""A loop has no seam: played round and round, nobody hears where it begins."""

from __future__ import annotations

import math

import torch

from generator.produce.loop import fold, master_round, mix_round
from generator.produce.mix import mix
from generator.produce.settings import Channel, Master
from generator.render.timing import SAMPLE_RATE

LENGTH_S = 4.0
LENGTH = round(LENGTH_S * SAMPLE_RATE)
SETTINGS = Master(reverb_s=1.5, glue=0.6, drive=0.3, wow=0.5)
CHANNELS = {"pad": Channel(reverb=0.4, delay=0.2), "drums": Channel(reverb=0.1)}


def _stems() -> dict[str, torch.Tensor]:
    """A tone that is held over the end, and a knock shortly before it whose room is heard after it."""
    time = torch.arange(LENGTH + SAMPLE_RATE) / SAMPLE_RATE
    held = torch.sin(2 * math.pi * 441 * time) * (time < LENGTH_S)
    knock = torch.randn(len(time), generator=torch.Generator().manual_seed(1))
    knock = knock * torch.exp(-(time - 3.9).clamp(min=0) * 60) * (time >= 3.9)
    return {"pad": 0.3 * held.repeat(2, 1), "drums": 0.5 * knock.repeat(2, 1)}


def test_the_end_joins_the_beginning():
    roles = {"pad": "pad", "drums": "drums"}
    mixed = mix_round(_stems(), roles, CHANNELS, SETTINGS, length_s=LENGTH_S, seed=1, tempo_bpm=120)
    loop = master_round(mixed.bus, SETTINGS)
    assert loop.shape == (2, LENGTH)
    torch.testing.assert_close(sum(mixed.stems.values()), mixed.bus, atol=1e-5, rtol=0)

    steps = loop.diff(dim=1).abs()
    quiet = steps[:, SAMPLE_RATE : 3 * SAMPLE_RATE].max()
    seam = (loop[:, 0] - loop[:, -1]).abs().max()
    assert seam <= 1.5 * quiet, "no click"

    def level(sound: torch.Tensor) -> float:
        return float(sound.pow(2).mean().sqrt())

    before, after = level(loop[:, -SAMPLE_RATE // 50 :]), level(loop[:, : SAMPLE_RATE // 50])
    assert 0.6 < after / before < 1.4, "no fade and no gap"
    plain = mix(_stems(), roles, CHANNELS, SETTINGS, seed=1, tempo_bpm=120).bus
    assert level(plain[:, -SAMPLE_RATE // 50 :]) < 0.05 * level(plain[:, SAMPLE_RATE : 2 * SAMPLE_RATE])


def test_what_rings_over_the_end_is_folded_onto_the_beginning():
    stem = torch.zeros(2, 25)
    stem[:, 9], stem[:, 10], stem[:, 21] = 1.0, 2.0, 4.0
    folded = fold(stem, 10)
    assert folded.shape == (2, 10)
    assert folded[0].nonzero().flatten().tolist() == [0, 1, 9]
    assert folded[0, [0, 1, 9]].tolist() == [2.0, 4.0, 1.0]
