"""What is known of one listener, as plain values: plays by artist, ratings of finished pieces, own words."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from generator.brief import Attributes, Mood
from personalization.genres import genres_of_artist, styles_of_genre
from personalization.statements import Statement


@dataclass(frozen=True, slots=True)
class ArtistPlays:
    """How often an artist was played; `genres` as the source gave them."""

    artist: str
    genres: tuple[str, ...]
    plays: int
    source: str


@dataclass(frozen=True, slots=True)
class RatedTrack:
    """A piece this listener rated: what was measured on it, the mood it was asked for, and 1 to 5 stars."""

    track_id: str
    title: str
    attributes: Attributes
    mood: Mood
    stars: int


@dataclass(frozen=True, slots=True)
class Profile:
    listener_id: str
    plays: tuple[ArtistPlays, ...] = ()
    ratings: tuple[RatedTrack, ...] = ()
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A listening history in our styles. `styles` sums to 1 (or is empty); `top_artists` by style;
    `unknown` are genres and artists that no table places."""

    styles: dict[str, float]
    top_artists: dict[str, tuple[str, ...]]
    placed_plays: int
    all_plays: int
    unknown: tuple[str, ...]


def summarise_plays(plays: tuple[ArtistPlays, ...]) -> Heard:
    """Plain counts, damped by the logarithm so that one obsession does not drown the rest.

    Nothing is learned here: history shapes where we start, ratings shape what the model knows.
    """
    shares: Counter[str] = Counter()
    artists: dict[str, list[tuple[float, str]]] = {}
    unknown: Counter[str] = Counter()
    placed = 0
    for entry in plays:
        genres = entry.genres or genres_of_artist(entry.artist)
        known = []
        for genre in genres:
            found = styles_of_genre(genre)
            if found is None:
                unknown[genre] += entry.plays
            else:
                known.append(found)
        if not known:
            unknown[entry.artist] += 0 if genres else entry.plays
            continue
        placed += entry.plays
        for found in known:
            for style, weight in found.items():
                value = math.log1p(entry.plays) * weight / len(known)
                shares[style] += value  # type: ignore[assignment]
                artists.setdefault(style, []).append((value, entry.artist))
    total = sum(shares.values())
    return Heard(
        {style: value / total for style, value in shares.most_common()},
        {
            style: tuple(dict.fromkeys(name for _, name in sorted(named, reverse=True)[:3]))
            for style, named in artists.items()
        },
        placed,
        sum(entry.plays for entry in plays),
        tuple(name for name, count in unknown.most_common(10) if count),
    )
