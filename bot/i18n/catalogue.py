"""The catalogue: sentences by key and language, with placeholders in braces."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "es", "fr", "pt", "ja")


@cache
def sentences(language: str) -> Mapping[str, str]:
    """All sentences of a language by dotted key."""
    data = tomllib.loads((resources.files("bot.i18n") / f"{language}.toml").read_text("utf-8"))
    return dict(_flat(data, ""))


def language_of(locale: object) -> str:
    """The language to answer in: “pt-BR” is pt, and what we do not speak is English."""
    language = str(locale).partition("-")[0].lower()
    return language if language in LANGUAGES else ENGLISH


def say(language: str, key: str, /, **values: Any) -> str:
    """A sentence with its placeholders filled. Raises KeyError for a key that is not in the catalogue."""
    return sentences(language)[key].format(**values)


def _flat(data: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in data.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", str(value))]
    return found
