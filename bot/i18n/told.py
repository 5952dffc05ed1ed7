"""Sentences that are made elsewhere, in English, in the reader's language: errors below the fronts, reasons of a taste.

What makes them knows no languages, and what is stored of them (a reason, a failure) outlives the reader's choice of
one. So a sentence is recognised by its English pattern, as in gettext, with its placeholders as names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from bot.i18n.catalogue import ENGLISH

_PLACE = re.compile(r"\{(\w+)\}")


def told(language: str, sentence: str) -> str:
    """The sentence in a language; as it is where no pattern fits or nobody has translated it."""
    if language == ENGLISH:
        return sentence
    for pattern, translations in _patterns():
        match = pattern.fullmatch(sentence)
        if match and language in translations:
            return translations[language].format(
                **{name: _words().get(value, {}).get(language, value) for name, value in match.groupdict().items()}
            )
    return sentence


@cache
def _patterns() -> list[tuple[re.Pattern[str], Mapping[str, str]]]:
    """The most particular first: those with most letters of their own."""
    entries = sorted(_data()["sentence"], key=lambda entry: -len(_PLACE.sub("", entry["en"])))
    return [(re.compile(_expression(entry["en"]), re.DOTALL), entry) for entry in entries]


def _expression(template: str) -> str:
    parts = _PLACE.split(template)
    return "".join(f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))


@cache
def _words() -> dict[str, Mapping[str, str]]:
    return {entry["en"]: entry for entry in _data()["word"]}


@cache
def _data() -> dict[str, list[dict[str, str]]]:
    return tomllib.loads((resources.files("bot.i18n") / "told.toml").read_text("utf-8"))
