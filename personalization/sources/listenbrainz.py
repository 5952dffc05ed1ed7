"""ListenBrainz: listens, top artists and genres of a user, all of which are public; a token only proves who one is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from personalization.listens import (
    Favourite,
    HistorySource,
    Listen,
    NotAllowed,
    Source,
    Throttled,
    UnknownUser,
    Unreachable,
)
from personalization.sources.formats import listenbrainz_listen

URL = "https://api.listenbrainz.org"
USER_AGENT = "Tunesmith (self-hosted; personal use)"
PAGE = 1000  # the most that one answer holds
MBIDS_PER_REQUEST = 50
TAGGED_ARTISTS = 200
MAX_WAIT_S = 15.0  # a longer pause is told instead of waited for
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_DOWN = "ListenBrainz does not answer as it should right now; try again later."


class ListenBrainz(HistorySource[Listen]):
    """History of one user."""

    source = Source.LISTENBRAINZ

    def __init__(self, user: str, *, token: str | None = None, url: str = URL) -> None:
        self._user = user
        self._token = token
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._free_at = 0.0  # monotonic; before it the service wants no request

    async def verify(self) -> None:
        """Check that the token is this user's. Raises NotAllowed when it is not."""
        answer = await self._get("/1/validate-token")
        if not answer.get("valid"):
            raise NotAllowed("ListenBrainz does not accept this token; copy it again from your settings page.")
        owner = str(answer.get("user_name", ""))
        if owner.casefold() != self._user.casefold():
            raise NotAllowed(f"This ListenBrainz token belongs to {owner}, not to {self._user}.")

    async def recent(self, since: datetime | None = None, limit: int = PAGE) -> Sequence[Listen]:
        """See HistorySource; genres are the curated ones of the artists most played."""
        found: dict[tuple[datetime, str], tuple[Listen, tuple[str, ...]]] = {}
        path = f"/1/user/{quote(self._user, safe='')}/listens"
        until: int | None = None
        while len(found) < limit:
            query = {"count": str(min(PAGE, limit))} | ({} if until is None else {"max_ts": str(until)})
            rows = _list(_dict((await self._get(path, query)).get("payload")).get("listens"))
            before = len(found)
            for row in rows:
                play = listenbrainz_listen(row)
                if play is not None and (since is None or play.played_at > since):
                    found.setdefault((play.played_at, play.title), (play, _mbids(row)))
            times = [row["listened_at"] for row in rows if isinstance(row.get("listened_at"), int)]
            if len(found) == before or not times or (since is not None and min(times) <= since.timestamp()):
                break
            until = min(times) + 1  # exclusive; plays of the same second may stand on both sides of the page's end
        plays = [*found.values()][:limit]
        genres = await self._genres_of_artists(Counter(mbid for _, mbids in plays for mbid in mbids))
        return [replace(play, genres=play.genres or _of_all(mbids, genres)) for play, mbids in plays]

    async def favourites(self, limit: int = 50) -> Sequence[Favourite]:
        """See HistorySource; empty while ListenBrainz has not computed them yet."""
        path = f"/1/stats/user/{quote(self._user, safe='')}/artists"
        answer = await self._get(path, {"count": str(limit), "range": "all_time"})
        rows = [row for row in _list(_dict(answer.get("payload")).get("artists")) if _is_text(row.get("artist_name"))]
        genres = await self._genres_of_artists(
            Counter(str(row["artist_mbid"]) for row in rows if row.get("artist_mbid"))
        )
        return [
            Favourite(
                row["artist_name"],
                row["listen_count"] if isinstance(row.get("listen_count"), int) else None,
                genres.get(str(row.get("artist_mbid")), ()),
                f"https://listenbrainz.org/artist/{row['artist_mbid']}/" if row.get("artist_mbid") else None,
            )
            for row in rows
        ]

    async def genres(self) -> Mapping[str, int]:
        """Plays by genre over all hours of the day; empty while not computed yet."""
        answer = await self._get(f"/1/stats/user/{quote(self._user, safe='')}/genre-activity", {"range": "all_time"})
        counts: Counter[str] = Counter()
        for row in _list(_dict(answer.get("payload")).get("genre_activity")):
            if _is_text(row.get("genre")) and isinstance(row.get("listen_count"), int):
                counts[row["genre"]] += row["listen_count"]
        return dict(counts.most_common())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _genres_of_artists(self, plays: Counter[str]) -> dict[str, tuple[str, ...]]:
        """The curated genres of the most played artists, by MusicBrainz id; free tags are left aside."""
        found: dict[str, tuple[str, ...]] = {}
        wanted = [mbid for mbid, _ in plays.most_common(TAGGED_ARTISTS)]
        for first in range(0, len(wanted), MBIDS_PER_REQUEST):
            mbids = ",".join(wanted[first : first + MBIDS_PER_REQUEST])
            answer = await self._get("/1/metadata/artist/", {"artist_mbids": mbids, "inc": "tag"})
            for row in _list(answer.get("list")):
                tags = [tag for tag in _list(_dict(row.get("tag")).get("artist")) if tag.get("genre_mbid")]
                tags.sort(key=lambda tag: -tag["count"] if isinstance(tag.get("count"), int) else 0)
                found[str(row.get("artist_mbid"))] = tuple(str(tag["tag"]) for tag in tags if tag.get("tag"))[:5]
        return found

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """An answer as an object (a list becomes {"list": …}, "not computed yet" {}); waits as the service asks."""
        if self._session is None:
            headers = {"User-Agent": USER_AGENT} | ({"Authorization": f"Token {self._token}"} if self._token else {})
            self._session = aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT)
        for _ in range(3):
            await asyncio.sleep(max(0.0, self._free_at - time.monotonic()))
            try:
                async with self._session.get(f"{self._url}{path}", params=query) as response:
                    wait_s = _reset_in(response.headers)
                    if response.status == 429 or response.headers.get("X-RateLimit-Remaining") == "0":
                        self._free_at = time.monotonic() + wait_s
                    if response.status != 429:
                        return await self._answer(response)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unreachable(_DOWN) from error
            if wait_s > MAX_WAIT_S:
                break
        raise Throttled(f"ListenBrainz asks for a pause of {wait_s:.0f} s; try again then.", wait_s)

    async def _answer(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        if response.status == 204:
            return {}
        if response.status == 404:
            raise UnknownUser(f"ListenBrainz knows nobody called {self._user}; check the spelling.")
        if response.status in (401, 403):
            raise NotAllowed("ListenBrainz does not accept this token; copy it again from your settings page.")
        if response.status != 200:
            raise Unreachable(_DOWN)
        try:
            answer = await response.json(content_type=None)
        except ValueError as error:
            raise Unreachable(_DOWN) from error
        return {"list": answer} if isinstance(answer, list) else _dict(answer)


def _reset_in(headers: Mapping[str, str]) -> float:
    try:
        return min(3600.0, max(0.0, float(headers.get("X-RateLimit-Reset-In", "10"))))
    except ValueError:
        return 10.0


def _mbids(row: Mapping[str, Any]) -> tuple[str, ...]:
    mapping = _dict(_dict(row.get("track_metadata")).get("mbid_mapping"))
    found = mapping.get("artist_mbids")
    return tuple(mbid for mbid in found if isinstance(mbid, str)) if isinstance(found, list) else ()


def _of_all(mbids: tuple[str, ...], genres: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(genre for mbid in mbids for genre in genres.get(mbid, ())))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
