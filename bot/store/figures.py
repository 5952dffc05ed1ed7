"""What an operator watches, in numbers; nothing here names a listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

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
    waited = 0.0 if since is None else max(0.0, ((now or datetime.now(UTC)) - since).total_seconds())
    took = 0.0 if last is None else max(0.0, (last.made - last.asked).total_seconds())
    states = {state.value: counted.get(state.value, 0) for state in State}
    return Figures(states, people, pieces, verdicts, waited, took)
