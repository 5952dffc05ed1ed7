"""What a mood and a performance do to an arrangement, as one would measure it."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pytest
from scipy.stats import spearmanr

from generator.arrange.arrange import arrange
from generator.arrange.feel import FAMILIES, load_feel
from generator.arrange.style import DRUMS, load_style
from generator.brief import Mood, writable_styles
from generator.perform import perform
from generator.plan import make_plan
from generator.score import CHORD_TONES, PPQ, Score
from tests.generator.leads import simple_lead
from tests.generator.scores import brief

AXIS = np.linspace(-1, 1, 7)
SHARP = {1, 2, 6, 10, 11}  # intervals that rub, in semitones


def piece(style: str, seed: int = 1, **changes: object) -> Score:
    data = load_style(style)
    values = {"length_s": 50.0, "tempo_bpm": data.tempo_bpm.default, "swing": data.playing.swing} | changes
    asked = brief(style, seed=seed, **values)
    plan = make_plan(asked, data)
    return perform(arrange(simple_lead(asked, plan, data, seed), plan, asked, data, "", seed), plan, asked, data, seed)


def density(score: Score) -> float:
    return sum(len(part.notes) for part in score.parts if part.role != "texture") / score.length_s


def loudness(score: Score) -> float:
    return mean(note.velocity for part in score.parts if part.role != "texture" for note in part.notes)


def register(score: Score) -> float:
    notes = [n for part in score.parts if part.role in {"melody", "counter", "chords", "pad"} for n in part.notes]
    return sum(note.pitch * note.duration for note in notes) / sum(note.duration for note in notes)


def tension(score: Score) -> float:
    def rub(quality: str) -> float:
        tones = CHORD_TONES[quality]
        gaps = [(b - a) % 12 in SHARP for i, a in enumerate(tones) for b in tones[i + 1 :]]
        return sum(gaps) / len(gaps)

    return sum(rub(chord.quality) * chord.duration for chord in score.chords) / score.end_tick


def ranks(measured: list[list[float]]) -> float:
    """Spearman's rho of an axis and the sum of standardised measures."""
    columns = np.array(measured)
    standard = (columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-9)
    return float(spearmanr(AXIS, standard.sum(axis=1)).statistic)


@pytest.mark.parametrize("style", writable_styles())
def test_arousal_is_heard_as_density_and_loudness(style):
    measured = [[0.0, 0.0] for _ in AXIS]
    for row, arousal in zip(measured, AXIS, strict=True):
        scores = [piece(style, seed, mood=Mood(0.0, float(arousal))) for seed in (1, 2)]
        row[:] = [mean(map(density, scores)), mean(map(loudness, scores))]
    assert ranks(measured) >= 0.9


@pytest.mark.parametrize("style", writable_styles())
def test_valence_is_heard_as_register_and_consonance(style):
    measured = [[0.0, 0.0] for _ in AXIS]
    for row, valence in zip(measured, AXIS, strict=True):
        scores = [piece(style, seed, mood=Mood(float(valence), 0.0)) for seed in (1, 2)]
        row[:] = [mean(map(register, scores)), -mean(map(tension, scores))]
    assert ranks(measured) >= 0.8


def test_a_dark_mood_leaves_every_tone_of_a_chord_a_place_on_a_high_instrument():
    data = load_style("classical")
    oboe = data.parts["inner"].model_copy(update={"instruments": ("oboe",), "chance": 1.0})
    data = data.model_copy(update={"parts": data.parts | {"inner": oboe}})
    asked = brief("classical", key="F major", mood=Mood(-0.9, 0.0), novelty=0.0, length_s=50.0)
    plan = make_plan(asked, data)
    score = arrange(simple_lead(asked, plan, data, 1), plan, asked, data, "", 1)
    played = next(part for part in score.parts if part.name == "inner")
    assert played.instrument == "oboe"
    assert {note.pitch % 12 for note in played.notes} >= {9}, "the third of F major"


def test_excited_playing_is_shorter():
    def length(arousal: float) -> float:
        bass = piece("pop", mood=Mood(0.0, arousal)).part("bass").notes
        return mean(note.duration for note in bass)

    assert length(0.9) < 0.8 * length(-0.9)


def test_drummers_have_a_human_touch_and_machines_do_not():
    def spread(style: str) -> float:
        hats = [n for n in piece(style, swing=0.0).part("drums").notes if n.pitch == DRUMS["kick"] and n.onset]
        return float(np.std([note.micro for note in hats]))

    assert spread("rock") > 4 * spread("synthwave")
    for family in FAMILIES:
        feel = load_feel(family)
        assert {"kick", "snare", "hat"} <= {drum for drum, _ in feel}
        assert all(abs(touch.late_ms) < 30 and touch.loudness_spread < 60 for touch in feel.values())
        assert feel["snare", 4].louder > feel["snare", 7].louder, "the backbeat is louder than a ghost note"


def test_swing_is_played_by_everybody_but_not_in_compound_time():
    def late(meter: str) -> float:
        score = piece("blues", swing=1.0, meter=meter)
        notes = [n for part in score.parts if part.role == "chords" for n in part.notes]
        return mean([n.micro for n in notes if n.onset % PPQ == PPQ // 2] or [0.0])

    assert late("4/4") > PPQ / 6 - 20
    assert late("12/8") < 40


def test_a_fade_dies_away_and_a_ritardando_slows():
    house = piece("house", length_s=90.0)
    bar = house.meter.bar_ticks
    drums = house.part("drums").notes
    last = [n.velocity for n in drums if n.onset >= house.end_tick - bar]
    before = [n.velocity for n in drums if house.end_tick - 8 * bar <= n.onset < house.end_tick - 7 * bar]
    assert mean(last) < mean(before) - 15
    slow = piece("classical")
    assert [change.bpm for change in slow.tempos] == sorted((change.bpm for change in slow.tempos), reverse=True)
    assert slow.tempos[0].bpm > slow.tempos[-1].bpm


def test_playing_is_seeded():
    assert piece("jazz", 4) == piece("jazz", 4)
    assert piece("jazz", 4) != piece("jazz", 5)


def test_strings_of_a_strum_are_struck_one_after_the_other():
    notes = piece("folk", mood=Mood(0.3, 0.9), length_s=90.0).part("guitar").notes
    by_onset: dict[int, list] = {}
    for note in notes:
        by_onset.setdefault(note.onset, []).append(note)
    strums = [sorted(chord, key=lambda n: n.micro) for chord in by_onset.values() if len(chord) >= 3]
    assert strums
    assert mean(chord[-1].micro - chord[0].micro for chord in strums) > 10
