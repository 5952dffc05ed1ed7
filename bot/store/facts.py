"""Small facts about ourselves that must survive a restart, by name."""

from __future__ import annotations

from sqlalchemy import delete, select

from bot.store.database import Database, Transaction
from bot.store.dialect import insert
from bot.store.tables import facts


class Facts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        async with self._database.read() as tx:
            return await self.get_in(tx, name)

    @staticmethod
    async def get_in(tx: Transaction, name: str) -> str | None:
        """As `get`, within a transaction."""
        return (await tx.execute(select(facts.c.value).where(facts.c.name == name))).scalar_one_or_none()

    async def beginning(self, prefix: str) -> dict[str, str]:
        """All facts whose names begin so, by name."""
        named = select(facts.c.name, facts.c.value).where(facts.c.name.startswith(prefix, autoescape=True))
        async with self._database.read() as tx:
            return {row.name: row.value for row in await tx.execute(named)}

    async def put(self, name: str, value: str) -> None:
        async with self._database.write() as tx:
            statement = insert(tx, facts).values(name=name, value=value)
            await tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    async def remove(self, name: str) -> bool:
        """Whether there was such a fact."""
        async with self._database.write() as tx:
            return (await tx.execute(delete(facts).where(facts.c.name == name))).rowcount > 0
