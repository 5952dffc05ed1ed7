"""Finished pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, insert, select

from bot.store.database import Database, Transaction
from bot.store.tables import ratings, tracks


class Tracks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Transaction, row: Mapping[str, Any]) -> None:
        await tx.execute(insert(tracks).values(**row))

    async def get(self, track_id: str) -> RowMapping | None:
        async with self._database.read() as tx:
            return (await tx.execute(select(tracks).where(tracks.c.id == track_id))).mappings().first()

    async def of_listener(self, listener_id: str, limit: int) -> Sequence[RowMapping]:
        """The newest first, each with `stars`: the listener's own newest rating, or None."""
        newest = (
            select(ratings.c.stars)
            .where(ratings.c.track_id == tracks.c.id, ratings.c.listener_id == listener_id)
            .order_by(ratings.c.rated_at.desc(), ratings.c.stars.desc())
            .limit(1)
            .scalar_subquery()
        )
        statement = (
            select(tracks, newest.label("stars"))
            .where(tracks.c.listener_id == listener_id)
            .order_by(tracks.c.created_at.desc(), tracks.c.id)
            .limit(limit)
        )
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()
