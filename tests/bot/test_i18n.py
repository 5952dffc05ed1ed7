"""The catalogue: the same sentences with the same placeholders in every language, within Discord's limits."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest

from bot.changes import CHANGES
from bot.i18n.catalogue import ENGLISH, LANGUAGES, language_of, say, sentences

BOT = Path(__file__).parents[2] / "bot"
FRONT = BOT / "discord_front"
NAME = re.compile(r"^[-_\w]{1,32}$")


def placeholders(text: str) -> Counter[tuple[str, str]]:
    return Counter((name, spec or "") for _, name, spec, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_there_with_the_same_placeholders(language: str) -> None:
    assert set(sentences(language)) == set(sentences(ENGLISH))
    for key, text in sentences(language).items():
        assert text.strip(), key
        assert placeholders(text) == placeholders(sentences(ENGLISH)[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_and_descriptions_are_what_discord_takes(language: str) -> None:
    siblings: dict[str, list[str]] = {}
    for key, text in sentences(language).items():
        if not key.startswith("commands."):
            continue
        if key.endswith(".name") and key != "commands.menu.name":
            assert NAME.match(text), key
            assert text == text.lower(), key
            siblings.setdefault(key.rsplit(".", 2)[0], []).append(text)
        assert len(text) <= 100, key
    for names in siblings.values():
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != ENGLISH])
def test_a_language_is_translated(language: str) -> None:
    same = [key for key, text in sentences(language).items() if text == sentences(ENGLISH)[key]]
    assert len(same) < 20, same


def test_every_key_that_is_said_exists_and_every_sentence_is_said() -> None:
    source = "\n".join(path.read_text("utf-8") for path in FRONT.rglob("*.py"))
    said = set(re.findall(r'"([a-z]+\.[a-z_]+)"', source)) | {f"changes.{name}" for name in CHANGES}
    said |= {key for path in BOT.rglob("*.py") for key in re.findall(r'Refused\("([a-z._]+)"', path.read_text("utf-8"))}
    known = set(sentences(ENGLISH))
    commands = {key.removeprefix("commands.").removesuffix(".description") for key in known if "commands." in key}
    prefixes = tuple({key.split(".", maxsplit=1)[0] + "." for key in known})
    assert {key for key in said - commands if key.startswith(prefixes)} - known == {"taste.json", "taste.png"}
    built = set(re.findall(r'f"([a-z]+)\.(?:[a-z]+_)?\{', source)) | {"commands", "privacy", "history", "favourites"}
    unsaid = {key for key in known if key not in said and key.split(".")[0] not in built}
    assert unsaid == set()


def test_languages_of_locales() -> None:
    assert [language_of(locale) for locale in ("en-GB", "de", "es-419", "pt-BR", "ja", "fi")] == [
        "en", "de", "es", "pt", "ja", "en",
    ]  # fmt: skip
    assert say("de", "cancel.done") == "Abgebrochen."
    with pytest.raises(KeyError):
        say("de", "no.such")
