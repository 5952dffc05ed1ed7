"""Changes of a piece: each does what its name says and leaves everything else bit-identical."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.arrange.arrange import arrange
from generator.arrange.style import load_style
from generator.brief import Key
from generator.corpus.piece import GridChord, GridNote
from generator.edit import mood, music, shape
from generator.edit.lead import bars_of, lead_of, tune_of
from generator.errors import EditError
from generator.measure.attributes import measure_attributes
from generator.model import tokens
from generator.model.transformer import Composer, Config
from generator.perform import perform
from generator.plan import make_plan
from generator.render.instruments import INSTRUMENTS
from generator.score import PPQ, Chord, Note, Score
from tests.generator.leads import simple_lead
from tests.generator.scores import band, brief, scale, scores

BRIEF = brief("lofi", length_s=60.0, density=0.9)


@pytest.fixture(scope="module")
def model() -> Composer:
    torch.manual_seed(5)
    return Composer(Config(vocabulary=len(tokens.VOCABULARY), width=16, layers=1, heads=2, hidden=32, dropout=0)).eval()


@pytest.fixture(scope="module")
def piece() -> Score:
    """A whole arrangement, performed."""
    style = load_style("lofi")
    plan = make_plan(BRIEF, style)
    score = arrange(simple_lead(BRIEF, plan, style, 3), plan, BRIEF, style, "A Piece", 3)
    return perform(score, plan, BRIEF, style, 3)


def changed(before: Score, after: Score) -> set[str]:
    """The fields of the score that differ; parts by their names."""
    names = {f.name for f in fields(Score) if f.name != "parts" and getattr(before, f.name) != getattr(after, f.name)}
    left, right = ({part.name: part for part in score.parts} for score in (before, after))
    return names | {f"part {name}" for name in left.keys() | right.keys() if left.get(name) != right.get(name)}


def outside(score: Score, start: int, end: int) -> list[tuple[Note, ...]]:
    return [tuple(note for note in part.notes if not start <= note.onset < end) for part in score.parts]


# ---- without new music ------------------------------------------------------------------------------------------


@given(scores(), st.integers(-12, 12))
@settings(deadline=None)
def test_transposing_moves_key_chords_and_pitches_alone(score, semitones):
    moved = shape.transpose(score, semitones)
    drums = {f"part {part.name}" for part in score.parts if part.role == "drums"}
    assert changed(score, moved) <= {"key", "chords", *(f"part {part.name}" for part in score.parts)} - drums
    assert moved.key.tonic == (score.key.tonic + semitones) % 12
    for before, after in zip(score.parts, moved.parts, strict=True):
        if before.role != "drums":
            classes = {(note.onset, (note.pitch + semitones) % 12) for note in before.notes}
            assert {(note.onset, note.pitch % 12) for note in after.notes} == classes


def test_transposing_back_gives_the_same_piece():
    assert shape.transpose(shape.transpose(band(), 3), -3) == band()


def test_a_tempo_changes_nothing_but_time(piece):
    faster = shape.change_tempo(band(), 120.0)
    assert changed(band(), faster) == {"tempos"}
    assert [change.bpm for change in faster.tempos] == [120.0, 100.0]
    assert shape.change_tempo(piece, piece.tempo_bpm) == piece


def test_muting_takes_one_part_out(piece):
    assert changed(piece, shape.mute(piece, "drums")) == {"part drums"}
    only = replace(scale(), parts=scale().parts[:1])
    with pytest.raises(EditError, match="Nothing would be left"):
        shape.mute(only, "melody")


def test_another_instrument_plays_the_same_notes_where_it_can(piece):
    tune = tune_of(piece)
    moved = shape.change_instrument(piece, tune.name, "flute")
    assert changed(piece, moved) == {f"part {tune.name}"}
    assert tune_of(moved).instrument == "flute"
    low = shape.change_instrument(band(), "melody", "cello")
    assert all(36 <= note.pitch <= 76 for note in tune_of(low).notes)
    assert [note.pitch % 12 for note in tune_of(low).notes] == [note.pitch % 12 for note in tune_of(band()).notes]


def test_shortening_takes_whole_bars_out(piece):
    for bars in (1, 4, 8):
        shorter = shape.shorten(piece, bars)
        assert shorter.bars == piece.bars - bars
        assert sum(section.bars for section in shorter.sections) == shorter.bars
        gone = bars * piece.meter.bar_ticks
        for before, after in zip(piece.parts, shorter.parts, strict=True):
            kept = {(n.onset, n.pitch, n.velocity, n.micro) for n in before.notes}
            kept |= {(n.onset - gone, n.pitch, n.velocity, n.micro) for n in before.notes}
            assert {(n.onset, n.pitch, n.velocity, n.micro) for n in after.notes} <= kept


@given(scores(), st.data())
@settings(deadline=None)
def test_a_cut_closes_the_gap(score, data):
    first = data.draw(st.integers(1, score.bars))
    last = data.draw(st.integers(first, score.bars))
    if last - first + 1 == score.bars:
        with pytest.raises(EditError, match="at least one bar"):
            shape.cut(score, first, last)
        return
    shorter = shape.cut(score, first, last)
    start, end = (first - 1) * score.meter.bar_ticks, last * score.meter.bar_ticks
    for before, after in zip(score.parts, shorter.parts, strict=True):
        wanted = [n.onset - (end - start if n.onset >= end else 0) for n in before.notes if not start <= n.onset < end]
        assert sorted(wanted) == [note.onset for note in after.notes]
    assert shorter.tempos[0].tick == 0
    assert all(chord.end <= shorter.end_tick and chord.duration > 0 for chord in shorter.chords)
    assert sum(section.bars for section in shorter.sections) == shorter.bars


# ---- mood -------------------------------------------------------------------------------------------------------


def test_moods_move_what_they_are_named_for(piece):
    def heard(score: Score) -> tuple[float, float]:
        measured = measure_attributes(score, BRIEF)
        return measured.arousal, measured.brightness

    arousal, brightness = heard(piece)
    assert heard(mood.more_energetic(piece))[0] > arousal > heard(mood.calmer(piece))[0]
    assert heard(mood.brighter(piece))[1] > brightness > heard(mood.darker(piece))[1]


@pytest.mark.parametrize("change", [mood.more_energetic, mood.calmer, mood.brighter, mood.darker])
def test_moods_leave_tune_chords_and_form_alone(piece, change):
    after = change(piece)
    assert changed(piece, after) <= {"tempos", *(f"part {part.name}" for part in piece.parts)}
    for before, played in zip(piece.parts, after.parts, strict=True):
        assert len(before.notes) == len(played.notes)
        assert sorted((n.onset, n.pitch % 12, n.micro) for n in before.notes) == sorted(
            (n.onset, n.pitch % 12, n.micro) for n in played.notes
        )
        if before.role in {"melody", "bass", "drums"}:
            assert [note.pitch for note in before.notes] == [note.pitch for note in played.notes]
        entry = INSTRUMENTS[played.instrument]
        assert played.role in {"drums", "texture"} or all(entry.low <= n.pitch <= entry.high for n in played.notes)


# ---- with new music ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.1, 0.4, 1.0])
def test_a_variation_changes_pitches_of_the_tune_and_nothing_else(piece, model, strength):
    varied = music.variation(piece, strength, model, 11)
    tune = tune_of(piece)
    assert changed(piece, varied) == {f"part {tune.name}"}
    before, after = tune.notes, tune_of(varied).notes
    assert [replace(note, pitch=0) for note in before] == [replace(note, pitch=0) for note in after]
    bars = {a.onset // piece.meter.bar_ticks for a, b in zip(before, after, strict=True) if a != b}
    sung = {note.onset // piece.meter.bar_ticks for note in before}
    assert len(bars) <= max(2.0, strength * len(sung) + 2)
    assert varied == music.variation(piece, strength, model, 11)
    assert varied != music.variation(piece, strength, model, 12)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (5, 8), (12, 12)])
def test_repainting_changes_nothing_outside_its_bars(piece, model, first, last):
    painted = music.repaint(piece, BRIEF, first, last, model, 5)
    start, end = (first - 1) * piece.meter.bar_ticks, last * piece.meter.bar_ticks
    assert outside(painted, start, end) == outside(piece, start, end)
    assert painted.parts != piece.parts
    assert (painted.bars, painted.sections, painted.tempos, painted.key) == (
        piece.bars, piece.sections, piece.tempos, piece.key,
    )  # fmt: skip
    assert _until(painted.chords, start) == _until(piece.chords, start)
    assert [c for c in painted.chords if c.onset > end] == [c for c in piece.chords if c.onset > end]
    assert painted == music.repaint(piece, BRIEF, first, last, model, 5)


def test_an_introduction_stays_without_a_tune(piece, model):
    first = piece.sections[0]
    assert first.name.islower()
    painted = music.repaint(piece, BRIEF, 1, first.bars, model, 5)
    assert all(note.onset >= first.bars * piece.meter.bar_ticks for note in tune_of(painted).notes)


def _until(chords: tuple[Chord, ...], tick: int) -> list[Chord]:
    return [replace(chord, duration=min(chord.end, tick) - chord.onset) for chord in chords if chord.onset < tick]


def test_extending_keeps_what_was_there_and_ends_as_before(piece, model):
    longer = music.extend(piece, BRIEF, 4, model, 5)
    at = piece.sections[-1].start_bar * piece.meter.bar_ticks
    gap = 4 * piece.meter.bar_ticks
    assert longer.bars == piece.bars + 4
    assert longer.sections[-1] == replace(piece.sections[-1], start_bar=piece.sections[-1].start_bar + 4)
    for before, after in zip(piece.parts, longer.parts, strict=True):
        assert [n for n in after.notes if n.onset < at] == [n for n in before.notes if n.onset < at]
        tail = [replace(n, onset=n.onset - gap) for n in after.notes if n.onset >= at + gap]
        assert tail == [n for n in before.notes if n.onset >= at]
    new = [part.name for part in longer.parts if any(at <= n.onset < at + gap for n in part.notes)]
    assert len(new) >= 3, "the whole band plays on"


@pytest.mark.parametrize("style", ["jazz", "pop", "ambient"])
def test_a_remix_keeps_tune_chords_and_form(piece, style):
    asked = replace(BRIEF, styles=((style, 1.0),))
    other = music.remix(piece, asked, 4)
    assert {name for name in changed(piece, other) if not name.startswith("part")} == set()
    before, after = tune_of(piece).notes, tune_of(other).notes
    assert [(n.onset, n.pitch % 12) for n in after] == [(n.onset, n.pitch % 12) for n in before]
    assert {part.instrument for part in other.parts} != {part.instrument for part in piece.parts}
    assert other == music.remix(piece, asked, 4)


# ---- the lead sheet ---------------------------------------------------------------------------------------------


def test_the_lead_sheet_is_found_again():
    lead = lead_of(band())
    assert lead.key == Key(0, "minor")
    assert [bar.chords for bar in bars_of(band())] == [
        (GridChord(0, 0, "m7"),), (GridChord(0, 8, "maj7"),), (GridChord(0, 5, "m9"),), (GridChord(0, 7, "7"),),
    ]  # fmt: skip
    assert lead.materials["A"][0].melody[:2] == (GridNote(0, 12, 67), GridNote(12, 12, 68))


def test_chords_are_heard_where_none_are_written():
    notes = tuple(
        Note(bar * 4 * PPQ, 4 * PPQ, pitch) for bar, root in enumerate((60, 65)) for pitch in (root, root + 4, root + 7)
    )
    piano = replace(scale().parts[0], notes=notes)
    heard = bars_of(replace(scale(), parts=(piano,), chords=()))
    assert [bar.chords[0] for bar in heard] == [GridChord(0, 0, ""), GridChord(0, 5, "")]


# ---- what cannot be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s, m: shape.transpose(s, 40), "at most 24"),
        (lambda s, m: shape.change_tempo(s, 400), "40 to 220"),
        (lambda s, m: shape.mute(s, "tuba"), "no part “tuba”; the piece has"),
        (lambda s, m: shape.mute(s, "melodi"), "did you mean melody"),
        (lambda s, m: shape.change_instrument(s, "melody", "flote"), "did you mean flute"),
        (lambda s, m: shape.change_instrument(s, "drums", "flute"), "drums are for kits"),
        (lambda s, m: shape.change_instrument(s, "melody", "drum_kit"), "drums are for kits"),
        (lambda s, m: shape.shorten(s, 4000), "can be taken out"),
        (lambda s, m: shape.cut(s, 3, 2), "no stretch from 3 to 2"),
        (lambda s, m: music.variation(s, 0.0, m, 1), "above 0"),
        (lambda s, m: music.repaint(s, BRIEF, 9, 900, m, 1), "no stretch from 9 to 900"),
        (lambda s, m: music.extend(s, BRIEF, 0, m, 1), "at least one bar"),
        (lambda s, m: music.extend(s, BRIEF, 100, m, 1), "At most 32"),
        (lambda s, m: tune_of(replace(s, parts=tuple(p for p in s.parts if p.role == "drums"))), "no part that could"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(piece, model, change, sentence):
    with pytest.raises(EditError, match=sentence):
        change(piece, model)
