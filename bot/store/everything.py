"""All rows that are about one listener, whatever table they are in: to be handed out, or to be gone for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, delete, select, text, update

from bot.store.database import Database, Transaction
from bot.store.tables import bans, exclusions, facts, jobs, listeners, messages, metadata, tracks

_UNSHOWN = frozenset({"sealed_token"})  # of use to nobody but this process


class Everything:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_listener(self, listener_id: str) -> dict[str, list[dict[str, Any]]]:
        """Rows by table, without sealed tokens."""
        own = {
            table.name: select(table).where(table.c.listener_id == listener_id)
            for table in metadata.sorted_tables
            if "listener_id" in table.c
        }
        mine = select(jobs.c.id).where(jobs.c.listener_id == listener_id)
        own["messages"] = select(messages).where(messages.c.job_id.in_(mine))
        own["facts"] = select(facts).where(facts.c.name.endswith(f" of {listener_id}", autoescape=True))
        async with self._database.read() as tx:
            return {name: await _rows(tx, statement) for name, statement in own.items()}

    async def forget(self, listener_id: str) -> list[str]:
        """Delete all of it (of bans the id) and every mention in the requests of others; the folders of the pieces
        that are gone."""
        async with self._database.write() as tx:
            found = await tx.execute(select(tracks.c.id, tracks.c.dir).where(tracks.c.listener_id == listener_id))
            pieces = found.all()
            await self._unmention(tx, listener_id)
            gone = [piece.id for piece in pieces]
            await tx.execute(delete(exclusions).where(exclusions.c.kind == "track", exclusions.c.value.in_(gone)))
            await tx.execute(delete(facts).where(facts.c.name.endswith(f" of {listener_id}", autoescape=True)))
            # A ban stays as a keyed hash, or being forgotten would undo it; PRIVACY.md says so.
            await tx.execute(update(bans).where(bans.c.listener_id == listener_id).values(listener_id=None))
            await tx.execute(delete(listeners).where(listeners.c.id == listener_id))
        await self._settle()
        return [piece.dir for piece in pieces]

    @staticmethod
    async def _unmention(tx: Transaction, listener_id: str) -> None:
        """Requests of others for a piece for both; what was said of the listener in them goes."""
        named = jobs.c.request["blend_with"].as_string().contains(f'"{listener_id}"', autoescape=True)
        asked = select(jobs.c.id, jobs.c.request, jobs.c.proposal).where(jobs.c.listener_id != listener_id, named)
        for row in (await tx.execute(asked)).all():
            others = [name for name in row.request.get("blend_with", ()) if name != listener_id]
            proposal = None if row.proposal is None else _without(row.proposal, listener_id)
            changed = {"request": {**row.request, "blend_with": others}, "proposal": proposal}
            await tx.execute(update(jobs).where(jobs.c.id == row.id).values(**changed))
            why = (await tx.execute(select(tracks.c.why).where(tracks.c.id == row.id))).scalar_one_or_none()
            if why is not None:
                kept = _without({"why": why}, listener_id)["why"]
                await tx.execute(update(tracks).where(tracks.c.id == row.id).values(why=kept))

    async def _settle(self) -> None:
        """Bring what was overwritten from the write-ahead log into the file, and empty the log."""
        async with self._database.read() as tx:
            if tx.dialect.name != "sqlite":
                return
            wal = (await tx.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
        if wal:
            await self._database.checkpoint()


def _without(proposal: Mapping[str, Any], listener_id: str) -> dict[str, Any]:
    return {**proposal, "why": [reason for reason in proposal["why"] if listener_id not in reason]}


async def _rows(tx: Transaction, statement: Select[Any]) -> list[dict[str, Any]]:
    rows = (await tx.execute(statement)).mappings().all()
    return [{name: value for name, value in row.items() if name not in _UNSHOWN} for row in rows]
