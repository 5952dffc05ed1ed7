"""Where a job's answer goes in the chat, and which message carries which track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, insert, or_, select, update

from bot.store.crypto import Seal
from bot.store.database import Database, Transaction
from bot.store.tables import jobs, messages


class Messages:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await tx.execute(insert(messages), rows)

    async def jobs_of(self, tx: Transaction, interaction_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of the jobs that these interactions made, by interaction."""
        statement = (
            select(messages.c.interaction_id, jobs)
            .join(jobs, jobs.c.id == messages.c.job_id)
            .where(messages.c.interaction_id.in_(interaction_ids))
        )
        found = [dict(row) for row in (await tx.execute(statement)).mappings()] if interaction_ids else []
        return {row.pop("interaction_id"): row for row in found}

    async def of_job(self, job_id: str) -> RowMapping | None:
        async with self._database.read() as tx:
            return (await tx.execute(select(messages).where(messages.c.job_id == job_id))).mappings().first()

    async def track_of(self, message_id: str) -> str | None:
        """The track a message carries; a track has its job's id."""
        statement = (
            select(messages.c.job_id)
            .join(jobs, jobs.c.id == messages.c.job_id)
            .where(messages.c.message_id == message_id, jobs.c.state == "done")
        )
        async with self._database.read() as tx:
            return (await tx.execute(statement)).scalar_one_or_none()

    async def open(self) -> Sequence[RowMapping]:
        """Messages that still owe something: an answer, or the number reactions under a posted track.

        Each row holds the message's columns and what of its job a person is told.
        """
        owes_reactions = and_(jobs.c.state == "done", messages.c.seeded_at.is_(None))
        statement = (
            select(
                messages,
                jobs.c.state,
                jobs.c.stage,
                jobs.c.fraction,
                jobs.c.error,
                jobs.c.not_before,
                jobs.c.created_at,
                jobs.c.request,
                jobs.c.proposal,
            )
            .join(jobs, jobs.c.id == messages.c.job_id)
            .where(or_(messages.c.answered_at.is_(None), owes_reactions))
            .order_by(jobs.c.created_at)
        )
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()

    async def posted_since(
        self, since: datetime, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[RowMapping]:
        """Answered messages that carry a track, the newest first; those `before` an `answered_at` and job_id."""
        statement = (
            select(messages)
            .join(jobs, jobs.c.id == messages.c.job_id)
            .where(jobs.c.state == "done", messages.c.message_id.is_not(None), messages.c.answered_at >= since)
            .order_by(messages.c.answered_at.desc(), messages.c.job_id.desc())
            .limit(limit)
        )
        if before is not None:
            moment, job_id = before
            older = messages.c.answered_at < moment
            statement = statement.where(or_(older, and_(messages.c.answered_at == moment, messages.c.job_id < job_id)))
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()

    async def pass_on(self, tx: Transaction, job_id: str, heir_id: str, seal: Seal) -> None:
        """Let the answer be another job's; its token is sealed for that one."""
        mine = messages.c.job_id == job_id
        sealed = (await tx.execute(select(messages.c.sealed_token).where(mine))).scalar_one()
        token = seal.close(heir_id, seal.open(job_id, sealed))
        await tx.execute(update(messages).where(mine).values(job_id=heir_id, sealed_token=token))

    async def note(self, tx: Transaction, job_id: str, **values: Any) -> None:
        await tx.execute(update(messages).where(messages.c.job_id == job_id).values(**values))
