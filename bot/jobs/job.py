"""A job's states and the legal moves between them: one pure function, no clock, no database.

    queued ──claim──► running ──finish──► rendered ──take──► posting ──posted──► done
      ▲  ▲               │                    │  ▲               │
      │  └──release──────┤ (stopping)         │  └──put back─────┤ (lease passed, or the chat was away)
      └─────fail, expire─┤ (attempts left)    └──settle──► done  └──put back──► failed (posts used up)
                         └──► failed
    queued, running ──cancel──► cancelled
    done ──inherit──► rendered (the other of two takes failed)

Every claim and every taking of a post raises the fence; a write that carries an older fence is refused by the
queue, so a worker that was thought dead cannot overwrite its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.errors import BotError

MAX_ATTEMPTS = 3
MAX_POSTS = 5
POST_AGAIN_AFTER = timedelta(seconds=5)  # times the number of posts tried
INTERRUPTED = "Posting this piece was interrupted again and again; /history lists it."


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    RENDERED = "rendered"
    POSTING = "posting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})


class IllegalMove(BotError):
    """Raised when an event does not apply to a job in its state."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request for one piece; `request` and `proposal` are the JSON of `personalization`."""

    id: str
    listener_id: str
    request: dict[str, Any]
    seed: int
    wants_post: bool
    created_at: datetime
    updated_at: datetime
    proposal: dict[str, Any] | None = None
    state: State = State.QUEUED
    attempts: int = 0
    posts: int = 0
    fence: int = 0
    worker: str | None = None
    lease_until: datetime | None = None
    not_before: datetime | None = None
    stage: str = ""
    fraction: float = 0.0
    error: str | None = None
    claimed_at: datetime | None = None
    server_id: str | None = None
    background: bool = False

    @property
    def finished(self) -> bool:
        return self.state in TERMINAL


def job_of(row: Mapping[str, Any]) -> Job:
    """As it was stored."""
    return Job(**{**row, "state": State(row["state"])})


def row_of(job: Job) -> dict[str, Any]:
    """As it is stored; nothing in it is copied."""
    return {column.name: getattr(job, column.name) for column in fields(job)}


@dataclass(frozen=True, slots=True)
class Claim:
    worker: str
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Beat:
    """The worker is alive and this far; `fraction` never goes back within an attempt."""

    stage: str
    fraction: float
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Propose:
    proposal: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finish:
    """The track is whole."""


@dataclass(frozen=True, slots=True)
class Fail:
    """`reseed` lets another attempt start from another seed."""

    reason: str
    retry: bool
    reseed: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """The worker is asked to stop; the attempt does not count."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The lease has passed without a beat."""


@dataclass(frozen=True, slots=True)
class Cancel:
    pass


@dataclass(frozen=True, slots=True)
class Settle:
    """Nobody waits for a post."""


@dataclass(frozen=True, slots=True)
class Inherit:
    """The other of two takes failed; whoever waits for that one gets this one."""


@dataclass(frozen=True, slots=True)
class TakePost:
    worker: str
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Posted:
    pass


@dataclass(frozen=True, slots=True)
class PutBack:
    """The post did not happen; `final` when trying again cannot help."""

    reason: str
    final: bool = False


Event = (
    Claim | Beat | Propose | Finish | Fail | Release | Expire | Cancel | Settle | Inherit | TakePost | Posted | PutBack
)


def step(job: Job, event: Event, now: datetime) -> Job:
    """The job after the event.

    Raises IllegalMove when the event does not apply to the state the job is in.
    """
    moved = _compose_step(job, event, now) or _post_step(job, event, now)
    if moved is None:
        raise IllegalMove(f"A job that is {job.state} cannot take {type(event).__name__}.")
    return replace(moved, updated_at=now)


def _idle(job: Job, **changes: Any) -> Job:
    return replace(job, worker=None, lease_until=None, **changes)


def _compose_step(job: Job, event: Event, now: datetime) -> Job | None:  # noqa: PLR0911 - a table
    match job.state, event:
        case State.QUEUED, Claim(worker, lease) if job.attempts < MAX_ATTEMPTS:
            return replace(
                job,
                state=State.RUNNING,
                worker=worker,
                lease_until=now + lease,
                claimed_at=now,
                attempts=job.attempts + 1,
                fence=job.fence + 1,
                stage="",
                fraction=0.0,
                error=None,
            )
        case State.RUNNING, Beat(stage, fraction, lease):
            return replace(job, stage=stage, fraction=max(fraction, job.fraction), lease_until=now + lease)
        case State.RUNNING, Propose(proposal):
            return replace(job, proposal=proposal)
        case State.RUNNING, Finish():
            return _idle(job, state=State.RENDERED, fraction=1.0)
        case State.RUNNING, Fail(reason, retry, reseed):
            failed = _again_or_failed(job, reason, again=retry)
            again = reseed and failed.state is State.QUEUED
            return replace(failed, seed=job.seed + 1, proposal=None) if again else failed
        case State.RUNNING, Expire() if job.lease_until is not None and job.lease_until < now:
            reason = "The worker that composed this piece stopped three times; please ask for it again."
            return _again_or_failed(job, reason, again=True)
        case State.RUNNING, Release():
            return _idle(job, state=State.QUEUED, attempts=job.attempts - 1, stage="", fraction=0.0)
        case ((State.QUEUED | State.RUNNING), Inherit()):
            return replace(job, wants_post=True, background=False)
        case ((State.QUEUED | State.RUNNING), Cancel()):
            return _idle(job, state=State.CANCELLED, fence=job.fence + 1)
    return None


def _post_step(job: Job, event: Event, now: datetime) -> Job | None:  # noqa: PLR0911 - a table
    match job.state, event:
        case State.RENDERED, Settle() if not job.wants_post:
            return replace(job, state=State.DONE)
        case State.DONE, Inherit() if not job.wants_post:
            return replace(job, state=State.RENDERED, wants_post=True, background=False)
        # Once more than may be tried: an interrupted post may be there after all, and is then only looked for.
        case State.RENDERED, TakePost(worker, lease) if job.wants_post and job.posts <= MAX_POSTS:
            return replace(
                job,
                state=State.POSTING,
                worker=worker,
                lease_until=now + lease,
                not_before=None,
                posts=job.posts + 1,
                fence=job.fence + 1,
            )
        case State.POSTING, Posted():
            return _idle(job, state=State.DONE, error=None)
        case State.POSTING, PutBack(reason, final):
            if final or job.posts >= MAX_POSTS:
                return _idle(job, state=State.FAILED, error=reason)
            later = now + POST_AGAIN_AFTER * job.posts
            return _idle(job, state=State.RENDERED, not_before=later, error=reason)
        case State.POSTING, Expire() if job.lease_until is not None and job.lease_until < now:
            if job.posts > MAX_POSTS:
                return _idle(job, state=State.FAILED, error=INTERRUPTED)
            return _idle(job, state=State.RENDERED)
    return None


def _again_or_failed(job: Job, reason: str, *, again: bool) -> Job:
    if again and job.attempts < MAX_ATTEMPTS:
        return _idle(job, state=State.QUEUED, stage="", fraction=0.0, error=reason)
    return _idle(job, state=State.FAILED, error=reason)
