"""What free text means, and what is said when it means nothing or the impossible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.brief import METERS, MOODS, STYLES
from personalization.mood import LEXICON, name_mood, read_mood
from personalization.request import MAX_TEXT, Request, RequestError
from personalization.translate import foreign_words, in_english
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


@pytest.mark.parametrize(
    ("text", "style", "metre", "key", "seconds", "wanted", "unwanted"),
    [
        ("jazz waltz in A minor with piano, no drums, 90 seconds", "jazz", "3/4", "A minor", 90, "grand_piano", True),
        ("Jazzwalzer: Jazz, Walzer in a-Moll mit Klavier ohne Schlagzeug, 90 Sekunden", "jazz", "3/4", "A minor", 90,
         "grand_piano", True),
        ("vals de jazz en la menor con violín, sin batería, dos minutos", "jazz", "3/4", "A minor", 120, "violin",
         True),
        ("valse jazz en si bémol mineur avec guitare, sans batterie, une minute", "jazz", "3/4", "Bb minor", 60,
         "nylon_guitar", True),
        ("valsa de jazz em fá# menor com violão sem bateria", "jazz", "3/4", "F# minor", None, "nylon_guitar", True),
        ("valzer jazz in do diesis minore con flauto, senza batteria, mezzo minuto", "jazz", "3/4", "C# minor", 30,
         "flute", True),
        ("イ短調のジャズワルツ、ピアノ、ドラムなし、1分30秒", "jazz", "3/4", "A minor", 90, "grand_piano", True),
        ("klassisches Stück in B-Dur mit Kontrabass", "classical", None, "Bb major", None, "upright_bass", False),
        ("Klassik in fis-Moll, H-Dur wäre auch schön", "classical", None, None, None, None, False),
    ],
)  # fmt: skip
def test_a_request_in_every_language(text, style, metre, key, seconds, wanted, unwanted):
    found = understand(text)
    assert found.styles == {style: 1.0}
    assert found.meter == metre
    assert key is None or found.key == key
    assert found.length_s == seconds
    assert wanted is None or wanted in found.wanted
    assert ("drum_kit" in found.unwanted) == unwanted
    assert "drum_kit" not in found.wanted


def test_feelings_are_read_as_they_are_bent():
    for text in ("trauriger Walzer", "canción melancólica", "una canzone triste e malinconica", "chansons tristes"):
        found = understand(text)
        assert found.mood is not None, text
        assert found.mood.valence < 0, text


def test_an_instrument_of_two_words_is_one():
    assert understand("upright bass").wanted == ("upright_bass",)
    found = understand("house with synth bass")
    assert found.styles == {"house": 1.0}
    assert found.wanted == ("synth_bass", "sub_bass")
    assert understand("acoustic guitars and trumpets").instrument_words == ("acoustic guitar", "trumpet")


def test_every_metre_can_be_said():
    for metre in METERS:
        assert understand(f"jazz in {metre}").meter == metre


def test_what_is_english_stays_as_it_is():
    text = "Two DUE minutes, do it In the House"
    assert in_english(text) == text


def test_all_that_is_translated_is_understood():
    """A word of the table that led to nothing would be dead."""
    for word in foreign_words():
        found = understand(f"x {word} x")
        assert set(found.unknown) <= {"x"}, (word, in_english(word), found)


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


@pytest.mark.parametrize("text", ["in H minor", "in H", "900 bpm", "11/8 groove", "100 minutes", "1 second"])
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
