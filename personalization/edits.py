"""A taste changed in plain words: “more jazz, less fast music, I hate country; forget rock”."""

from __future__ import annotations

import re
from dataclasses import dataclass

from personalization.genres import genres_of_artist
from personalization.statements import ATTRIBUTES, Statement, recognise

_MORE = frozenset(
    "more like likes love loves enjoy prefer want yes mehr mag liebe más mas gusta plus aime mais gosto più piu "
    "amo もっと 好き".split()
)
_LESS = frozenset(
    "less no not hate dislike without never fewer stop weniger kein keine hasse menos odio moins deteste déteste "
    "meno 嫌い".split()
)
_FORGET = frozenset("forget unsay withdraw neither vergiss olvida oublie esquece dimentica 忘れて".split())
_FILLER = (
    frozenset(
        "i i'm me my a an the and or please really very much of to do don't dont for with any some music songs song "
        "tracks pieces stuff too so it that ich und bitte musik je et de la le les du des y el los las e o os as "
        "musica música musique it's more".split()
    )
    - _MORE
)
_ADJECTIVES = {"slower": "slow", "faster": "fast", "calmer": "calm", "livelier": "lively", "darker": "dark",
               "happier": "cheerful", "busier": "busy", "sparser": "sparse", "electronic": "electronic sounds",
               "minor": "minor keys", "major": "major keys"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edits:
    """What was said, what was taken back, and the clauses nothing could be made of."""

    said: tuple[Statement, ...]
    withdrawn: tuple[Statement, ...]
    unknown: tuple[str, ...]


def read_edits(text: str) -> Edits:
    """Read clauses one by one; a verb holds until another one comes: “more jazz and funk, less rock”.

    A clause without any verb says a liking. Nothing raises; what is not understood is named.
    """
    said: dict[tuple[str, str], Statement] = {}
    withdrawn: list[Statement] = []
    unknown: list[str] = []
    verb = "more"
    for clause in re.split(r"[,;.!?、。]|\b(?:and|but|und|aber|y|pero|et|mais|e|ma)\b", text.casefold()):
        words = re.findall(r"[^\s]+", clause)
        verb, rest = _verb(words, verb)
        if not rest:
            continue
        name = " ".join(rest)
        statement = recognise(_ADJECTIVES.get(name, name)[:200], liked=verb == "more")
        if statement.kind == "artist" and not _is_known_artist(statement) and verb != "forget":
            unknown.append(name)
        elif verb == "forget":
            withdrawn.append(statement)
        else:
            said[statement.kind, statement.value] = statement
    return Edits(tuple(said.values()), tuple(withdrawn), tuple(unknown))


def _verb(words: list[str], before: str) -> tuple[str, list[str]]:
    """The verb of a clause, or the one before it, and the words it is about."""
    verb, rest = before, []
    negated = any(word in {"don't", "dont", "not", "nicht", "no", "ne", "non", "não"} for word in words)
    for word in words:
        if word in _FORGET:
            verb = "forget"
        elif word in _LESS:
            verb = "less"
        elif word in _MORE:
            verb = "less" if negated else "more"
        elif word not in _FILLER or word in ATTRIBUTES:
            rest.append(word)
    return verb, rest


def _is_known_artist(statement: Statement) -> bool:
    return bool(genres_of_artist(statement.value))
