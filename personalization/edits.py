"""A taste changed in plain words: “more jazz, fewer drums, slower, I hate country; forget rock”."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from personalization.genres import genres_of_artist
from personalization.mood import JAPANESE
from personalization.statements import Statement, recognise
from personalization.translate import foreign_words, in_english

_CLAUSES = re.compile(r"[,;.!?、。]")
_ELIDED = re.compile(r"\b[cdjlmnst]['’](?=\w{2})")  # “n'aime pas”, “l'orgue”


@dataclass(frozen=True, slots=True)
class Edits:
    """What was said, what was taken back, and the clauses nothing could be made of."""

    said: tuple[Statement, ...]
    withdrawn: tuple[Statement, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Words:
    """The table `edits.toml`: what a word does, and what it is called by."""

    verbs: Mapping[str, str]
    joining: frozenset[str]
    filler: frozenset[str]
    comparatives: Mapping[str, str]
    names: Mapping[str, str]
    japanese: re.Pattern[str]
    """The words of the table that stand between no spaces."""


@cache
def _words() -> _Words:
    table = tomllib.loads(files(__package__).joinpath("edits.toml").read_text("utf-8"))

    def meanings(name: str) -> dict[str, str]:
        return {word.casefold(): meaning for meaning, words in table[name].items() for word in words}

    verbs, comparatives, names = meanings("verbs"), meanings("comparatives"), meanings("names")
    joined = sorted((word for word in {*verbs, *names, *foreign_words()} if JAPANESE.search(word)), key=len)
    japanese = re.compile("|".join(map(re.escape, reversed(joined))))
    filler = frozenset(word.casefold() for word in table["words"]["filler"])
    return _Words(verbs, frozenset(table["words"]["and"]), filler, comparatives, names, japanese)


def read_edits(text: str) -> Edits:
    """Read wish by wish; a verb holds until another one comes: “more jazz and funk, less rock”. A comparative needs
    none: in “fewer drums, slower” slow is liked.

    What has no verb at all says a liking. Nothing raises; what is not understood is named.
    """
    said: dict[tuple[str, str], Statement] = {}
    withdrawn: list[Statement] = []
    unknown: list[str] = []
    held = "more"
    for verb, wished in _wishes(text):
        held = verb or ("more" if wished in _words().comparatives else held)
        name = _words().comparatives.get(wished) or _named(wished)
        statement = recognise(name[:200], liked=held == "more")
        if statement.kind == "artist" and not genres_of_artist(statement.value) and held != "forget":
            unknown.append(wished)
        elif held == "forget":
            withdrawn.append(statement)
        else:
            said[statement.kind, statement.value] = statement
    return Edits(tuple(said.values()), tuple(withdrawn), tuple(unknown))


def _named(wished: str) -> str:
    """What recognise() calls it by."""
    names, english = _words().names, in_english(wished).strip()
    return names.get(wished) or names.get(english, english)


def _wishes(text: str) -> list[tuple[str, str]]:
    """Verb (more, less, forget or, where none is said, nothing) and what it is about. It may come behind: “rock mag
    ich nicht”."""
    words = _words()
    spaced = words.japanese.sub(lambda found: f" {found[0]} ", _ELIDED.sub("", text.casefold()))
    found: list[tuple[str, str]] = []
    for clause in _CLAUSES.split(spaced):
        first, verb, rest = len(found), "", list[str]()
        for word in [*clause.split(), ""]:
            turn = words.verbs.get(word, "")
            if rest and (turn or not word or word in words.joining):
                found.append((verb, " ".join(rest)))
                verb, rest = "", []
            if turn:
                verb = "less" if turn == "not" or (turn == "more" and verb == "less") else turn
            elif word and word not in words.joining | words.filler:
                rest.append(word)
        if verb and len(found) > first:
            found[-1] = (verb, found[-1][1])
    return found
