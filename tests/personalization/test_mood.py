"""The mood parser: every language, negation, intensity and contrast; nothing it is given makes it fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.brief import STYLES
from personalization.mood import LANGUAGES, LEXICON, MEANS, STRONGER, WEAKER, _table, read_mood, words_of
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request
from personalization.understand import understand

FEELINGS = st.sampled_from(sorted(word for word in LEXICON if MEANS[word] == word))


def mood_of(text: str):
    return read_mood(words_of(text)).mood


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_and_stays_on_the_circumplex(text):
    mood = mood_of(text)
    assert mood is None or (-1 <= mood.valence <= 1 and -1 <= mood.arousal <= 1)


@given(FEELINGS)
@settings(deadline=None)
def test_not_turns_a_feeling_and_very_never_weakens_it(word):
    plain, turned, strong, weak = (mood_of(f"{before}{word}") for before in ("", "not ", "very ", "slightly "))
    assert turned.valence * plain.valence <= 0
    assert abs(strong.valence) >= abs(plain.valence) >= abs(weak.valence)
    assert abs(strong.arousal) >= abs(plain.arousal) >= abs(weak.arousal)


@given(FEELINGS, FEELINGS)
@settings(deadline=None)
def test_what_follows_but_is_what_is_meant(first, second):
    mood, after = mood_of(f"{first} but {second}"), LEXICON[second]
    before = LEXICON[first]
    assert abs(mood.valence - after[0]) <= abs(mood.valence - before[0]) + 1e-3


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_what_its_english_words_say(language):
    for meaning, words in _table()[language].items():
        for word in words:
            assert words_of(word) == [word.casefold()], "a word is found in a text as it stands in the table"
            assert LEXICON[word.casefold()][0] * LEXICON[meaning][0] >= 0


@pytest.mark.parametrize(
    ("text", "glad", "lively"),
    [
        ("nicht traurig", True, False), ("sehr traurig", False, False), ("muy feliz", True, True),
        ("pas triste", True, False), ("não triste", True, False), ("molto malinconico", False, False),
        ("とても悲しい曲", False, False), ("楽しくない", False, True), ("楽しい", True, True),
    ],
)  # fmt: skip
def test_negation_and_intensity_in_other_languages(text, glad, lively):
    mood = mood_of(text)
    assert (mood.valence > 0, mood.arousal > 0) == (glad, lively)


def test_modifiers_point_the_way_they_say():
    assert all(factor > 1 for factor in STRONGER.values())
    assert all(factor < 1 for factor in WEAKER.values())


def test_hints_lean_and_name_only_what_there_is():
    for word, hint in _table()["hints"].items():
        assert word in LEXICON
        assert set(hint) <= {*STYLES, "density", "brightness", "acousticness"}
    assert understand("epic").hinted_styles["cinematic"] > 0
    assert understand("not epic").hinted_styles == {}
    plain, hinted = (
        [propose(Request(text), Profile("a"), seed=seed).brief.style for seed in range(20)]
        for text in ("powerful", "epic")
    )
    assert hinted.count("cinematic") > plain.count("cinematic")


def test_a_mood_is_adjusted_by_hand():
    brief = propose(Request("sad", mood=(0.9, 0.8)), Profile("a"), seed=1).brief
    assert brief.mood.valence > 0.6
    assert brief.mood.words == ("sad",)
