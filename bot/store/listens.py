"""Listening histories: add without doubling, sum up by artist."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Text, and_, cast, exists, func, or_, select

from bot.store.database import Database
from bot.store.dialect import insert
from bot.store.listeners import Listeners
from bot.store.tables import exclusions, listens

_BATCH = 1000


class ArtistCount(NamedTuple):
    """How often a listener played an artist, by one source."""

    artist: str
    source: str
    plays: int
    genres: tuple[str, ...]


class Listens:
    def __init__(self, database: Database, listeners: Listeners) -> None:
        self._database = database
        self._listeners = listeners

    async def add(self, listener_id: str, plays: Sequence[Mapping[str, Any]], now: datetime) -> int:
        """Add plays in one transaction; those already known are left alone. Returns how many were new."""
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            count = select(func.count()).where(listens.c.listener_id == listener_id)
            before = (await tx.execute(count)).scalar_one()
            statement = insert(tx, listens).on_conflict_do_nothing()
            for batch in _batches(plays):
                await tx.execute(statement, [{"listener_id": listener_id, **play} for play in batch])
            return int((await tx.execute(count)).scalar_one() - before)

    async def by_artist(self, listener_id: str) -> list[ArtistCount]:
        """Each artist's plays, most played first; what the listener excluded and plays that two packages of
        one service tell of count once.

        `genres` are those of any one play: a source names the same genres for an artist every time.
        """
        statement = (
            select(
                listens.c.artist,
                listens.c.source,
                func.count().label("plays"),
                func.max(cast(listens.c.genres, Text)).label("genres"),
            )
            .where(
                listens.c.listener_id == listener_id,
                ~exists().where(_excluded),
                func.coalesce(~_covered(listener_id), True),
            )
            .group_by(listens.c.artist, listens.c.source)
            .order_by(func.count().desc(), listens.c.artist)
        )
        async with self._database.read() as tx:
            rows = await tx.execute(statement)
            return [ArtistCount(r.artist, r.source, r.plays, tuple(json.loads(r.genres))) for r in rows]

    async def newest(self, listener_id: str, source: str) -> datetime | None:
        """When the newest play from a source was."""
        statement = select(func.max(listens.c.played_at)).where(
            listens.c.listener_id == listener_id, listens.c.source == source
        )
        async with self._database.read() as tx:
            found: datetime | None = (await tx.execute(statement)).scalar_one()
            return found

    async def count(self, listener_id: str) -> int:
        async with self._database.read() as tx:
            statement = select(func.count()).where(listens.c.listener_id == listener_id)
            return int((await tx.execute(statement)).scalar_one())


def _covered(listener_id: str) -> Any:
    """A condition: the play is from Spotify's account package, and lies in the time of which the extended history
    tells as well. Its clock is rounded to minutes, so that single plays cannot be matched."""
    whole = listens.alias("whole")
    span = (whole.c.listener_id == listener_id, whole.c.source == "spotify_export")
    first = select(func.min(whole.c.played_at)).where(*span).scalar_subquery()
    last = select(func.max(whole.c.played_at)).where(*span).scalar_subquery()
    return and_(listens.c.source == "spotify_account", listens.c.played_at.between(first, last))


_excluded = and_(
    exclusions.c.listener_id == listens.c.listener_id,
    or_(
        and_(exclusions.c.kind == "artist", func.lower(exclusions.c.value) == func.lower(listens.c.artist)),
        and_(exclusions.c.kind == "source", exclusions.c.value == listens.c.source),
    ),
)


def _batches(plays: Sequence[Mapping[str, Any]]) -> Iterator[Iterable[Mapping[str, Any]]]:
    for start in range(0, len(plays), _BATCH):
        yield plays[start : start + _BATCH]
