"""What is said below the fronts is said in the reader's language, too."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from bot.discord_front.boundary import sentence_for
from bot.errors import UserError
from bot.i18n.catalogue import ENGLISH, LANGUAGES
from bot.i18n.told import told
from generator.brief import Attributes, Mood
from personalization.profile import ArtistPlays, Profile, RatedTrack
from personalization.propose import propose
from personalization.request import Request

ROOT = Path(__file__).parents[2]
SOURCES = (
    "bot/linking.py", "bot/moods.py", "bot/pieces.py", "bot/service.py", "bot/tastes.py", "personalization/request.py",
    "personalization/about.py", "personalization/understand.py", "personalization/likeness.py", "generator/gate.py",
    "personalization/sources/archive.py", "personalization/sources/records.py",
    "personalization/sources/listenbrainz.py", "personalization/sources/spotify.py", "generator/edit/mood.py",
)  # fmt: skip
# Only the command line, or a request that no form of ours can make, brings these about.
ELSEWHERE = (
    "is not linked by name", "There is no service", "A signal is one of", "What can be excluded is one of",
    "ratings here",
    "A rating is a whole number", "A blend follows one of", "There is no file", "cannot be read",
    "larger than", "x x.",  # of what a child process has heard: its sentences are below
)  # fmt: skip
OTHERS = [language for language in LANGUAGES if language != ENGLISH]


def _template(node: ast.expr) -> str | None:
    """A sentence of the source with an x for everything that is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None


def _raised() -> list[str]:
    found = []
    for name in SOURCES:
        for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else None
            sentence = _template(call.args[0]) if isinstance(call, ast.Call) and call.args else None
            if sentence and " " in sentence and (sentence[0] in "“x" or sentence[0].isupper()):
                found.append(sentence)
    return [sentence for sentence in found if not any(part in sentence for part in ELSEWHERE)]


HEARD = (
    "is no sound file I can read; send a WAV, FLAC, OGG or MP3 file",
    "is too short; send at least 3 seconds",
    "is silent",
)


@pytest.mark.parametrize("sentence", sorted({*_raised(), *(f"a.mp3 {what}." for what in HEARD)}))
def test_every_sentence_that_a_chat_can_meet_is_translated(sentence):
    for language in OTHERS:
        assert told(language, sentence) != sentence, language


def test_every_pattern_has_all_languages_and_the_same_places():
    data = tomllib.loads((ROOT / "bot/i18n/told.toml").read_text("utf-8"))
    for entry in (*data["sentence"], *data["word"]):
        assert set(entry) == set(LANGUAGES)
        places = [sorted(part.partition("}")[0] for part in entry[language].split("{")[1:]) for language in LANGUAGES]
        assert all(each == places[0] for each in places), entry[ENGLISH]


def test_an_error_is_said_in_the_readers_language():
    error = UserError("Only the one who asked for this piece can do that.")
    assert sentence_for(error, "de") == "Das kann nur, wer sich dieses Stück gewünscht hat."
    assert sentence_for(error, "en") == str(error)
    assert sentence_for(UserError("Something nobody has translated."), "fr") == "Something nobody has translated."


def _rated(stars: int, tempo_bpm: float, title: str) -> RatedTrack:
    attributes = Attributes((("lofi", 1.0),), 0.2, -0.2, tempo_bpm, 0.4, 0.0, 0.5, 0.4, 0.5, 0.3, ())
    return RatedTrack(title, title, attributes, Mood(0.2, -0.2), stars)


def test_all_reasons_of_a_piece_are_translated():
    plays = (ArtistPlays("Nujabes", ("lo-fi",), 30, "lastfm"),)
    profiles = (
        Profile("a"),
        Profile("b", plays=plays, ratings=(_rated(5, 80.0, "Night {Air}"), _rated(1, 150.0, "Rush"))),
        Profile(
            "c",
            plays=plays,
            ratings=tuple(_rated(3, 90.0, str(index)) for index in range(9)),
            recent_styles=("lofi",) * 9,
        ),
    )
    reasons = {
        why for profile in profiles for seed in range(4) for why in propose(Request("chill"), profile, seed=seed).why
    }
    assert len(reasons) >= 5
    for why in reasons:
        for language in OTHERS:
            assert told(language, why) != why, why
