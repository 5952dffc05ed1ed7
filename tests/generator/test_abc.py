"""ABC: our scores survive it, and tunes as people write them sound as they should."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from generator.brief import Key
from generator.errors import NotationError
from generator.notation.abc import write_abc
from generator.notation.abc_in import parse_abc, read_abc
from generator.notation.page import written
from generator.score import PPQ, Meter, Score
from tests.generator.scores import band, scores

EIGHTH = PPQ // 2


def without_velocities(score: Score) -> Score:
    """What ABC can say."""
    from dataclasses import replace

    parts = tuple(replace(part, notes=tuple(replace(note, velocity=80) for note in part.notes)) for part in score.parts)
    return replace(score, parts=parts)


@settings(deadline=None, max_examples=100)
@given(score=scores())
def test_a_score_survives_abc(tmp_path_factory, score):
    path = tmp_path_factory.mktemp("abc") / "piece.abc"
    write_abc(score, path)
    assert read_abc(path) == without_velocities(written(score))


@pytest.mark.filterwarnings("ignore")  # of music21, at directives and names it has no use for
def test_music21_reads_our_voices_chords_and_words(tmp_path):
    import music21

    write_abc(band(), tmp_path / "band.abc")
    read = music21.converter.parse(tmp_path / "band.abc", format="abc", forceSource=True)
    assert len(read.parts) == 3
    pitches = [note.pitch.midi for note in read.parts[0].recurse().notes if isinstance(note, music21.note.Note)]
    assert pitches == [note.pitch for note in band().parts[0].notes]
    symbols = list(read.recurse().getElementsByClass(music21.harmony.ChordSymbol))
    assert [symbol.root().pitchClass for symbol in symbols] == [chord.root for chord in band().chords]


def notes(text: str) -> list[tuple[int, int, int]]:
    """(onset, duration, pitch) in eighths."""
    score = parse_abc(text)
    return [(n.onset / EIGHTH, n.duration / EIGHTH, n.pitch) for part in score.parts for n in part.notes]


def test_a_fiddle_tune_is_read_as_it_is_played():
    score = parse_abc(
        "X:1\nT:The Test\nM:6/8\nL:1/8\nQ:3/8=80\nK:Edor\n"
        'B | "Em"E2F G2A |1 "D"d3 d2 :|2 "D7/F#"D6 |]\n'
        "w: Oh | come and Ma-ry | now now | home\n"
    )
    assert (score.title, score.meter, score.tempo_bpm, score.bars) == ("The Test", Meter(6, 8), 120.0, 5)
    assert score.key in {Key(4, "minor"), Key(2, "major"), Key(11, "minor")}
    pitches = [note.pitch for note in score.parts[0].notes]
    assert pitches == [71, 64, 66, 67, 69, 74, 74, 71, 64, 66, 67, 69, 62]
    assert [(c.root, c.quality, c.bass) for c in score.chords] == [
        (4, "m", None), (2, "", None), (4, "m", None), (2, "7", 6),
    ]  # fmt: skip
    assert [note.lyric for note in score.parts[0].notes[:7]] == ["Oh", "come", "and", "Ma-", "ry", "now", "now"]


HEAD = "X:1\nM:4/4\nL:1/8\nK:C\n"


@pytest.mark.parametrize(
    ("music", "sounds"),
    [
        ("(3CDE C>D z2", [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 1.5, 60), (3.5, 0.5, 62)]),
        ("[CEG]4- [CEG]4", [(0, 8, 60), (0, 8, 64), (0, 8, 67)]),
        ("C8- | C8", [(0, 16, 60)]),
        ("^F2 F2 =F2 F,2|F8", [(0, 2, 66), (2, 2, 66), (4, 2, 65), (6, 2, 53), (8, 8, 65)]),
        ("C/ D// E3/2 {g}!trill!c2", [(0, 0.5, 60), (0.5, 0.25, 62), (0.75, 1.5, 64), (2.25, 2, 72)]),
        ("|: C8 :|", [(0, 8, 60), (8, 8, 60)]),
        ("|: C8 |1 D8 :|2 E8 |] F8", [(0, 8, 60), (8, 8, 62), (16, 8, 60), (24, 8, 64), (32, 8, 65)]),
        ("C8 :: D8 :|", [(0, 8, 60), (8, 8, 60), (16, 8, 62), (24, 8, 62)]),
        ("Z2 | C8", [(16, 8, 60)]),
        ("C2 | D8", [(6, 2, 60), (8, 8, 62)]),
    ],
)
def test_marks_mean_what_they_say(music, sounds):
    assert [value for note in notes(HEAD + music) for value in note] == pytest.approx([v for n in sounds for v in n])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no notes"),
        ("X:1\nK:C\n", "no notes"),
        (HEAD + "C9999", "longer than its metre"),
        (HEAD + "C8 | [M:3/4] C6", "keeps one metre"),
        (HEAD + "C4 & E4", "own V: field"),
        (HEAD + "Z2000 | " * 50, "at most 2000"),
        ("X:1\nL:1/0\nK:C\nC", "not ABC"),
        ("X:1\nM:5/7\nK:C\nC", "metre that cannot be played"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(NotationError, match=sentence):
        parse_abc(text)
