"""What free text means, and what is said when it means nothing or the impossible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.brief import MOODS, STYLES
from personalization.mood import LEXICON, name_mood, read_mood
from personalization.request import MAX_TEXT, Request, RequestError
from personalization.understand import understand


def test_a_sentence_with_everything_in_it():
    found = understand("90 bpm jazz waltz in F, 2 minutes, with piano and no drums")
    assert found.tempo_bpm == 90
    assert found.styles == {"jazz": 1.0}
    assert found.meter == "3/4"
    assert found.key == "F major"
    assert found.length_s == 120
    assert "grand_piano" in found.wanted
    assert "drum_kit" in found.unwanted
    assert found.unknown == ()


def test_contrast_and_purpose():
    found = understand("something sad but hopeful for studying")
    assert found.mood is not None
    assert found.mood.words == ("sad", "hopeful", "studying")
    sad = understand("sad").mood
    assert found.mood.valence > sad.valence
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("text", "key"),
    [("in A minor", "A minor"), ("Bb major please", "Bb major"), ("f# minor", "F# minor"), ("in F", "F major"),
     ("key of Eb", "Eb major"), ("c sharp minor", "C# minor"), ("in Dm", "D minor"), ("in a sad mood", None)],
)  # fmt: skip
def test_keys(text, key):
    assert understand(text).key == key


def test_a_minor_key_is_a_mode_not_a_tonic():
    found = understand("something in a minor key")
    assert (found.key, found.mode) == (None, "minor")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2:30", 150),
        ("90 seconds", 90),
        ("1.5 minutes", 90),
        ("a minute", 60),
        ("1 minute 15 seconds", 75),
        ("45s", 45),
    ],
)
def test_lengths(text, seconds):
    assert understand(f"chill {text}").length_s == seconds


def test_every_style_and_mood_name_is_understood():
    for style in STYLES:
        assert understand(style).styles == {style: 1.0}
    for mood in MOODS:
        assert understand(mood).mood is not None
        assert mood in LEXICON


def test_unknown_words_are_named():
    assert understand("a florbish zonk for my cat").unknown == ("florbish", "zonk", "cat")
    assert understand("chill").heard == ("mood chill (chill)",)


def test_negation_and_intensity():
    happy, very, slightly, unhappy = (
        read_mood(text.split()).mood for text in ("happy", "very happy", "slightly happy", "not happy")
    )
    assert very.arousal > happy.arousal > slightly.arousal
    assert unhappy.valence < 0 < slightly.valence < happy.valence


def test_a_style_that_names_a_mood_is_both():
    found = understand("dark ambient")
    assert found.styles == {"ambient": 1.0}
    assert found.mood.valence < 0


@pytest.mark.parametrize("text", ["no jazz please", "anything without jazz"])
def test_an_unwanted_style_is_not_wanted(text):
    assert understand(text).styles == {}


@pytest.mark.parametrize("text", ["in H minor", "in H", "900 bpm", "5/4 groove", "100 minutes", "1 second"])
def test_the_impossible_gets_one_sentence(text):
    with pytest.raises(RequestError) as caught:
        understand(text)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@given(st.text(max_size=MAX_TEXT))
def test_no_text_breaks_it(text):
    try:
        found = understand(text)
    except RequestError as error:
        assert str(error)
    else:
        assert all(word in text.casefold().replace("’", "'") for word in found.unknown)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text": ""}, "Tell me"), ({"text": "   "}, "Tell me"), ({"text": "x" * 2000}, "2,000 characters"),
        ({"length_s": 0}, "from 10 to 600 seconds"), ({"length_s": 100_000}, "100000"),
        ({"length_s": float("nan")}, "length"), ({"styles": ("polka",)}, "polka"), ({"key": "H minor"}, "H minor"),
        ({"tempo_bpm": 900.0}, "tempo"), ({"takes": 0}, "takes"), ({"novelty": 2.0}, "novelty"),
        ({"seed": -1}, "seed"), ({"meter": "11/8"}, "11/8"),
    ],
)  # fmt: skip
def test_bad_options_are_refused_in_a_sentence(options, says):
    with pytest.raises(RequestError) as caught:
        Request(**({"text": "chill"} | options))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_request_survives_json():
    request = Request("chill", ("lofi", "jazz"), 80.0, "A minor", "3/4", 45.0, 7, 3, 0.2)
    assert Request.from_dict(request.to_dict()) == request


def test_moods_have_names():
    assert name_mood(read_mood(["chill"]).mood) == "chill"
