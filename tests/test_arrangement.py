"""The numbers of the `arrange` table: what they find, and where they stand still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.arrangement import (
    aligned,
    arousal_cues,
    composite,
    faults,
    groove_likeness,
    groove_of_score,
    most_at_once,
    nearest_centroid,
    style_features,
    tune_likeness,
    tune_of_score,
    valence_cues,
)
from generator.edit.mood import calmer, more_energetic
from generator.edit.shape import transpose
from generator.produce.contact_sheet import contact_sheet
from generator.score import PPQ, Chord, Note
from tests.generator.scores import band, scale


def test_what_cannot_be_played_is_found():
    assert faults(band()) == []
    piano = band().parts[0]
    low = replace(piano, instrument="flute", notes=(Note(0, PPQ, 40),))
    many = replace(piano, name="chord", notes=(Note(0, PPQ, 60), Note(0, PPQ, 64), Note(0, PPQ, 67), Note(0, 9, 70)),
                   instrument="flute")  # fmt: skip
    silent = replace(piano, name="nobody", notes=())
    found = faults(replace(band(), parts=(low, many, silent)))
    assert [text.split(" ", 1)[0] for text in found] == ["melody", "chord", "nobody"]
    assert "range" in found[0]
    assert "at once" in found[1]
    assert "silent" in found[2]


def test_notes_that_follow_each_other_do_not_sound_together():
    assert most_at_once((Note(0, 10, 60), Note(10, 10, 60), Note(15, 10, 64))) == 2


def test_features_do_not_change_with_the_key():
    assert np.allclose(style_features(band()), style_features(transpose(band(), 1)), atol=0.2)


def test_a_label_is_named_by_its_nearest_mean():
    rng = np.random.default_rng(1)
    learned = [(label, rng.normal(centre, 1.0, 4)) for label, centre in (("a", 0.0), ("b", 6.0)) for _ in range(9)]
    assert nearest_centroid(learned, [np.zeros(4), np.full(4, 6.0)]) == ["a", "b"]


def test_a_foreign_set_is_moved_to_where_ours_lies():
    own = [("a", np.array([0.0, 0.0])), ("b", np.array([2.0, 0.0]))]
    foreign = [("a", np.array([5.0, 9.0])), ("b", np.array([7.0, 9.0])), ("c", np.array([9.0, 9.0]))]
    assert [(label, *row) for label, row in aligned(foreign, own)] == [("a", 0, 0), ("b", 2, 0), ("c", 4, 0)]
    assert aligned(foreign, []) == foreign


def test_moods_are_measured_in_their_direction():
    cues = [arousal_cues(score) for score in (calmer(band()), band(), more_energetic(band()))]
    assert list(np.argsort(composite(cues))) == [0, 1, 2]
    plain = tuple(replace(chord, quality="") for chord in band().chords)
    rough = tuple(replace(chord, quality="maj9") for chord in band().chords)
    sweet, sour = (valence_cues(replace(band(), chords=chords)) for chords in (plain, rough))
    assert sweet[2] > sour[2]
    assert valence_cues(scale())[0] > valence_cues(band())[0]


def test_likeness_is_one_for_itself_and_none_for_another():
    tune = tune_of_score(band().parts[0])
    assert tune_likeness(tune, tune) == 1.0
    moved = tune_of_score(transpose(band(), 2).parts[0])
    assert tune_likeness(tune, moved) == 1.0, "in another key it is the same tune"
    assert tune_likeness(tune, tune_of_score(scale().parts[0])) == 0.0
    groove = groove_of_score(band())
    assert groove_likeness(groove, groove) == pytest.approx(1.0)
    assert groove_likeness(groove, np.zeros_like(groove)) == 0.0


def test_a_contact_sheet_is_small_and_shows_every_piece(tmp_path):
    pieces = [(f"Style {index}", replace(band(), chords=(Chord(0, PPQ, 0, ""),))) for index in range(5)]
    contact_sheet(pieces, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size < 400_000
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width > 1500
        assert len(image.convert("RGB").getcolors(100_000) or ()) > 8
