"""What is known of one listener, as plain values: plays by artist, ratings of finished pieces, own words."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from generator.brief import Attributes, Mood
from personalization.genres import genres_of_artist, styles_of_genre
from personalization.population import PopulationModel
from personalization.signals import SignalledTrack
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


Verdict = Literal["first", "second", "both", "neither"]


@dataclass(frozen=True, slots=True)
class ComparedTracks:
    """Two takes of one request, each with what was measured on it and the mood it was asked for, and which of them this
    listener likes better."""

    first: tuple[Attributes, Mood]
    second: tuple[Attributes, Mood]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Profile:
    listener_id: str
    plays: tuple[ArtistPlays, ...] = ()
    ratings: tuple[RatedTrack, ...] = ()
    statements: tuple[Statement, ...] = ()
    signals: tuple[SignalledTrack, ...] = ()
    comparisons: tuple[ComparedTracks, ...] = ()
    prior: PopulationModel | None = None  # what the listeners of this server have in common, when that is known
    recent_styles: tuple[str, ...] = ()  # of the last pieces made for them, the newest first


@dataclass(frozen=True, slots=True)
class Heard:
    """A listening history in our styles. `styles` sums to 1 (or is empty); `top_artists` by style;
    `unknown` are genres and artists that no table places."""

    styles: dict[str, float]
    top_artists: dict[str, tuple[str, ...]]
    placed_plays: int
    all_plays: int
    unknown: tuple[str, ...]


def _most_of_each(plays: tuple[ArtistPlays, ...]) -> tuple[ArtistPlays, ...]:
    """One entry for an artist: as often as the service says that counts most, its packages together (the store has
    taken out what two of them tell of)."""
    services: dict[tuple[str, str], ArtistPlays] = {}
    for entry in plays:
        service = entry.source.removesuffix("_export").removesuffix("_account")
        place = (entry.artist.casefold(), service)
        before = services.get(place, replace(entry, source=service, plays=0))
        services[place] = replace(before, plays=before.plays + entry.plays, genres=before.genres or entry.genres)
    found: dict[str, ArtistPlays] = {}
    for (name, _), entry in services.items():
        best = found.get(name, entry)
        more, less = (entry, best) if entry.plays > best.plays else (best, entry)
        found[name] = replace(more, genres=more.genres or less.genres)
    return tuple(found.values())


def summarise_plays(plays: tuple[ArtistPlays, ...]) -> Heard:
    """Plain counts, damped by the logarithm so that one obsession does not drown the rest.

    A play may be scrobbled to several services, so an artist counts as often as the service says that counts most.
    Nothing is learned here: history shapes where we start, ratings shape what the model knows.
    """
    plays = _most_of_each(plays)
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
