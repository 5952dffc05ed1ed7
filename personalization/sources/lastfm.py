"""Last.fm through pylast: plays and top artists of a public profile, with the tags of artists our table lacks.

pylast blocks, so every call happens in a thread. Tags are weighed 0 to 100 by Last.fm; those under 10 are noise, and
so are words that say where or when somebody listened.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote_plus

import pylast

from personalization.genres import genres_of_artist, normalise
from personalization.listens import (
    Favourite,
    HistoryError,
    HistorySource,
    Listen,
    NotAllowed,
    PrivateUser,
    Source,
    Throttled,
    UnknownUser,
    Unreachable,
)
from personalization.sources.formats import moment

PACE_S = 0.3  # between requests; the terms name no number, a few a second are taken well
TAGGED_ARTISTS = 20  # each costs a request
MIN_TAG = 10
NOISE = frozenset(
    "seen live|favourites|favorites|favorite|love|spotify|albums i own|american|british|german|french|japanese|swedish|"
    "female vocalists|male vocalists|all|awesome|beautiful|under 2000 listeners".split("|")
)
_DOWN = "Last.fm does not answer as it should right now; try again later."
pylast.HEADERS["User-Agent"] = "Tunesmith (self-hosted; personal use)"

Answer = TypeVar("Answer")


class LastFm(HistorySource[Listen]):
    """History of one user. `server` is the host and path of the interface."""

    source = Source.LASTFM

    def __init__(self, user: str, *, api_key: str, server: tuple[str, str] | None = None) -> None:
        self._user = user
        self._known: dict[str, tuple[str, ...]] = {}  # tags by artist, as long as this lives
        self._network = _Paced(api_key=api_key)
        self._network.enable_rate_limit()
        if server is not None:
            self._network.ws_server = server

    async def recent(self, since: datetime | None = None, limit: int = 1000) -> Sequence[Listen]:
        """See HistorySource; what plays right now is no play yet."""
        return await self._call(lambda: self._recent(since, limit))

    async def favourites(self, limit: int = 50) -> Sequence[Favourite]:
        """See HistorySource."""
        return await self._call(lambda: self._favourites(limit))

    async def genres(self) -> Mapping[str, int]:
        """Plays by tag, of the most played artists that our own table does not place."""
        counts: Counter[str] = Counter()
        for favourite in await self.favourites():
            counts.update(dict.fromkeys(favourite.genres, favourite.plays or 0))
        return dict(counts.most_common())

    async def verify(self) -> None:
        """Raises NotAllowed: Last.fm has no token that a listener could show."""
        raise NotAllowed("Last.fm takes no token; name the account alone.")

    async def close(self) -> None:
        """Nothing stays open: pylast connects anew for every call."""

    def _recent(self, since: datetime | None, limit: int) -> list[Listen]:
        after = None if since is None else int(since.timestamp()) + 1
        user = self._network.get_user(self._user)
        plays = []
        for played in user.get_recent_tracks(limit=limit, time_from=after):
            artist, title = str(played.track.artist or "").strip(), str(played.track.title or "").strip()
            played_at = moment(_whole(played.timestamp))
            if artist and title and played_at:
                plays.append(Listen(Source.LASTFM, played_at, artist, title, played.album or None))
        genres = self._tags(Counter(play.artist for play in plays))
        return [replace(play, genres=genres.get(play.artist, ())) for play in plays]

    def _favourites(self, limit: int) -> list[Favourite]:
        top = self._network.get_user(self._user).get_top_artists(limit=limit)  # type: ignore[no-untyped-call]
        named = [(str(item.item), _whole(item.weight)) for item in top if str(item.item)]
        genres = self._tags(Counter({name: plays or 0 for name, plays in named}))
        return [
            Favourite(name, plays, genres.get(name, ()), f"https://www.last.fm/music/{quote_plus(name)}")
            for name, plays in named
        ]

    def _tags(self, plays: Counter[str]) -> dict[str, tuple[str, ...]]:
        """What Last.fm calls the most played artists that our own table does not place."""
        wanted = [artist for artist, _ in plays.most_common() if not genres_of_artist(artist)][:TAGGED_ARTISTS]
        for artist in wanted:
            if artist not in self._known:
                self._known[artist] = self._tags_of(artist)
        return {artist: self._known[artist] for artist in wanted}

    def _tags_of(self, artist: str) -> tuple[str, ...]:
        try:
            tags = self._network.get_artist(artist).get_top_tags(limit=10)
        except pylast.WSError as error:
            if str(error.status) == "6":  # it has no page for this artist
                return ()
            raise
        heavy = [str(tag.item) for tag in tags if (_whole(tag.weight) or 0) >= MIN_TAG]
        return tuple(tag for tag in heavy if _is_genre(tag, artist))

    async def _call(self, work: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(work)
        except pylast.WSError as error:
            raise _explained(str(error.status), self._user) from error
        except (pylast.PyLastError, IndexError, ValueError, AttributeError, OSError) as error:
            if isinstance(error, HistoryError):
                raise
            raise Unreachable(_DOWN) from error  # pylast stumbles over answers of another shape in many ways


class _Paced(pylast.LastFMNetwork):
    """The network, keeping PACE_S between the requests of all threads."""

    _lock = threading.Lock()
    _next = 0.0

    def _delay_call(self) -> None:
        with _Paced._lock:
            start = max(time.monotonic(), _Paced._next)
            _Paced._next = start + PACE_S
        time.sleep(max(0.0, start - time.monotonic()))


def _explained(code: str, user: str) -> HistoryError:
    if code == "6":
        return UnknownUser(f"Last.fm knows nobody called {user}; check the spelling.")
    if code == "17":
        return PrivateUser(
            f"{user} hides recent listening on Last.fm; switch “Hide recent listening information” off in its privacy "
            "settings, or import a CSV."
        )
    if code == "26":
        return NotAllowed("Last.fm has suspended this bot’s key; its operator has to ask Last.fm why.")
    if code in ("4", "10", "13"):
        return NotAllowed("Last.fm does not accept this bot’s key; its operator has to check LASTFM_API_KEY.")
    if code == "29":
        return Throttled("Last.fm asks for a pause; try again in a few minutes.", 300.0)
    return Unreachable(_DOWN)


def _is_genre(tag: str, artist: str) -> bool:
    return tag.casefold() not in NOISE and normalise(tag) != normalise(artist)


def _whole(value: Any) -> int | None:
    """Last.fm writes its numbers as text."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
