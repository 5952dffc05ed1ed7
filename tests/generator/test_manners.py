"""Takes differ as tunes by people do, and each keeps to its manner."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from generator.manners import KINDS, draw_manner
from generator.model import tokens
from generator.model.rules import Rules
from generator.model.steering import MOVES, TONES, Manner, move_of, tone_of
from generator.model.tasks import Request, write
from generator.model.tokens import DURATIONS, PLACES, Controls, Frame
from generator.model.transformer import Composer, Config
from generator.seeds import stream


@pytest.fixture(scope="module")
def untrained() -> Composer:
    torch.manual_seed(3)
    return Composer(Config(len(tokens.VOCABULARY), context=1536, width=32, layers=1, heads=2, hidden=64)).eval()


def _shares(length: int, **liked: float) -> tuple[float, ...]:
    rest = (1 - sum(liked.values())) / (length - len(liked))
    return tuple(liked.get(f"at{index}", rest) for index in range(length))


def _notes(model: Composer, manner: Manner | None):
    rules = Rules(bars=16, bar_steps=48, max_hold=16, max_repeats=16, max_rest=16)
    controls = Controls("major", "4/4", kind="song")
    (bars,) = write(model, Request(controls, rules, Frame(0, 60), manner=manner), [5])
    return [note for bar in bars for note in bar.melody]


def test_a_take_keeps_to_its_manner_even_when_the_model_has_learned_nothing(untrained):
    quarter = DURATIONS.index(12)
    manner = Manner(
        _shares(len(PLACES), at0=0.9), _shares(len(DURATIONS), **{f"at{quarter}": 0.8}),
        _shares(MOVES, at0=0.1, at1=0.35, at2=0.35), _shares(TONES, at0=0.9),
    )  # fmt: skip
    free, kept = _notes(untrained, None), _notes(untrained, manner)
    for name, hits in (
        ("on the beat", lambda notes: np.mean([note.pos % 12 == 0 for note in notes])),
        ("quarters", lambda notes: np.mean([note.dur == 12 for note in notes])),
        ("steps", lambda notes: np.mean([0 < abs(b.pitch - a.pitch) <= 2 for a, b in pairwise(notes)])),
    ):
        assert hits(kept) > 1.5 * hits(free), name


@pytest.mark.parametrize("kind", [*KINDS, "groove"])
def test_manners_are_shares_and_differ_from_take_to_take(kind):
    drawn = [draw_manner(kind, 1.0, stream(seed, "manner")) for seed in range(12)]
    for manner in drawn:
        for shares in (manner.places, manner.durations, manner.moves, manner.tones):
            assert sum(shares) == pytest.approx(1.0, abs=0.02)
            assert min(shares) >= 0
    assert len(Counter(manner.durations for manner in drawn)) > 6
    assert drawn[0] == draw_manner(kind, 1.0, stream(0, "manner"))


def test_dense_music_has_shorter_notes():
    def mean_length(density: float) -> float:
        drawn = [draw_manner("song", density, stream(seed, "manner")) for seed in range(40)]
        return float(np.mean([np.array(manner.durations) @ DURATIONS for manner in drawn]))

    assert mean_length(0.6) > 1.4 * mean_length(1.8)


def test_moves_and_tones_are_told_apart():
    assert [move_of(m) for m in (0, 1, -2, 3, -4, 5, -7, 8, -12)] == list(range(MOVES))
    over_g7 = (7, "7")
    assert [tone_of(pitch, over_g7, "major") for pitch in (11, -5, 0, 6)] == [0, 0, 2, 3]
    assert tone_of(10, (0, "m"), "minor") == tone_of(11, (0, "m"), "minor") == 2
    assert tone_of(6, (2, "7"), "major") == 1, "the leading tone of a secondary dominant"
