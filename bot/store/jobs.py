"""Job rows: insert, find, and swap one known version for the next. The rules live in `bot.jobs`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, delete, func, insert, nulls_first, select, update

from bot.store.database import Database, Transaction
from bot.store.tables import exclusions, jobs, tracks

COMPOSING = ("queued", "running")


class Jobs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await tx.execute(insert(jobs), rows)

    async def get(self, job_id: str) -> RowMapping | None:
        async with self._database.read() as tx:
            return (await tx.execute(select(jobs).where(jobs.c.id == job_id))).mappings().first()

    async def swap(self, tx: Transaction, job_id: str, state: str, fence: int, new: Mapping[str, Any]) -> bool:
        """Write `new` only if the row is still in this state under this fence; False when it is not."""
        statement = update(jobs).where(jobs.c.id == job_id, jobs.c.state == state, jobs.c.fence == fence).values(**new)
        return (await tx.execute(statement)).rowcount == 1

    async def next_queued(self, tx: Transaction, now: datetime, only: str | None) -> RowMapping | None:
        """The queued job whose turn it is.

        What somebody waits for comes before what nobody does. Listeners with fewer running jobs come first, then
        those served longest ago, then the older request; so ten requests of one listener do not make another wait for
        all ten.
        """
        theirs = jobs.alias("theirs")
        same = and_(theirs.c.listener_id == jobs.c.listener_id, theirs.c.background == jobs.c.background)
        running = select(func.count()).where(same, theirs.c.state == "running").scalar_subquery()
        served = select(func.max(theirs.c.claimed_at)).where(same).scalar_subquery()
        statement = (
            select(jobs)
            .where(jobs.c.state == "queued", (jobs.c.not_before.is_(None)) | (jobs.c.not_before <= now))
            .order_by(jobs.c.background, running, nulls_first(served.asc()), jobs.c.created_at, jobs.c.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=jobs)
        )
        if only is not None:
            statement = statement.where(jobs.c.id == only)
        return (await tx.execute(statement)).mappings().first()

    async def expired(self, tx: Transaction, state: str, now: datetime) -> Sequence[RowMapping]:
        statement = select(jobs).where(jobs.c.state == state, jobs.c.lease_until < now).with_for_update()
        return (await tx.execute(statement)).mappings().all()

    async def lock(self, tx: Transaction, job_id: str) -> RowMapping | None:
        """The row as it is now, held until the transaction ends."""
        statement = select(jobs).where(jobs.c.id == job_id).with_for_update()
        return (await tx.execute(statement)).mappings().first()

    async def unfinished(self, tx: Transaction) -> int:
        """How many jobs are still to be composed."""
        statement = select(func.count()).where(jobs.c.state.in_(COMPOSING))
        return int((await tx.execute(statement)).scalar_one())

    async def unfinished_of(self, tx: Transaction, listener_ids: Collection[str]) -> dict[str, int]:
        """How many jobs that they wait for are still to be composed, of those of these listeners who wait."""
        theirs = and_(jobs.c.state.in_(COMPOSING), ~jobs.c.background, jobs.c.listener_id.in_(listener_ids))
        statement = select(jobs.c.listener_id, func.count().label("waiting")).where(theirs).group_by(jobs.c.listener_id)
        return {row.listener_id: row.waiting for row in await tx.execute(statement)}

    async def remove(self, job_id: str) -> None:
        """Delete a job with its track, message and all that hangs on them."""
        async with self._database.write() as tx:
            await tx.execute(delete(exclusions).where(exclusions.c.kind == "track", exclusions.c.value == job_id))
            await tx.execute(delete(jobs).where(jobs.c.id == job_id))

    async def recent_durations_s(self, limit: int) -> list[float]:
        """How long the newest pieces took from the last claim to the finished track."""
        statement = (
            select(tracks.c.created_at, jobs.c.claimed_at)
            .join(jobs, jobs.c.id == tracks.c.id)
            .where(jobs.c.claimed_at.is_not(None))
            .order_by(tracks.c.created_at.desc())
            .limit(limit)
        )
        async with self._database.read() as tx:
            rows = (await tx.execute(statement)).all()
        return [max(0.0, (row.created_at - row.claimed_at).total_seconds()) for row in rows]
