"""Which new jobs are accepted: limits of what waits, quotas of a server, and whether anything is accepted at all.

Checked in the transaction that stores the jobs, so neither a restart nor two requests at once get around it. A crowd
that asks at once is weighed one after the other in memory, and read and written together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.errors import BotError, Refused
from bot.jobs.job import Job, job_of, row_of
from bot.jobs.reply import Reply
from bot.store.database import Transaction
from bot.store.store import Store

MAINTENANCE = "maintenance"  # the fact that holds the operator's words while nothing new is accepted

Admitted = tuple[Job, bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait: unfinished jobs of one listener, and of everybody."""

    per_listener: int = 3
    backlog: int = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A new job, another take of it where two are wanted, and the message to answer where there is one.

    `key` stands for the listener in what was used of the server's quotas, or for nobody when only the server's counts.
    """

    job: Job
    other: Job | None = None
    reply: Reply | None = None
    key: str | None = None
    limited: bool = True


class Admission:
    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    async def admit(self, tx: Transaction, asked: Sequence[Asked]) -> list[Admitted | BotError]:
        """Store what is accepted. For each the job and True, the job that this very interaction already made and False,
        or the refusal."""
        store = self._store
        interactions = [one.reply.interaction_id for one in asked if one.reply is not None]
        made = {name: job_of(row) for name, row in (await store.messages.jobs_of(tx, interactions)).items()}
        waiting = await self._waiting(tx, asked)
        rows = _Rows(store)
        outcomes: list[Admitted | BotError] = []
        for one in asked:
            if one.reply is not None and one.reply.interaction_id in made:
                outcomes.append((made[one.reply.interaction_id], False))
                continue
            refusal = await self._refusal(tx, one, waiting, rows) if one.limited else None
            if refusal is not None:
                outcomes.append(refusal)
                continue
            rows.add(one)
            waiting.add(one)
            if one.reply is not None:
                made[one.reply.interaction_id] = one.job
            outcomes.append((one.job, True))
        await rows.write(tx)
        return outcomes

    async def _waiting(self, tx: Transaction, asked: Sequence[Asked]) -> _Waiting:
        store = self._store
        servers = {one.job.server_id for one in asked if one.job.server_id is not None}
        return _Waiting(
            await store.facts.get_in(tx, MAINTENANCE),
            await store.jobs.unfinished(tx),
            Counter(await store.jobs.unfinished_of(tx, {one.job.listener_id for one in asked})),
            {server: await store.servers.limits(tx, server) for server in servers},
        )

    async def _refusal(  # noqa: PLR0911 - a list
        self, tx: Transaction, one: Asked, waiting: _Waiting, rows: _Rows
    ) -> Refused | None:
        """Why a job of this listener (or of nobody's in particular), on this server, cannot be accepted."""
        job, limits = one.job, self._limits
        if waiting.maintenance is not None:
            return Refused("refused.maintenance", words=waiting.maintenance)
        if not job.background and waiting.of_listener[job.listener_id] >= limits.per_listener:
            return Refused("refused.pending", count=limits.per_listener)
        if waiting.of_all >= limits.backlog:
            return Refused("refused.backlog")
        if job.server_id is None:
            return None
        mine, everybodys = waiting.quotas[job.server_id]
        if mine is not None or everybodys is not None:
            await rows.write(tx)  # what was accepted just now counts
        if mine is not None and not job.background:
            when = await self._store.servers.free_at(tx, job.server_id, mine, job.created_at, one.key)
            if when is not None:
                return Refused("refused.quota", count=mine, when=when)
        if everybodys is not None:
            when = await self._store.servers.free_at(tx, job.server_id, everybodys, job.created_at)
            if when is not None:
                return Refused("refused.server_quota", count=everybodys, when=when)
        return None


@dataclass(slots=True)
class _Waiting:
    """What waits to be composed, by whom, the quotas of servers, and the operator's words during maintenance."""

    maintenance: str | None
    of_all: int
    of_listener: Counter[str]
    quotas: Mapping[str, tuple[int | None, int | None]]

    def add(self, one: Asked) -> None:
        self.of_all += 1 if one.other is None else 2
        if not one.job.background:
            self.of_listener[one.job.listener_id] += 1


@dataclass(slots=True)
class _Rows:
    """What is accepted and not written yet."""

    store: Store
    asked: list[Asked] = field(default_factory=list)

    def add(self, one: Asked) -> None:
        self.asked.append(one)

    async def write(self, tx: Transaction) -> None:
        asked, self.asked = self.asked, []
        if not asked:
            return
        store = self.store
        await store.listeners.ensure_all(tx, {one.job.listener_id: one.job.created_at for one in asked})
        await store.jobs.add(tx, [row_of(job) for one in asked for job in (one.job, one.other) if job is not None])
        await store.pairs.add(tx, [(one.job.id, one.other.id) for one in asked if one.other is not None])
        used = [one for one in asked if one.job.server_id is not None and one.key is not None]
        await store.servers.use(tx, [_use(one) for one in used])
        replies = [one.reply.row(one.job.id, store.seal) for one in asked if one.reply is not None]
        await store.messages.add(tx, replies)


def _use(one: Asked) -> dict[str, Any]:
    return {
        "job_id": one.job.id, "server_id": one.job.server_id, "listener_key": one.key, "used_at": one.job.created_at,
    }  # fmt: skip
