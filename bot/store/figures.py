"""What an operator watches, in numbers; nothing here names a listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bot import clock
from bot.jobs.job import State
from bot.store.database import Database
from bot.store.tables import jobs, listeners, ratings, tracks


@dataclass(frozen=True, slots=True)
class Figures:
    """`jobs` counts them by state, every state named; times in seconds, 0 where nothing waits or was made."""

    jobs: Mapping[str, int]
    listeners: int
    tracks: int
    ratings: int
    oldest_queued_seconds: float
    last_piece_seconds: float


async def read_figures(database: Database, now: datetime | None = None) -> Figures:
    """Raises StoreError when the database does not answer."""
    by_state = select(jobs.c.state, func.count().label("number")).group_by(jobs.c.state)
    oldest = select(func.min(jobs.c.created_at)).where(jobs.c.state == State.QUEUED)
    newest = (
        select(jobs.c.created_at.label("asked"), tracks.c.created_at.label("made"))
        .join(tracks, tracks.c.id == jobs.c.id)
        .order_by(tracks.c.created_at.desc())
        .limit(1)
    )
    async with database.read() as tx:
        counted = {row.state: int(row.number) for row in (await tx.execute(by_state)).all()}
        since = (await tx.execute(oldest)).scalar_one()
        last = (await tx.execute(newest)).first()
        people, pieces, verdicts = [
            int((await tx.execute(select(func.count()).select_from(table))).scalar_one())
            for table in (listeners, tracks, ratings)
        ]
    waited = 0.0 if since is None else max(0.0, ((now or clock.now()) - since).total_seconds())
    took = 0.0 if last is None else max(0.0, (last.made - last.asked).total_seconds())
    states = {state.value: counted.get(state.value, 0) for state in State}
    return Figures(states, people, pieces, verdicts, waited, took)


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """Of one server: pieces made, listeners who asked, ratings of its pieces, what waits or runs, what failed."""

    pieces: int
    listeners: int
    ratings: int
    waiting: int
    failed: int


async def read_server_figures(database: Database, server_id: str) -> ServerFigures:
    """Raises StoreError when the database does not answer."""
    here = jobs.c.server_id == server_id
    statement = select(
        select(func.count()).select_from(tracks).join(jobs, jobs.c.id == tracks.c.id).where(here).scalar_subquery(),
        select(func.count(jobs.c.listener_id.distinct())).where(here).scalar_subquery(),
        select(func.count()).select_from(ratings).join(jobs, jobs.c.id == ratings.c.track_id).where(here)
        .scalar_subquery(),
        select(func.count()).where(here, jobs.c.state.in_((State.QUEUED, State.RUNNING))).scalar_subquery(),
        select(func.count()).where(here, jobs.c.state == State.FAILED).scalar_subquery(),
    )  # fmt: skip
    async with database.read() as tx:
        return ServerFigures(*(int(number) for number in (await tx.execute(statement)).one()))
