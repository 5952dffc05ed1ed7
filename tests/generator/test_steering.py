"""What is asked is what comes: density and complexity by a thermostat, returns by a plan; no model needs to be good."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from generator.brief import Key
from generator.corpus.features import piece_features
from generator.corpus.piece import GRID, Bar, GridChord, Piece
from generator.model import tokens
from generator.model.rules import Rules
from generator.model.tasks import Request, write
from generator.model.tokens import Controls, Frame
from generator.model.transformer import Composer, Config
from generator.motifs import KINDS, plan_motifs
from generator.score import Meter, avoid_tones


@pytest.fixture(scope="module")
def untrained() -> Composer:
    torch.manual_seed(3)
    return Composer(Config(len(tokens.VOCABULARY), context=1536, width=32, layers=1, heads=2, hidden=64)).eval()


def _measured(model: Composer, seed: int, **wishes):
    controls = Controls("major", "4/4", kind="song", **wishes)
    rules = Rules(bars=16, bar_steps=48, max_chords=2, max_hold=16, max_repeats=16, max_rest=16)
    (bars,) = write(model, Request(controls, rules, Frame(0, 60)), [seed])
    return piece_features(Piece("", "song", "", "", "", "", Key(0, "major"), Meter(4, 4), bars))


def test_density_comes_as_asked_even_from_a_model_that_has_learned_nothing(untrained):
    got = [np.mean([_measured(untrained, seed, density=c).density for seed in range(3)]) for c in (1, 4, 7)]
    assert [tokens.class_of(value, tokens.DENSITY_EDGES) for value in got] == pytest.approx([1, 4, 7], abs=1)
    assert got == sorted(got)


def test_complexity_comes_as_asked(untrained):
    plain, rich = (
        float(np.mean([_measured(untrained, seed, complexity=asked).complexity for seed in range(3)]))
        for asked in (0, 5)
    )
    assert plain < 0.12
    assert rich > 0.5


@pytest.mark.parametrize("parts", [("chords", "melody"), ("melody",)])
def test_a_tune_does_not_rest_on_what_its_chord_does_not_bear(untrained, parts):
    chords = dict.fromkeys(range(8), (GridChord(0, 0, "maj7"), GridChord(24, 7, "7")))
    controls = Controls("major", "4/4", ("chords", "melody"), kind="song", density=2)
    there = tuple(Bar(chords=chords[bar]) for bar in range(8)) if parts == ("melody",) else ()
    rules = Rules(bars=8, bar_steps=48, parts=parts, given_chords=chords, max_repeats=16, max_rest=16)
    held = {True: 0, False: 0}
    for bars in write(untrained, Request(controls, rules, Frame(0, 60), there), range(24)):
        for note in (note for bar in bars for note in bar.melody):
            root, quality = (0, "maj7") if note.pos < 24 else (7, "7")
            held[(note.pitch - root) % 12 in avoid_tones(quality)] += max(0, note.dur - GRID // 2)
    assert held[True] < 0.2 * held[False], "drawn by chance it would be a third to a half"


def test_what_is_left_open_is_left_to_the_model(untrained):
    assert _measured(untrained, 1) == _measured(untrained, 1)
    assert _measured(untrained, 1) != _measured(untrained, 1, density=0)


def test_a_bar_that_comes_back_comes_back_note_for_note(untrained):
    controls = Controls("major", "4/4", kind="song", density=5)
    rules = Rules(bars=8, bar_steps=48, copies={4: 0, 5: 1}, echo={6: 2})
    for bars in write(untrained, Request(controls, rules, Frame(0, 60)), range(4)):
        for bar, source in rules.copies.items():
            assert bars[bar].chords == bars[source].chords
            started = {note.pos for note in bars[bar].melody}
            kept = [note for note in bars[source].melody if note.pos in started]
            assert [(note.pos, note.pitch) for note in bars[bar].melody] == [(note.pos, note.pitch) for note in kept]


@pytest.mark.parametrize("kind", [*KINDS, "chart"])
def test_returns_lie_before_and_inside_their_stretch(kind):
    returning = 0
    for seed in range(40):
        motifs = plan_motifs(kind, 32, np.random.default_rng(seed), within=8)
        assert not set(motifs.copies) & set(motifs.echo)
        for bar, source in (*motifs.copies.items(), *motifs.echo.items()):
            assert bar - bar % 8 <= source < bar
        heard = [motifs.copies.get(bar, bar) for bar in range(32)]
        assert all(len(set(heard[bar : bar + 3])) > 1 for bar in range(30)), "never three times in a row"
        returning += len(motifs.copies) + len(motifs.echo)
        assert motifs == plan_motifs(kind, 32, np.random.default_rng(seed), within=8)
    assert 0.2 < returning / (40 * 32) < 0.8


@pytest.mark.parametrize("kind", [*KINDS, "chart"])
def test_tunes_breathe_where_a_phrase_ends(kind):
    plans = [plan_motifs(kind, 32, np.random.default_rng(seed), within=8) for seed in range(60)]
    share = [sum(bar in motifs.breaths for motifs in plans for bar in range(place, 32, 8)) / 240 for place in range(8)]
    assert share[7] == max(share) > 0.2
    for motifs in plans:
        assert not any(bar + 1 in motifs.breaths for bar in motifs.breaths)
        for bar, source in (*motifs.copies.items(), *motifs.echo.items()):
            assert (bar in motifs.breaths) == (source in motifs.breaths)
    halves = [plan_motifs(kind, 8, np.random.default_rng(seed), within=8, ends={3}) for seed in range(240)]
    assert sum(3 in motifs.breaths for motifs in halves) / 240 > 0.6 * share[7], "a section of four bars ends there"


def test_a_bar_whose_rhythm_is_given_is_paid_for_by_the_others(untrained):
    """The tune is as dense as asked although four of its bars hold one note."""
    held = dict.fromkeys((3, 7, 11, 15), ((0, 48),))
    controls = Controls("major", "4/4", ("melody",), kind="song", density=6)
    rules = Rules(bars=16, bar_steps=48, parts=("melody",), rhythms=held, max_repeats=16)
    notes = []
    for bars in write(untrained, Request(controls, rules, Frame(0, 60)), range(4)):
        for bar in held:  # a note held over the bar line leaves no room for another
            assert [(note.pos, note.dur) for note in bars[bar].melody] in ([(0, 48)], [])
        notes.append(sum(len(bar.melody) for bar in bars) / 64)
    assert np.mean(notes) == pytest.approx(1.32, rel=0.2)


def test_songs_repeat_themselves_more_than_lieder():
    def share(kind: str) -> float:
        return sum(len(plan_motifs(kind, 32, np.random.default_rng(seed)).copies) for seed in range(60)) / 60 / 32

    assert share("song") > 1.3 * share("lied")


def test_a_drummer_plays_around_the_strokes_that_must_be_there(untrained):
    accents = dict.fromkeys(range(4), ((0, "kick"), (12, "snare"), (24, "kick"), (24, "rim"), (36, "snare")))
    rules = Rules(bars=4, bar_steps=48, parts=("drums",), accents=accents)
    controls = Controls("major", "4/4", ("drums",), "groove", ("rock",))
    for bars in write(untrained, Request(controls, rules, Frame(0, 60)), range(5)):
        for bar, wanted in accents.items():
            struck = [(hit.pos, hit.drum) for hit in bars[bar].drums]
            assert set(wanted) <= set(struck)
            assert len(struck) == len(set(struck))
