"""Two takes of one request: which jobs belong together, whether both were shown, and who likes which better."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update

from bot.store.database import Database, Transaction
from bot.store.dialect import insert as upsert
from bot.store.evidence import not_excluded
from bot.store.listeners import Listeners
from bot.store.tables import comparisons, jobs, messages, pairs, tracks

FIRST, SECOND, BOTH, NEITHER = VERDICTS = ("first", "second", "both", "neither")
_OVER = ("done", "failed", "cancelled")


class Pairs:
    def __init__(self, database: Database, listeners: Listeners) -> None:
        self._database = database
        self._listeners = listeners

    async def add(self, tx: Transaction, takes: Sequence[tuple[str, str]]) -> None:
        """Jobs that belong together, each first one with its second."""
        if takes:
            await tx.execute(insert(pairs), [{"first_id": first, "second_id": second} for first, second in takes])

    async def of_first(self, first_id: str) -> RowMapping | None:
        async with self._database.read() as tx:
            return (await tx.execute(select(pairs).where(pairs.c.first_id == first_id))).mappings().first()

    async def second_of(self, tx: Transaction, first_id: str) -> str | None:
        """The job that is the other take of this one."""
        found = await tx.execute(select(pairs.c.second_id).where(pairs.c.first_id == first_id))
        return found.scalar_one_or_none()

    async def first_of(self, second_id: str) -> str | None:
        """The job whose other take this is."""
        async with self._database.read() as tx:
            found = await tx.execute(select(pairs.c.first_id).where(pairs.c.second_id == second_id))
            return found.scalar_one_or_none()

    async def open(self) -> Sequence[RowMapping]:
        """Messages with a first take whose second one is made, or will not be, and was not shown yet.

        Each row holds the message's columns, the request, and `second_id` with `second_state`.
        """
        first, second = jobs.alias("first"), jobs.alias("second")
        statement = (
            select(messages, first.c.request, pairs.c.second_id, second.c.state.label("second_state"))
            .join(pairs, pairs.c.first_id == messages.c.job_id)
            .join(first, first.c.id == pairs.c.first_id)
            .join(second, second.c.id == pairs.c.second_id)
            .where(
                pairs.c.shown_at.is_(None), messages.c.message_id.is_not(None), first.c.state == "done",
                second.c.state.in_(_OVER),
            )
        )  # fmt: skip
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()

    async def shown(self, first_id: str, now: datetime) -> None:
        """Nothing is owed to this pair any more."""
        async with self._database.write() as tx:
            await self.close(tx, first_id, now)

    async def close(self, tx: Transaction, first_id: str, now: datetime) -> None:
        """`shown`, in a transaction that does more."""
        await tx.execute(update(pairs).where(pairs.c.first_id == first_id).values(shown_at=now))

    async def judge(self, listener_id: str, first_id: str, second_id: str, verdict: str, now: datetime) -> None:
        """Store one of VERDICTS; a listener's newest one for a pair counts."""
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            key = {"listener_id": listener_id, "first_id": first_id, "second_id": second_id}
            statement = upsert(tx, comparisons).values(**key, verdict=verdict, compared_at=now)
            again = {"verdict": verdict, "compared_at": now}
            await tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_=again))

    async def of_listener(self, listener_id: str) -> Sequence[RowMapping]:
        """Verdicts, the oldest first, with attributes and brief of both takes; a pair of which one take is excluded is
        not among them."""
        first, second = tracks.alias("one"), tracks.alias("other")
        mine = comparisons.c.listener_id
        statement = (
            select(
                comparisons, first.c.attributes.label("first_attributes"), first.c.brief.label("first_brief"),
                second.c.attributes.label("second_attributes"), second.c.brief.label("second_brief"),
            )
            .join(first, first.c.id == comparisons.c.first_id)
            .join(second, second.c.id == comparisons.c.second_id)
            .where(mine == listener_id, not_excluded(mine, first.c.id), not_excluded(mine, second.c.id))
            .order_by(comparisons.c.compared_at, comparisons.c.first_id)
        )  # fmt: skip
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()
