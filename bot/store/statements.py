"""What listeners say of their own taste: a style, genre, artist or attribute, liked or disliked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, delete, select

from bot.store.database import Database
from bot.store.dialect import insert
from bot.store.listeners import Listeners
from bot.store.tables import statements


class Statements:
    def __init__(self, database: Database, listeners: Listeners) -> None:
        self._database = database
        self._listeners = listeners

    async def say(self, listener_id: str, kind: str, value: str, *, liked: bool, now: datetime) -> None:
        """Store a statement; one about the same thing before is replaced."""
        said = {"liked": liked, "source": "self", "said_at": now}
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            statement = insert(tx, statements).values(listener_id=listener_id, kind=kind, value=value, **said)
            await tx.execute(
                statement.on_conflict_do_update(index_elements=["listener_id", "kind", "value"], set_=said)
            )  # fmt: skip

    async def withdraw(self, listener_id: str, kind: str, value: str) -> bool:
        """Whether there was such a statement."""
        async with self._database.write() as tx:
            mine = (statements.c.listener_id == listener_id, statements.c.kind == kind, statements.c.value == value)
            return (await tx.execute(delete(statements).where(*mine))).rowcount > 0

    async def of_listener(self, listener_id: str) -> Sequence[RowMapping]:
        """The oldest first."""
        statement = (
            select(statements)
            .where(statements.c.listener_id == listener_id)
            .order_by(statements.c.said_at, statements.c.kind, statements.c.value)
        )
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()
