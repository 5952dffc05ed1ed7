"""From a plan to checked takes: what comes back is known again, and no take copies a training melody."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from generator import gate
from generator.arrange.arrange import arrange
from generator.arrange.style import load_style
from generator.compose import bar_steps, compose, take_seeds
from generator.corpus.piece import Bar, GridNote
from generator.errors import OriginalityError
from generator.gate import compose_original
from generator.measure.originality import Bounds, Index, Melody
from generator.model import tokens
from generator.model.desk import alone
from generator.model.transformer import Composer, Config
from generator.plan import Plan, make_plan
from tests.generator.scores import brief

ASKED = brief("lofi", length_s=75.0, tempo_bpm=80.0, seed=9)
STYLE = load_style("lofi")


@pytest.fixture(scope="module")
def model() -> Composer:
    torch.manual_seed(8)
    return Composer(Config(vocabulary=len(tokens.VOCABULARY), width=16, layers=1, heads=2, hidden=32, dropout=0)).eval()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(ASKED, STYLE)


def test_a_returning_section_reuses_its_motifs(model, plan):
    (lead,) = alone(model, compose(ASKED, plan, STYLE, [1]))
    returns = [name for name in lead.materials if "'" in name]
    assert returns == list(dict.fromkeys(s.name for s in plan.sections if "'" in s.name))
    for name in returns:
        first, again = lead.materials[name[0]], lead.materials[name]
        changed = [i for i, (a, b) in enumerate(zip(first, again, strict=True)) if a.melody != b.melody]
        assert changed, "a return is varied"
        assert len(changed) <= len(first) // 2, "most of it is what it was"
        assert first[:2] == again[:2], "its opening is known again"
        for a, b in zip(first, again, strict=True):
            assert a.chords == b.chords
            assert [note.pos for note in a.melody] == [note.pos for note in b.melody], "new notes keep the rhythm"


def test_the_band_plays_the_variation(model, plan):
    (lead,) = alone(model, compose(ASKED, plan, STYLE, [2]))
    section = next(s for s in plan.sections if "'" in s.name)
    lowered = tuple(
        replace(bar, melody=tuple(replace(note, pitch=note.pitch - 12) for note in bar.melody))
        for bar in lead.materials[section.name]
    )
    there = arrange(lead, plan, ASKED, STYLE, "Test", 3)
    lower = arrange(replace(lead, materials=lead.materials | {section.name: lowered}), plan, ASKED, STYLE, "Test", 3)
    start = section.start_bar * plan.meter.bar_ticks
    end = start + section.bars * plan.meter.bar_ticks

    def tune(score):
        return {n.onset: n.pitch for part in score.parts if part.role == "melody" for n in part.notes}

    moved = {onset for onset, pitch in tune(there).items() if tune(lower).get(onset) != pitch}
    assert moved
    assert all(start <= onset < end for onset in moved)


def test_more_takes_do_not_change_the_first(model, plan, monkeypatch):
    index = _index(Melody("noise", _noise(), 48), Bounds(longest_run=8, similarity=0.8))
    monkeypatch.setattr(gate, "load_index", lambda: index)
    (only,) = alone(model, compose_original(ASKED, plan, STYLE, take_seeds(9, 1)))
    assert alone(model, compose_original(ASKED, plan, STYLE, take_seeds(9, 3)))[0].lead == only.lead


def _noise() -> list[Bar]:
    return [Bar(melody=tuple(GridNote(pos, 3, 40 + pos * 7 % 31) for pos in range(0, 48, 3)))] * 2


def _index(melody: Melody, bounds: Bounds) -> Index:
    return replace(Index.build([melody]), bounds=bounds)


def test_a_copy_is_written_again(model, plan, monkeypatch):
    (seed,) = take_seeds(9, 1)
    (copied,) = alone(model, compose(ASKED, plan, STYLE, [seed]))
    bars = [bar for name in plan.materials for bar in copied.materials[name]]
    index = _index(Melody("an old song", bars, bar_steps(plan)), Bounds(longest_run=8, similarity=0.8))
    monkeypatch.setattr(gate, "load_index", lambda: index)
    assert not gate.check(copied, plan).passed
    (checked,) = alone(model, compose_original(ASKED, plan, STYLE, [seed]))
    assert checked.rewritten >= 1
    assert checked.originality.passed
    assert checked.lead != copied
    assert checked.seed == seed


def test_a_piece_that_cannot_be_original_is_refused_with_the_song_it_copies(model, plan, monkeypatch):
    (copied,) = alone(model, compose(ASKED, plan, STYLE, take_seeds(9, 1)))
    bars = [bar for name in plan.materials for bar in copied.materials[name]]
    index = _index(Melody("an old song", bars, bar_steps(plan)), Bounds(longest_run=-1, similarity=-1.0))
    monkeypatch.setattr(gate, "load_index", lambda: index)
    told: list[float] = []
    with pytest.raises(OriginalityError, match="an old song"):
        alone(model, compose_original(ASKED, plan, STYLE, take_seeds(9, 2), told.append))
    assert told == sorted(told), "progress does not run back"


def test_a_judge_gets_more_of_what_it_likes(model, plan):
    """High tunes are liked; every take stays one of its own, and is as long as without a judge."""

    def height(lead):
        pitches = [note.pitch for bars in lead.materials.values() for bar in bars for note in bar.melody]
        return sum(pitches) / max(1, len(pitches))

    asked = []

    def judge(leads, seeds):
        asked.append(list(seeds))
        assert all(set(lead.materials) == {section.material for section in plan.sections} | names for lead in leads)
        return [height(lead) for lead in leads]

    names = {section.name for section in plan.sections if "'" in section.name}
    seeds = [4, 5, 6]
    liked = alone(model, compose(ASKED, plan, STYLE, seeds, judge=judge))
    plain = alone(model, compose(ASKED, plan, STYLE, seeds))
    assert sum(map(height, liked)) > sum(map(height, plain))
    assert len({str(lead) for lead in liked}) == 3
    assert all(each == [4, 4, 5, 5, 6, 6] for each in asked)
    assert alone(model, compose(ASKED, plan, STYLE, seeds[:1], judge=judge))[0] == liked[0], "a take is its own"
