"""What listeners gave to tracks: number reactions and typed ratings.

Every (listener, track, stars) is a row; the newest one counts, so that withdrawing it brings back the one
given before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, case, delete, select
from sqlalchemy.sql.expression import Select

from bot.store.database import Database
from bot.store.dialect import insert
from bot.store.evidence import in_force, not_excluded
from bot.store.listeners import Listeners
from bot.store.tables import ratings, tracks


class Ratings:
    def __init__(self, database: Database, listeners: Listeners) -> None:
        self._database = database
        self._listeners = listeners

    async def give(self, listener_id: str, track_id: str, stars: int, *, source: str, now: datetime) -> None:
        """Store a rating; a typed one replaces the typed one before, reactions stand side by side."""
        mine = and_(ratings.c.listener_id == listener_id, ratings.c.track_id == track_id)
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            if source == "typed":
                await tx.execute(delete(ratings).where(mine, ratings.c.source == "typed"))
            statement = insert(tx, ratings).values(
                listener_id=listener_id, track_id=track_id, stars=stars, source=source, rated_at=now
            )
            await tx.execute(
                statement.on_conflict_do_update(
                    index_elements=["listener_id", "track_id", "stars"],
                    # A reaction that still stands stays one, so that comparing reactions later finds nothing new.
                    set_={"rated_at": now, "source": case((ratings.c.source == "reaction", "reaction"), else_=source)},
                )
            )

    async def withdraw(self, listener_id: str, track_id: str, stars: int) -> bool:
        """Whether there was such a rating."""
        async with self._database.write() as tx:
            statement = delete(ratings).where(
                ratings.c.listener_id == listener_id,
                ratings.c.track_id == track_id,
                ratings.c.stars == stars,
            )
            return (await tx.execute(statement)).rowcount > 0

    async def of_track(self, track_id: str, source: str) -> set[tuple[str, int]]:
        """All (listener_id, stars) given to a track through one source."""
        statement = select(ratings.c.listener_id, ratings.c.stars).where(
            ratings.c.track_id == track_id, ratings.c.source == source
        )
        async with self._database.read() as tx:
            return {(row.listener_id, row.stars) for row in await tx.execute(statement)}

    async def of_listener(self, listener_id: str) -> Sequence[RowMapping]:
        """The rating in force for each track, oldest first, with the track's title, attributes and brief; those of
        tracks that the listener excluded are not among them."""
        async with self._database.read() as tx:
            rows: Sequence[RowMapping] = (await tx.execute(_in_force(listener_id))).mappings().all()
            return rows


def _in_force(listener_id: str) -> Select[Any]:
    return (
        select(
            ratings.c.track_id,
            ratings.c.stars,
            ratings.c.rated_at,
            tracks.c.title,
            tracks.c.attributes,
            tracks.c.brief,
        )
        .join(tracks, tracks.c.id == ratings.c.track_id)
        .where(
            ratings.c.listener_id == listener_id,
            in_force(),
            not_excluded(ratings.c.listener_id, ratings.c.track_id),
        )
        .order_by(ratings.c.rated_at, ratings.c.track_id)
    )
