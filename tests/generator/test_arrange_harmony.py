"""Harmony: voices that move well, and substitutes that the tune permits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.arrange.patterns import busier, derive, parse_pattern
from generator.arrange.roman import parse_roman
from generator.arrange.style import load_style
from generator.arrange.substitution import permits, substitute
from generator.arrange.voicing import voice
from generator.brief import Key
from generator.plan import make_plan
from generator.score import CHORD_TONES, PPQ, Chord, Note
from tests.generator.leads import simple_lead
from tests.generator.scores import brief

BAR = 4 * PPQ
chords = st.builds(Chord, st.just(0), st.just(BAR), st.integers(0, 11), st.sampled_from(list(CHORD_TONES)))


@given(st.lists(chords, min_size=1, max_size=12), st.integers(2, 6), st.integers(0, 11))
def test_voicings_stay_in_register_and_never_double_the_leading_tone(progression, voices, leading):
    for chord, pitches in zip(progression, voice(progression, 48, 72, voices, leading), strict=True):
        assert list(pitches) == sorted(set(pitches))
        assert 1 <= len(pitches) <= voices
        assert 48 <= pitches[0] <= pitches[-1] <= 72
        assert {pitch % 12 for pitch in pitches} <= set(chord.pitch_classes)
        assert sum(pitch % 12 == leading for pitch in pitches) <= 1


def test_a_common_tone_is_held_and_the_rest_moves_by_step():
    progression = [Chord(0, BAR, 0, ""), Chord(0, BAR, 9, "m"), Chord(0, BAR, 5, ""), Chord(0, BAR, 7, "")]
    voiced = voice(progression, 52, 72, 3, leading=11)
    for before, after in pairwise(voiced[:3]):
        assert len(set(before) & set(after)) == 2, "two tones are common to C, Am and F, and are held"
    assert all(abs(a - b) <= 3 for x, y in pairwise(voiced) for a, b in zip(x, y, strict=True))


def test_the_whole_progression_is_weighed_not_only_the_next_chord():
    rng = np.random.default_rng(3)
    for _ in range(20):
        progression = [Chord(0, BAR, int(rng.integers(12)), str(rng.choice(["", "m", "7"]))) for _ in range(8)]
        whole = voice(progression, 48, 72, 4)
        moves = sum(abs(a - b) for x, y in pairwise(whole) for a, b in zip(reversed(x), reversed(y), strict=False))
        assert moves / 7 <= 4 * 3, "less than a minor third for each of four voices"


def test_a_tune_forbids_a_chord_a_semitone_below_it():
    assert not permits([Note(0, PPQ, 65)], Chord(0, BAR, 0, "maj7")), "F against the third of C"
    assert permits([Note(0, PPQ, 67)], Chord(0, BAR, 0, "maj7"))
    assert permits([Note(0, PPQ // 4, 65)], Chord(0, BAR, 0, "maj7")), "it only passes"
    assert permits([Note(BAR, PPQ, 65)], Chord(0, BAR, 0, "maj7")), "it comes later"


def _reharmonised(complexity: float, melody: list[Note], novelty: float = 0.0) -> list[Chord]:
    asked = brief("jazz", complexity=complexity, novelty=novelty, length_s=120.0, tempo_bpm=140.0)
    style = load_style("jazz")
    plan = make_plan(asked, style)
    roots = (0, 9, 2, 7, 0, 5, 2, 7)
    plain = [Chord(i * BAR, BAR, roots[i % 8], "7" if roots[i % 8] == 7 else "maj7" if roots[i % 8] in {0, 5} else "m7")
             for i in range(plan.bars)]  # fmt: skip
    return substitute(plain, melody, Key(0, "major"), plan, asked, style, np.random.default_rng(1))


def test_substitutions_grow_with_complexity_and_keep_the_time():
    def richness(complexity: float, novelty: float = 0.0) -> int:
        return len(_reharmonised(complexity, [], novelty))

    assert richness(0.0) < richness(0.5) < richness(1.0)
    assert richness(0.5) <= richness(0.5, 1.0)
    for chord, following in pairwise(_reharmonised(1.0, [])):
        assert chord.end == following.onset
        assert chord.duration > 0


def test_no_substitute_clashes_with_the_tune():
    tune = [Note(i * PPQ, PPQ, (60, 64, 65, 71, 67, 62, 69)[i % 7]) for i in range(4 * 68)]
    plain = {(c.onset, c.root, c.quality) for c in _reharmonised(0.0, tune)}
    new = [c for c in _reharmonised(1.0, tune) if (c.onset, c.root, c.quality) not in plain]
    kept_half = [c for c in new if not any(c.onset == onset and c.root == root for onset, root, _ in plain)]
    assert kept_half, "something was substituted"
    assert all(permits(tune, chord) for chord in kept_half)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("I", (0, "")),
        ("ii7", (2, "m7")),
        ("V7", (7, "7")),
        ("bVII", (10, "")),
        ("#ivdim7", (6, "dim7")),
        ("vi", (9, "m")),
    ],
)
def test_roman_numerals(text, means):
    assert parse_roman(text) == means


@given(st.lists(st.integers(0, 15), min_size=1, max_size=6, unique=True), st.floats(0.0, 2.0), st.integers(0, 999))
def test_the_sparsest_player_still_plays(places, density, seed):
    (bar,) = parse_pattern(" ".join(f"{place}:1" for place in sorted(places)), "4/4").bars
    assert busier(bar, density, "4/4", np.random.default_rng(seed))
    assert busier((), density, "4/4", np.random.default_rng(seed)) == ()


def test_seven_eighths_keep_the_backbeat_and_the_reach_of_notes():
    walking = derive(parse_pattern("0:4:R 4:4:3 8:4:5 12:4:6", "4/4"), "7/8")
    assert [(s.pos, s.length) for s in walking.bars[0]] == [(0, 4), (4, 4), (8, 4), (12, 2)]
    whole = derive(parse_pattern("0:16:R", "4/4"), "5/4")
    assert [(s.pos, s.length) for s in whole.bars[0]] == [(0, 20)]
    shuffle = derive(parse_pattern("0:2 2:2 4:2 6:2 8:2 10:2 12:2 14:2", "4/4"), "12/8")
    assert [s.pos for s in shuffle.bars[0]] == [0, 4, 6, 10, 12, 16, 18, 22]


def test_the_leads_of_these_tests_are_playable():
    asked = brief("folk", meter="7/8", length_s=30.0)
    style = load_style("folk")
    lead = simple_lead(asked, make_plan(asked, style), style, 1)
    assert all(note.pos + note.dur <= 42 for bar in lead.materials["A"] for note in bar.melody)
