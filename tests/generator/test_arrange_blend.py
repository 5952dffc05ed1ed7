"""Blends of styles, novelty, and drums that the composer writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from generator.arrange.arrange import arrange
from generator.arrange.blend import style_of
from generator.arrange.drummer import fault_of, fault_so_far, improvise
from generator.arrange.style import DRUMS, load_style
from generator.brief import writable_styles
from generator.corpus.piece import Bar, Hit
from generator.model import tokens
from generator.model.desk import alone
from generator.model.transformer import Composer, Config
from generator.perform import perform
from generator.plan import make_plan
from tests.generator.leads import simple_lead
from tests.generator.scores import brief


@pytest.fixture(scope="module")
def model() -> Composer:
    torch.manual_seed(5)
    return Composer(Config(vocabulary=len(tokens.VOCABULARY), width=16, layers=1, heads=2, hidden=32, dropout=0)).eval()


def written(asked, seed=3):
    style = style_of(asked)
    plan = make_plan(asked, style)
    lead = simple_lead(asked, plan, style, seed)
    return perform(arrange(lead, plan, asked, style, "", seed), plan, asked, style, seed)


def test_one_style_is_itself():
    assert style_of(brief("jazz")) is load_style("jazz")


@pytest.mark.parametrize("pair", [("lofi", "jazz"), ("house", "classical"), ("rock", "bossa"), ("ambient", "funk")])
def test_a_blend_has_players_of_both_and_one_groove(pair):
    styles = [load_style(name) for name in pair]
    for seed in range(6):
        asked = brief(styles=((pair[0], 0.6), (pair[1], 0.4)), seed=seed)
        mixed = style_of(asked)
        assert mixed == style_of(asked), "the same seed, the same blend"
        assert mixed.grooves in [style.grooves for style in styles], "one groove"
        for style in styles:
            assert any(part in style.parts.values() for part in mixed.parts.values()), f"{style.name} is heard"
        low, high = sorted(style.playing.swing for style in styles)
        assert low <= mixed.playing.swing <= high
        assert {part.role for part in written(asked).parts} >= {"melody", "bass"}


def test_three_styles_blend():
    score = written(brief(styles=(("folk", 0.4), ("cinematic", 0.3), ("hiphop", 0.3)), length_s=60.0))
    assert len(score.parts) >= 4


def test_weights_decide_how_often_a_style_gives_the_groove():
    heavy = [style_of(brief(styles=(("house", 0.85), ("jazz", 0.15)), seed=seed)).grooves for seed in range(40)]
    share = sum(grooves == load_style("house").grooves for grooves in heavy) / len(heavy)
    assert 0.65 < share <= 1.0


def test_novelty_widens_the_choice_of_instruments():
    def bands(novelty: float) -> int:
        heard = set()
        for style in writable_styles():
            for seed in range(12):
                asked = brief(style, seed=seed, novelty=novelty, length_s=15.0)
                heard |= {(style, part.name, part.instrument) for part in written(asked, seed).parts}
        return len(heard)

    assert bands(1.0) > 1.3 * bands(0.0)


def test_what_an_untrained_composer_drums_is_not_played_and_that_is_said(model):
    asked = brief("rock", length_s=40.0, tempo_bpm=126.0)
    style = load_style("rock")
    plan = make_plan(asked, style)
    (drummed,) = alone(model, improvise(plan, asked, style, [1]))
    assert not drummed.bars
    assert drummed.remarks
    assert all("patterns of Rock" in remark for remark in drummed.remarks)
    assert alone(model, improvise(plan, brief("lofi"), load_style("lofi"), [1]))[0].remarks == ()


def groove(*, backbeat: bool = True) -> Bar:
    hits = [Hit(pos, "hat", 70, 3) for pos in range(0, 48, 6)] + [Hit(0, "kick", 100), Hit(24, "kick", 90)]
    hits += [Hit(pos, "snare", 104, -4) for pos in (12, 36)] if backbeat else []
    return Bar(drums=tuple(sorted(hits, key=lambda hit: (hit.pos, hit.drum))))


def test_good_drumming_is_played_with_its_own_timing():
    style = load_style("rock")
    theme = [groove()] * 2
    assert fault_of([groove()] * 4, theme, "4/4") == ""
    assert fault_of([groove(backbeat=False)] * 4, theme, "4/4") == "no backbeat"
    assert fault_of([groove(backbeat=False)] * 4, [groove(backbeat=False)] * 2, "4/4") == ""
    assert fault_of([Bar()] * 4, theme, "4/4") == "0 strokes a bar"
    assert fault_so_far([groove(), groove(backbeat=False)], theme) == "", "one bar in four may be without"
    assert fault_so_far([groove(backbeat=False)] * 2, theme) == "no backbeat"
    strange = Bar(drums=(Hit(12, "snare", 104), Hit(36, "snare", 104)))
    assert fault_so_far([strange], theme) == "little to do with the groove"
    asked = brief("rock", length_s=40.0, tempo_bpm=126.0)
    plan = make_plan(asked, style)
    lead = simple_lead(asked, plan, style, 1)
    bars = {"A": tuple(bar.drums for bar in [groove()] * 4)}
    score = perform(arrange(lead, plan, asked, style, "", 1, drums=bars), plan, asked, style, 1)
    section = next(s for s in plan.sections if s.name == "A")
    start = (section.start_bar + 1) * plan.meter.bar_ticks
    snares = [n for n in score.part("drums").notes if n.pitch == DRUMS["snare"] and start <= n.onset < start + 1920]
    assert [(note.onset - start, note.micro) for note in snares] == [(480, -4), (1440, -4)]
    plain = arrange(lead, plan, asked, style, "", 1)
    assert replace(plain, parts=()) == replace(score, parts=()), "everything else is as it was"
