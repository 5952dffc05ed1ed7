"""How generated music is set beside human music: the distances, the classifier and the bands say what is so."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.musical import gaps, repetition_bands, style_recovery
from generator.corpus.piece import Bar, GridChord, GridNote

BAR = 48


def sample(label, seed):
    """Marches repeat two bars of quarter notes on triads; waltzing airs wander in eighths on seventh chords."""
    rng = np.random.default_rng(seed)
    step, quality, ideas = (12, "", 2) if label == "march" else (6, "m7", 12)
    scale = (60, 62, 64, 65, 67, 69, 71) if label == "march" else tuple(range(60, 72))
    bars = [[int(rng.choice(scale)) for _ in range(BAR // step)] for _ in range(ideas)]
    return label, [
        Bar(
            chords=(GridChord(0, 0, quality),),
            melody=tuple(GridNote(i * step, step, pitch) for i, pitch in enumerate(bars[int(rng.integers(ideas))])),
        )
        for _ in range(16)
    ], BAR  # fmt: skip


def samples(label, first, count):
    return [sample(label, seed) for seed in range(first, first + count)]


def test_the_gap_is_small_for_the_same_kind_and_large_for_another():
    human = samples("march", 0, 40)
    same = {row["measure"]: row["gap"] for row in gaps(samples("march", 100, 40), human).rows}
    other = {row["measure"]: row["gap"] for row in gaps(samples("air", 100, 40), human).rows}
    assert all(same[measure] < other[measure] for measure in same if "groove" not in measure)
    assert same["scale consistency, %"] == 0.0


def test_a_classifier_of_human_pieces_names_generated_ones():
    training = [*samples("march", 0, 30), *samples("air", 50, 30), *samples("rare", 0, 3)]
    held_out = [*samples("march", 200, 5), *samples("air", 250, 5)]
    found = style_recovery(training, held_out, [*samples("march", 300, 5), *samples("air", 350, 5)])
    assert found.human == found.generated == found.relative == 1.0
    assert set(found.recalls) == {"march", "air"}
    mistaken = [("march", bars, steps) for _, bars, steps in samples("air", 400, 5)]
    assert style_recovery(training, held_out, mistaken).generated == 0.0
    with pytest.raises(ValueError, match="two labels"):
        style_recovery(samples("march", 0, 30), held_out, held_out)


def test_bands_hold_most_of_their_own_kind_and_none_of_another():
    human = samples("march", 0, 60)
    own = repetition_bands(samples("march", 100, 60), human).rows
    wandering = [("march", bars, steps) for _, bars, steps in samples("air", 100, 60)]
    other = repetition_bands(wandering, human).rows
    assert np.mean([row["inside"] for row in own]) > 70
    assert next(row["inside"] for row in other if row["statistic"] == "bars that return") < 20
    assert repetition_bands(samples("march", 0, 5), samples("march", 0, 5)).rows == []
