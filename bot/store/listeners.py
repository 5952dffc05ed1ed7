"""Listeners: who asked, nothing about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from bot.store.database import Database, Transaction
from bot.store.dialect import insert
from bot.store.tables import listeners


class Listeners:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, tx: Transaction, listener_id: str, now: datetime) -> None:
        await self.ensure_all(tx, {listener_id: now})

    async def ensure_all(self, tx: Transaction, seen: Mapping[str, datetime]) -> None:
        """Listeners, each with the moment they are known since if they are new."""
        rows = [{"id": listener_id, "created_at": moment} for listener_id, moment in sorted(seen.items())]
        await tx.execute(insert(tx, listeners).on_conflict_do_nothing(), rows)

    async def exists(self, listener_id: str) -> bool:
        async with self._database.read() as tx:
            found = await tx.execute(select(listeners.c.id).where(listeners.c.id == listener_id))
            return found.first() is not None
