"""What listeners say of their own taste, and what that says of the features of music.

Statements are the only evidence beside ratings that reaches a taste model, and only a listener's own: the type refuses
any other source. A liked style counts as an ordinary piece rated 4.3 for being of that style and no more than any other
for the rest, with more noise than a rating, so that it leans what is composed and a few real ratings outweigh it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from generator.brief import Attributes, Mood
from personalization.features import features
from personalization.genres import STYLE_FACTS, genres_of_artist, normalise, styles_of_genre
from personalization.listens import Source
from personalization.population import NEUTRAL
from personalization.taste import Statement as Evidence
from personalization.understand import INSTRUMENTS

Kind = Literal["style", "artist", "attribute", "instrument"]

LIKED, DISLIKED, NOISE = 4.3, 1.9, 1.1
MAX_LENGTH = 200  # characters

# Words for one end of a dimension -> the dimension, its value there, and at the other end.
ATTRIBUTES: dict[str, tuple[str, float, float]] = {
    "slow": ("tempo_bpm", 65, 135), "fast": ("tempo_bpm", 135, 65),
    "calm": ("arousal", -0.6, 0.6), "lively": ("arousal", 0.6, -0.6),
    "dark": ("valence", -0.6, 0.6), "cheerful": ("valence", 0.6, -0.6),
    "acoustic": ("acousticness", 0.95, 0.1), "electronic sounds": ("acousticness", 0.1, 0.95),
    "minor keys": ("minor", 1, 0), "major keys": ("minor", 0, 1),
    "sparse": ("density", 0.2, 0.8), "busy": ("density", 0.8, 0.2),
    "plain harmony": ("complexity", 0.2, 0.8), "rich harmony": ("complexity", 0.8, 0.2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """One like or dislike, such as “I like jazz”. `value` is as `normalise` leaves it or, for an artist, as typed.

    Raises ValueError for words that are not the listener's own.
    """

    kind: Kind
    value: str
    liked: bool
    source: Source = Source.SELF

    def __post_init__(self) -> None:
        if not self.source.trainable:
            raise ValueError(f"what {self.source} says is no statement of a listener")


def recognise(text: str, *, liked: bool) -> Statement:
    """A statement about an attribute, a style or genre, an instrument, or else an artist, known or not.

    Raises:
        ValueError: the text is empty or too long; one sentence says which.
    """
    text = " ".join(text.split())
    if not text or len(text) > MAX_LENGTH:
        raise ValueError(f"Name a style, an artist or one of {', '.join(ATTRIBUTES)}, in at most {MAX_LENGTH} letters.")
    name = normalise(text)
    if name in ATTRIBUTES:
        return Statement("attribute", name, liked)
    if not genres_of_artist(text) and styles_of_genre(name) is not None:
        return Statement("style", name, liked)
    if name in INSTRUMENTS:
        return Statement("instrument", name, liked)
    return Statement("artist", text, liked)


def styles_of(statement: Statement) -> dict[str, float]:
    """Our styles for a statement, weights summing to 1; empty for what is no music and for what no table knows."""
    if statement.kind in {"attribute", "instrument"}:
        return {}
    genres = (statement.value,) if statement.kind == "style" else genres_of_artist(statement.value)
    found: dict[str, float] = {}
    for genre in genres:
        for style, weight in (styles_of_genre(genre) or {}).items():
            found[style] = found.get(style, 0.0) + weight
    total = sum(found.values())
    return {style: weight / total for style, weight in found.items()}


def instruments_of(statements: Iterable[Statement], *, liked: bool) -> tuple[str, ...]:
    """Names in the instrument catalogue of what is liked, or is not, best first. No feature of music says which
    instruments play, so that these teach nothing: they are wishes that hold for every piece."""
    said = [statement for statement in statements if statement.kind == "instrument" and statement.liked == liked]
    return tuple(dict.fromkeys(name for statement in said for name in INSTRUMENTS.get(statement.value, ())))


def evidence(statements: Iterable[Statement]) -> list[Evidence]:
    """What `Taste.start` learns from statements; those that no table knows teach nothing."""
    found: list[Evidence] = []
    for statement in statements:
        rating, opposite = (LIKED, DISLIKED) if statement.liked else (DISLIKED, LIKED)
        styles = styles_of(statement)
        # Two pieces that differ in this one thing: what they have in common cancels out.
        if styles:
            ordinary, mood = _ordinary()
            found.append((features(replace(ordinary, styles=tuple(styles.items())), mood), rating, NOISE))
            found.append((features(ordinary, mood), 2 * NEUTRAL - rating, NOISE))
        elif statement.value in ATTRIBUTES:
            name, here, there = ATTRIBUTES[statement.value]
            typical, mood = _ordinary()
            found += [
                (features(replace(typical, **{name: value}), mood), stars, NOISE)  # type: ignore[arg-type]
                for value, stars in ((here, rating), (there, opposite))
            ]
    return found


def _ordinary() -> tuple[Attributes, Mood]:
    """A piece of all styles alike, in the mood that is usual for them."""
    count = len(STYLE_FACTS)
    names = ("valence", "arousal", "density", "minor", "acousticness", "complexity", "brightness")
    values = {name: sum(getattr(facts, name) for facts in STYLE_FACTS.values()) / count for name in names}
    tempo = sum(facts.tempo for facts in STYLE_FACTS.values()) / count
    mixture = tuple((style, 1 / count) for style in STYLE_FACTS)
    return Attributes(styles=mixture, tempo_bpm=tempo, **values), Mood(values["valence"], values["arousal"])
