"""What the composer can be asked: each task writes what it should and leaves the rest as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.corpus.piece import Bar, GridChord, GridNote
from generator.errors import GeneratorError
from generator.model import tasks, tokens
from generator.model.desk import alone
from generator.model.rules import Rules
from generator.model.tasks import Request, write
from generator.model.tokens import Controls, Frame
from generator.model.transformer import Composer, Config

FRAME = Frame(0, 60)
TUNE = tuple(
    Bar(
        chords=(GridChord(0, root, ""),),
        melody=(GridNote(0, 24, 60 + root), GridNote(24, 12, 64), GridNote(36, 12, 62)),
    )
    for root in (0, 5, 7, 0, 9, 5, 7, 0)
)


@pytest.fixture(scope="module")
def model() -> Composer:
    torch.manual_seed(5)
    return Composer(Config(vocabulary=len(tokens.VOCABULARY), width=16, layers=1, heads=2, hidden=32, dropout=0)).eval()


def request(**changes: object) -> Request:
    values: dict[str, object] = {
        "controls": Controls("major", "4/4"), "rules": Rules(8, 48), "frame": FRAME, "bars": TUNE,
    }  # fmt: skip
    return Request(**(values | changes))  # type: ignore[arg-type]


def test_harmonising_leaves_the_melody_alone(model):
    (music,) = write(model, tasks.write_parts(request(), ["chords"]), [1])
    assert [bar.melody for bar in music] == [bar.melody for bar in TUNE]
    assert all(bar.chords for bar in music)


@pytest.mark.parametrize("part", ["bass", "accompaniment", "voices", "drums", "melody"])
def test_a_part_is_written_for_what_is_there(model, part):
    (music,) = write(model, tasks.write_parts(request(), [part]), [2])
    assert any(getattr(bar, part) for bar in music)
    for before, after in zip(TUNE, music, strict=True):
        assert replace(after, **{part: ()}) == replace(before, **{part: ()})


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**40))
@settings(max_examples=15, deadline=None)
def test_repainting_changes_only_the_bars_asked_for(model, first, last, seed):
    asked = request()
    if first > last:
        with pytest.raises(GeneratorError, match="cannot be repainted"):
            tasks.repaint(asked, first, last)
        return
    (music,) = write(model, tasks.repaint(asked, first, last), [seed])
    assert music[:first] == TUNE[:first]
    assert music[last + 1 :] == TUNE[last + 1 :]
    assert music[first : last + 1] != TUNE[first : last + 1]
    reach = max((note.pos + note.dur for note in music[last].melody), default=0)
    assert reach <= 50, "nothing sounds into the bars that stay"


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.6, 1.0])
def test_a_variation_keeps_the_opening_and_the_rhythm(model, strength):
    rules = Rules(8, 48, parts=("melody",))
    (music,) = write(model, tasks.vary(request(rules=rules), strength, seed=3), [4])
    changed = [index for index, (a, b) in enumerate(zip(TUNE, music, strict=True)) if a.melody != b.melody]
    assert len(changed) <= max(1, round(strength * 8))
    assert strength == 1.0 or not {0, 1} & set(changed)
    for before, after in zip(TUNE, music, strict=True):
        assert [(n.pos, n.dur) for n in after.melody] == [(n.pos, n.dur) for n in before.melody]
        assert after.chords == before.chords


def test_going_on_keeps_the_beginning(model):
    (music,) = write(model, tasks.extend(request(), 12), [6])
    assert music[:8] == TUNE
    assert len(music) == 12
    assert all(bar.chords for bar in music[8:])
    with pytest.raises(GeneratorError, match="already"):
        tasks.extend(request(), 8)


def test_every_syllable_gets_a_note(model):
    """Two lines of a verse, over four bars."""
    sung = {0: ("word", "word", "word", "inner"), 1: ("word", "inner_end"), 2: ("word",) * 6, 3: ("word_end",)}
    rules = Rules(4, 48, lyrics=True, sung=sung)
    asked = request(rules=rules, bars=(), controls=Controls("major", "4/4", ("chords", "melody", "lyrics")))
    for music in write(model, asked, [1, 2, 3]):
        for index, marks in sung.items():
            assert len(music[index].melody) == len(marks)
            assert tuple(map(tokens.mark_of, music[index].lyrics)) == marks


def test_takes_are_searched_by_the_callers_score(model):
    def loud(takes):
        return [sum(len(bar.melody) for bar in bars) for bars in takes]

    asked = request(bars=())
    found = write(model, asked, range(8), search=tasks.Contest(loud))
    plain = write(model, asked, range(8))
    assert sum(loud(found)) > sum(loud(plain))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (request(controls=Controls("dorian", "4/4")), "mode=dorian"),
        (request(controls=Controls("major", "4/4", density=12)), "density=12"),
        (request(rules=Rules(5, 48)), "5 bars were announced"),
        (request(bars=(), rules=Rules(2, 48, lyrics=True, sung={0: ("word",) * 40})), "40 syllables"),
        (request(bars=(), rules=Rules(900, 48)), "900 bars do not fit"),
    ],
)
def test_what_cannot_be_is_explained(model, asked, sentence):
    with pytest.raises(GeneratorError, match=sentence):
        write(model, asked, [1])


def test_a_take_that_is_not_worth_it_ends_early_and_disturbs_no_other(model):
    """The first is given up after two bars; the others are what they are without it."""
    asked, seen = replace(request(), bars=()), []

    def worth(take: int, bars: tuple[Bar, ...]) -> bool:
        seen.append((take, len(bars)))
        return take != 0 or len(bars) < 2

    lost, *kept = alone(model, tasks.writing(asked, [1, 2, 3], worth=worth))
    assert lost == ()
    assert kept == write(model, asked, [2, 3])
    assert [bars for take, bars in seen if take == 0] == [1, 2]
    assert [bars for take, bars in seen if take == 1] == list(range(1, 8))
