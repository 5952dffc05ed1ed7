"""What a request asks beside a feeling, from other languages into the English words that `understand` knows.

Feelings are not translated: `mood` reads them in every language. The table and where it comes from: `words.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from personalization.mood import JAPANESE, LANGUAGES

_GERMAN_KEY = re.compile(r"(?<!\w)([a-h])(is|es|s)?[- ]?(dur|moll)(?!\w)")


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))


@cache
def _english() -> Mapping[str, str]:
    """English by foreign word or phrase; the earlier language wins a shared one."""
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for english, words in _table()[language].items():
            for word in words:
                found.setdefault(word.casefold(), english)
    return found


def _meanings(name: str) -> dict[str, str]:
    return {word: meaning for meaning, words in _table()[name].items() for word in words}


def _any_of(words: Iterable[str]) -> str:
    """A pattern for the longest of these words."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Lengths, keys, words between spaces and words between none (with what takes them back)."""
    words, notes = _english(), _meanings("notes")
    signs = [word for word, note in notes.items() if note in {"#", "b"}]
    names = [word for word in notes if word not in signs]
    modes = [word for word, english in words.items() if english in {"major", "minor"}]
    japanese = {word for word in words if JAPANESE.search(word)}
    number = rf"\d+(?:[.,]\d+)?|{_any_of(_meanings('numbers'))}"
    length = re.compile(rf"(?<![a-zà-ÿ\d])({number})\s*-?\s*({_any_of(_meanings('units'))})(?![a-zà-ÿ])")
    key = re.compile(
        rf"(?<![a-zà-ÿ])({_any_of(signs)})?({_any_of(names)})\s*({_any_of(signs)})?\s*({_any_of(modes)})(?![a-zà-ÿ])"
    )
    spaced = re.compile(rf"(?<!\w)(?:{_any_of(set(words) - japanese)})(?!\w)")
    joined = re.compile(rf"({_any_of(japanese)})(なし|無し|抜き)?")
    return length, key, spaced, joined


def in_english(text: str) -> str:
    """The text with what is known of it in English; where nothing is foreign, as it was."""
    folded = text.casefold()
    length, key, spaced, joined = _patterns()
    found = length.sub(_length, folded)
    found = key.sub(_key, _GERMAN_KEY.sub(_german_key, found))
    found = spaced.sub(lambda match: _english()[match[0]], found)
    found = joined.sub(lambda match: f" {'no ' if match[2] else ''}{_english()[match[1]]} ", found)
    return text if found == folded else found


def foreign_words() -> frozenset[str]:
    """All that is translated."""
    return frozenset(_english())


FILLER = frozenset(_table()["filler"]["words"])
"""Words that ask for nothing."""


def _length(match: re.Match[str]) -> str:
    return f" {_meanings('numbers').get(match[1], match[1])} {_meanings('units')[match[2]]} "


def _key(match: re.Match[str]) -> str:
    notes = _meanings("notes")
    sign = notes.get(match[1] or match[3] or "", "")
    return f" {notes[match[2]]}{sign} {_english()[match[4]]} "


def _german_key(match: re.Match[str]) -> str:
    """H is what others call B, B is B flat; Es and As are E and A flat."""
    letter, sign = match[1].upper(), {"is": "#", "es": "b", "s": "b"}.get(match[2] or "", "")
    letter, sign = {"H": ("B", sign), "B": ("B", "b")}.get(letter, (letter, sign))
    return f" {letter}{sign} {_english()[match[3]]} "
