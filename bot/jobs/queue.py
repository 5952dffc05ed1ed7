"""The durable queue: every move is one transaction that reads the row, steps it and swaps it conditionally.

Knows rules and time; the SQL is in `bot.store.jobs`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot import clock
from bot.errors import LeaseLost
from bot.jobs.admission import Admission, Asked, Limits
from bot.jobs.job import (
    Beat,
    Cancel,
    Claim,
    Event,
    Expire,
    Fail,
    Finish,
    IllegalMove,
    Inherit,
    Job,
    Posted,
    Propose,
    PutBack,
    Release,
    Settle,
    State,
    TakePost,
    job_of,
    row_of,
    step,
)
from bot.jobs.reply import Reply
from bot.store.database import Transaction
from bot.store.shared import SharedWrites
from bot.store.store import Store

_SEEDS = 2**63
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids are read aloud and typed


def new_id() -> str:
    """Ten characters, 50 random bits; short enough for a Discord nonce and for a person."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


class Queue:
    """Use one per process; any number of processes may share the database."""

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits | None = None,
        lease: timedelta = timedelta(seconds=30),
        clock: Callable[[], datetime] = clock.now,
        ids: Callable[[], str] = new_id,
    ) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._ids = ids
        # A crowd that asks at once waits for one commit, not for hundreds.
        self._shared = SharedWrites(store.database, Admission(store, limits or Limits()).admit)

    async def enqueue(
        self,
        listener_id: str,
        request: Mapping[str, Any],
        seed: int,
        *,
        reply: Reply | None = None,
        limited: bool = True,
        server_id: str | None = None,
        background: bool = False,
        twice: bool = False,
    ) -> tuple[Job, bool]:
        """Store a new job, with the chat message to answer when there is one (and the server in it).

        One in the `background` comes after all others; of the quotas, that of the server alone counts it. `twice` makes
        another take of it, with the next seed, in the background; the two count as one.

        Returns the job and True; or the job that this very interaction already made and False.
        Raises Refused when a limit or a quota of the server is reached, or new jobs are not accepted at all.
        """
        now = self._clock()
        server_id = server_id if reply is None else reply.server_id
        key = None if server_id is None else await self._store.servers.key("" if background else listener_id)
        job = Job(
            id=self._ids(),
            listener_id=listener_id,
            request=dict(request),
            seed=seed,
            wants_post=reply is not None,
            created_at=now,
            updated_at=now,
            server_id=server_id,
            background=background,
        )
        other = None
        if twice:
            other = replace(job, id=self._ids(), seed=(seed + 1) % _SEEDS, wants_post=False, background=True)
        return await self._shared.write(Asked(job, other, reply, key, limited))

    async def composing(self) -> int:
        """How many jobs are queued or running."""
        async with self._store.database.read() as tx:
            return await self._store.jobs.unfinished(tx)

    async def get(self, job_id: str) -> Job | None:
        row = await self._store.jobs.get(job_id)
        return None if row is None else _job(row)

    async def claim(self, worker: str, *, only: str | None = None) -> Job | None:
        """Take the queued job whose turn it is (or only that one), or None."""
        now = self._clock()
        async with self._store.database.write() as tx:
            row = await self._store.jobs.next_queued(tx, now, only)
            return None if row is None else await self._swap(tx, _job(row), Claim(worker, self._lease))

    async def beat(self, job: Job, stage: str, fraction: float) -> Job:
        """Renew the lease and show how far the work is. Raises LeaseLost."""
        return await self._move(job, Beat(stage, fraction, self._lease))

    async def propose(self, job: Job, proposal: dict[str, Any]) -> Job:
        """Keep what will be composed and why. Raises LeaseLost."""
        return await self._move(job, Propose(proposal))

    async def finish(self, job: Job, track: Mapping[str, Any], publish: Callable[[], None]) -> Job:
        """Record the track and mark the job rendered, or done when nobody waits for a post.

        `publish` moves the files into place while the row is held, so a worker that lost its lease
        cannot overwrite those of its successor. Raises LeaseLost.
        """
        async with self._store.database.write() as tx:
            done = await self._swap(tx, await self._held(tx, job), Finish())
            if not done.wants_post:
                done = await self._swap(tx, done, Settle())
            publish()
            await self._store.tracks.add(tx, {**track, "created_at": self._clock()})
        return done

    async def fail(self, job: Job, reason: str, *, retry: bool, reseed: bool = False) -> Job:
        """Give the job another attempt if `retry` and some are left, else fail it.

        `reseed` makes that attempt another piece: its seed is the next one. Raises LeaseLost.
        """
        return await self._move(job, Fail(reason, retry, reseed))

    async def release(self, job: Job) -> Job:
        """Put a running job back as if it had never been claimed. Raises LeaseLost."""
        return await self._move(job, Release())

    async def cancel(self, job_id: str) -> bool:
        """Stop a job that is not rendered yet; its worker notices at its next beat. False when too late."""
        async with self._store.database.write() as tx:
            row = await self._store.jobs.lock(tx, job_id)
            if row is None or row["state"] not in {State.QUEUED, State.RUNNING}:
                return False
            await self._swap(tx, _job(row), Cancel())
            return True

    async def expire(self) -> int:
        """Take jobs from workers and posters that went silent; how many."""
        now = self._clock()
        async with self._store.database.write() as tx:
            gone = [
                _job(row)
                for state in (State.RUNNING, State.POSTING)
                for row in await self._store.jobs.expired(tx, state, now)
            ]
            for job in gone:
                await self._swap(tx, job, Expire())
        return len(gone)

    async def take_post(self, job_id: str, worker: str) -> Job | None:
        """Take a rendered job in order to post it; None when it is not there to be taken (yet)."""
        now = self._clock()
        async with self._store.database.write() as tx:
            row = await self._store.jobs.lock(tx, job_id)
            if row is None or row["state"] != State.RENDERED:
                return None
            job = _job(row)
            if job.not_before is not None and job.not_before > now:
                return None
            return await self._swap(tx, job, TakePost(worker, self._lease))

    async def posted(self, job: Job, message_id: str, channel_id: str) -> Job:
        """Record the message that carries the track. Raises LeaseLost."""
        async with self._store.database.write() as tx:
            done = await self._swap(tx, await self._held(tx, job), Posted())
            await self._store.messages.note(
                tx, job.id, message_id=message_id, channel_id=channel_id, answered_at=self._clock()
            )
        return done

    async def put_back(self, job: Job, reason: str, *, final: bool = False) -> Job:
        """The post did not happen: later again, or failed for good. Raises LeaseLost."""
        return await self._move(job, PutBack(reason, final))

    async def answered(self, job_id: str, *, seeded: bool = False) -> None:
        """The message owes nothing any more (or, when `seeded`, no reactions)."""
        async with self._store.database.write() as tx:
            field = "seeded_at" if seeded else "answered_at"
            await self._store.messages.note(tx, job_id, **{field: self._clock()})

    async def _move(self, job: Job, event: Event) -> Job:
        async with self._store.database.write() as tx:
            return await self._swap(tx, await self._held(tx, job), event)

    async def _held(self, tx: Any, job: Job) -> Job:
        """The row as it is, if this caller still holds it; their idea of the rest may be older. Raises LeaseLost."""
        row = _job(await self._store.jobs.lock(tx, job.id))
        if (row.state, row.fence) != (job.state, job.fence):
            raise LeaseLost("The job is in other hands now.")
        return row

    async def _swap(self, tx: Any, job: Job, event: Event) -> Job:
        try:
            new = step(job, event, self._clock())
        except IllegalMove as error:
            raise LeaseLost(str(error)) from error
        if not await self._store.jobs.swap(tx, job.id, job.state, job.fence, row_of(new)):
            raise LeaseLost("The job is in other hands now.")
        if (job.state, new.state) == (State.RUNNING, State.FAILED) and new.wants_post:
            await self._pass_on(tx, new)
        return new

    async def _pass_on(self, tx: Transaction, failed: Job) -> None:
        """Whoever waits for a take that failed gets the other one, unless that failed too or will for the same reason.

        The place where the answer goes, and what was used of a quota, are the other one's from now on.
        """
        second_id = await self._store.pairs.second_of(tx, failed.id)
        if second_id is None or failed.proposal is None:
            return
        second = _job(await self._store.jobs.lock(tx, second_id))
        if second.state in {State.FAILED, State.CANCELLED}:
            return
        await self._swap(tx, second, Inherit())
        await self._store.messages.pass_on(tx, failed.id, second.id, self._store.seal)
        await self._store.servers.pass_on(tx, failed.id, second.id)
        await self._store.pairs.close(tx, failed.id, self._clock())


def _job(row: Any) -> Job:
    if row is None:
        raise LeaseLost("The job is gone.")
    return job_of(row)
