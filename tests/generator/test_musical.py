"""The measures of written music, with MusPy as the oracle of those it defines."""

from __future__ import annotations

import math

import muspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.corpus.piece import Bar, GridChord, GridNote
from generator.measure.musical import (
    chord_complexity,
    compression_ratio,
    density,
    groove_consistency,
    notes_of,
    pitch_class_entropy,
    repetition,
    scale_consistency,
    syncopation,
)

BAR = 48
triples = st.tuples(st.integers(0, 600), st.integers(1, 96), st.integers(21, 108))
pieces = st.lists(triples, min_size=1, max_size=60)


def as_muspy(notes):
    music = muspy.Music(resolution=12, tracks=[muspy.Track()])
    music.tracks[0].notes = [muspy.Note(time=onset, duration=duration, pitch=pitch) for onset, duration, pitch in notes]
    return music


def tune(*pitches_of_bars):
    """Bars of quarter notes."""
    return [
        Bar(melody=tuple(GridNote(12 * i, 12, pitch) for i, pitch in enumerate(pitches))) for pitches in pitches_of_bars
    ]


@given(pieces)
def test_the_published_measures_are_those_of_muspy(notes):
    music = as_muspy(notes)
    assert pitch_class_entropy(notes) == pytest.approx(muspy.pitch_class_entropy(music), abs=1e-9)
    assert scale_consistency(notes) == pytest.approx(muspy.scale_consistency(music))
    assert groove_consistency(notes, BAR) == pytest.approx(muspy.groove_consistency(music, BAR), nan_ok=True)


def test_nothing_to_measure_is_nan():
    for value in (
        pitch_class_entropy([]), scale_consistency([]), groove_consistency([], BAR), compression_ratio([]),
        syncopation([]), chord_complexity([]), density([], 0, BAR), repetition([], BAR).exact,
    ):  # fmt: skip
        assert math.isnan(value)


def test_notes_count_from_the_first_bar_and_keep_to_their_parts():
    bars = [Bar(bass=(GridNote(0, 48, 36),)), Bar(melody=(GridNote(6, 12, 72),), bass=(GridNote(0, 48, 38),))]
    assert notes_of(bars, BAR) == [(0, 48, 36), (48, 48, 38), (54, 12, 72)]
    assert notes_of(bars, BAR, ("melody",)) == [(54, 12, 72)]


def test_repetition_tells_a_copy_from_a_sequence_from_a_new_bar():
    copied = repetition(notes_of(tune((60, 62, 64, 65), (60, 62, 64, 65)), BAR), BAR)
    assert (copied.exact, copied.near, copied.rhythms, copied.lags[1]) == (1.0, 1.0, 1.0, 1.0)
    moved = repetition(notes_of(tune((60, 62, 64, 65), (67, 69, 71, 72)), BAR), BAR)
    assert (moved.exact, moved.near, moved.rhythms, moved.lags[1]) == (0.0, 1.0, 1.0, 0.0)
    varied = repetition(notes_of(tune((60, 62, 64, 65), (60, 62, 64, 71)), BAR), BAR)
    assert (varied.exact, varied.near, varied.lags[1]) == (0.0, 1.0, 0.75)
    other = repetition(notes_of(tune((60, 62, 64, 65), (72, 61)), BAR), BAR)
    assert (other.exact, other.near, other.rhythms) == (0.0, 0.0, 0.0)


def test_repetition_at_a_distance():
    bars = tune((60, 62, 64, 65), (67, 60, 59, 55), (60, 62, 64, 65), (67, 60, 59, 55))
    measured = repetition(notes_of(bars, BAR), BAR)
    assert measured.exact == pytest.approx(2 / 3)
    assert measured.lags[2] == 1.0
    assert measured.lags[1] == 0.0
    assert math.isnan(measured.lags[4])


def test_a_song_of_one_bar_compresses_better_than_a_song_of_many():
    same = notes_of(tune(*[(60, 64, 67, 72)] * 16), BAR)
    different = notes_of(tune(*[(60 + i, 64 - i % 5, 67 + i % 7, 72 - i % 3) for i in range(16)]), BAR)
    assert compression_ratio(same) > 2 * compression_ratio(different) > 1.0


def test_density_syncopation_and_chords():
    notes = [(0, 12, 60), (0, 12, 64), (18, 12, 67)]
    assert density(notes, 1, BAR) == 0.5
    assert syncopation(notes) == pytest.approx(1 / 3)
    bars = [Bar(chords=(GridChord(0, 0, ""), GridChord(24, 7, "13")))]
    assert chord_complexity(bars) == 0.5
