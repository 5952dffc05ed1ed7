"""Words for feelings, in eight languages: read with negation, intensity and contrast into a point on Russell's
circumplex (valence, arousal in [-1, 1]). The lexicon and where it comes from: `moods.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from generator.brief import MOODS, STYLES, Mood

_ENDINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "german": ("", ("e", "er", "es", "en", "em")), "french": ("", ("e", "s", "es")),
    "spanish": ("o", ("a", "os", "as")), "portuguese": ("o", ("a", "os", "as")), "italian": ("o", ("a", "i", "e")),
}  # fmt: skip
"""By language the ending of an adjective as it stands in the table, and those it has beside nouns."""

LANGUAGES = ("german", "spanish", "french", "portuguese", "italian", "japanese")
JAPANESE = re.compile(r"[぀-ヿ一-鿿ー]+")
_LONGEST_JAPANESE = 8  # characters of a word


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("moods.toml").read_text("utf-8"))


def _lexicon() -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
    """Places by word, and the English word that a foreign one stands for. The earlier language wins a shared word."""
    table = _table()
    places = {word: (float(place[0]), float(place[1])) for word, place in table["english"].items()}
    english = {word: word for word in places}
    for language in LANGUAGES:
        for meaning, words in table[language].items():
            for word in [form for stem in words for form in (stem, *_inflected(stem.casefold(), language))]:
                places.setdefault(word.casefold(), places[meaning])
                english.setdefault(word.casefold(), meaning)
    return places, english


def _inflected(word: str, language: str) -> list[str]:
    if language not in _ENDINGS or not word.endswith(_ENDINGS[language][0]):
        return []
    plain, endings = _ENDINGS[language]
    return [word.removesuffix(plain) + ending for ending in endings]


LEXICON, MEANS = _lexicon()
STRONGER: Mapping[str, float] = _table()["stronger"]
WEAKER: Mapping[str, float] = _table()["weaker"]
NEGATIONS = frozenset(_table()["turns"]["negations"])
_NEGATED_BEFORE = frozenset(_table()["turns"]["after"])
CONTRASTS = frozenset(_table()["turns"]["contrasts"])
_BETWEEN = frozenset(_table()["turns"]["between"])
MODIFIERS = frozenset(STRONGER) | frozenset(WEAKER) | NEGATIONS | _NEGATED_BEFORE | CONTRASTS
_KNOWN = frozenset(LEXICON) | MODIFIERS | _BETWEEN


@dataclass(frozen=True, slots=True)
class Feeling:
    """What a text says of mood, which of its words (by position) said it, and what they hint at beside: shares of
    `styles`, and what is added to `attributes`."""

    mood: Mood | None
    used: frozenset[int]
    styles: dict[str, float] = field(default_factory=dict)
    attributes: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Said:
    """One feeling: its place with intensity applied, and how much it counts."""

    word: str
    valence: float
    arousal: float
    weight: float
    negated: bool

    def turned(self) -> tuple[float, float]:
        """Where a negated feeling stands: its opposite in valence, and of little arousal."""
        return (-0.6 * self.valence, 0.3 * self.arousal) if self.negated else (self.valence, self.arousal)


def words_of(text: str) -> list[str]:
    """Lower-case words and numbers. Japanese, which has no spaces, is cut into the longest words we know."""
    found: list[str] = []
    for word in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+", text.casefold().replace("’", "'")):
        found += _cut(word) if JAPANESE.search(word) else [word]
    return found


def _cut(text: str) -> list[str]:
    words, unknown, at = [], "", 0
    while at < len(text):
        longest = min(_LONGEST_JAPANESE, len(text) - at)
        size = next((size for size in range(longest, 0, -1) if text[at : at + size] in _KNOWN), 0)
        if size:
            words += [unknown, text[at : at + size]]
            unknown = ""
        else:
            unknown += text[at]
        at += size or 1
    return [word for word in (*words, unknown) if word]


def read_mood(words: Sequence[str]) -> Feeling:
    """Average the feelings among the words of a text (`words_of`).

    "very" and "a bit" scale the next feeling, "not" turns its valence and mutes its arousal, and what comes after
    "but" counts double: it is what is meant.
    """
    said: list[_Said] = []
    used: set[int] = set()
    pending: set[int] = set()
    scale, negated, weight = 1.0, False, 1.0
    for index, word in enumerate(words):
        if word in CONTRASTS:
            weight = 2.0
            used.add(index)
        elif word in _NEGATED_BEFORE and said:
            said[-1].negated = True
            used.add(index)
        elif word in STRONGER or word in WEAKER:
            scale *= STRONGER.get(word, 1.0) * WEAKER.get(word, 1.0)
            pending.add(index)
        elif word in NEGATIONS:
            negated = True
            pending.add(index)
        elif word in LEXICON:
            valence, arousal = (max(-1.0, min(1.0, value * scale)) for value in LEXICON[word])
            said.append(_Said(word, valence, arousal, weight, negated))
            used |= {index} | pending
            scale, negated, pending = 1.0, False, set()
        elif word not in _BETWEEN:
            scale, negated, pending = 1.0, False, set()
    if not said:
        return Feeling(None, frozenset())
    total = sum(one.weight for one in said)
    valence = sum(one.turned()[0] * one.weight for one in said) / total
    arousal = sum(one.turned()[1] * one.weight for one in said) / total
    named = tuple(f"not {one.word}" if one.negated else one.word for one in said)
    styles, attributes = _hints([one.word for one in said if not one.negated])
    return Feeling(Mood(round(valence, 3), round(arousal, 3), named), frozenset(used), styles, attributes)


def _hints(words: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    """What feelings say beside mood: shares of styles (at most 1 together) and additions to attributes."""
    styles: dict[str, float] = {}
    attributes: dict[str, float] = {}
    for word in words:
        for name, value in _table()["hints"].get(MEANS[word], {}).items():
            into = styles if name in STYLES else attributes
            into[name] = into.get(name, 0.0) + value
    total = max(1.0, sum(styles.values()))
    return {name: share / total for name, share in styles.items()}, attributes


def name_mood(mood: Mood) -> str:
    """The nearest of our mood names, to show the point in a word."""
    names = list(islice(LEXICON, len(MOODS)))
    return min(names, key=lambda n: (LEXICON[n][0] - mood.valence) ** 2 + (LEXICON[n][1] - mood.arousal) ** 2)
