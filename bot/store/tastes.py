"""What belongs to a listener's taste beside ratings and statements: signals, exclusions, age band and country."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, and_, delete, select

from bot.store.database import Database
from bot.store.dialect import insert
from bot.store.evidence import in_force, not_excluded
from bot.store.listeners import Listeners
from bot.store.tables import abouts, comparisons, exclusions, jobs, listens, ratings, signals, statements, tracks


class Tastes:
    def __init__(self, database: Database, listeners: Listeners) -> None:
        self._database = database
        self._listeners = listeners

    async def signal(self, listener_id: str, track_id: str, kind: str, now: datetime) -> None:
        """Store that a listener skipped, replayed … a track; once counts as often."""
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            row = {"listener_id": listener_id, "track_id": track_id, "kind": kind, "given_at": now}
            await tx.execute(insert(tx, signals).values(**row).on_conflict_do_nothing())

    async def signals(self, listener_id: str) -> Sequence[RowMapping]:
        """The oldest first, with the track's attributes and brief; excluded tracks are not among them."""
        statement = (
            select(signals.c.track_id, signals.c.kind, signals.c.given_at, tracks.c.attributes, tracks.c.brief)
            .join(tracks, tracks.c.id == signals.c.track_id)
            .where(signals.c.listener_id == listener_id, not_excluded(signals.c.listener_id, signals.c.track_id))
            .order_by(signals.c.given_at, signals.c.track_id, signals.c.kind)
        )
        return await self._rows(statement)

    async def exclude(self, listener_id: str, kind: str, value: str, now: datetime) -> None:
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            row = {"listener_id": listener_id, "kind": kind, "value": value, "said_at": now}
            await tx.execute(insert(tx, exclusions).values(**row).on_conflict_do_nothing())

    async def include(self, listener_id: str, value: str) -> bool:
        """Take an exclusion back; whether there was one."""
        async with self._database.write() as tx:
            mine = and_(exclusions.c.listener_id == listener_id, exclusions.c.value == value)
            return (await tx.execute(delete(exclusions).where(mine))).rowcount > 0

    async def exclusions(self, listener_id: str) -> Sequence[RowMapping]:
        """The oldest first."""
        statement = select(exclusions).where(exclusions.c.listener_id == listener_id)
        return await self._rows(statement.order_by(exclusions.c.said_at, exclusions.c.value))

    async def about(self, listener_id: str) -> RowMapping | None:
        """Age band and country, if they were said."""
        found = await self._rows(select(abouts).where(abouts.c.listener_id == listener_id))
        return found[0] if found else None

    async def tell_about(self, listener_id: str, age_band: str | None, country: str | None, now: datetime) -> None:
        """Store age band and country in place of those before; both None deletes them."""
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, now)
            await tx.execute(delete(abouts).where(abouts.c.listener_id == listener_id))
            if age_band is not None or country is not None:
                row = {"listener_id": listener_id, "age_band": age_band, "country": country, "said_at": now}
                await tx.execute(insert(tx, abouts).values(**row))

    async def reset(self, listener_id: str) -> dict[str, int]:
        """Delete all that a taste is made of; how many rows of each kind. Pieces and links stay."""
        gone = {}
        async with self._database.write() as tx:
            for table in (ratings, comparisons, signals, statements, exclusions, abouts, listens):
                found = await tx.execute(delete(table).where(table.c.listener_id == listener_id))
                gone[table.name] = found.rowcount
        return gone

    async def recent_styles(self, listener_id: str, limit: int) -> list[str]:
        """The main style of the newest pieces made for a listener, the newest first."""
        statement = select(tracks.c.brief).where(tracks.c.listener_id == listener_id)
        rows = await self._rows(statement.order_by(tracks.c.created_at.desc(), tracks.c.id).limit(limit))
        return [row["brief"]["styles"][0][0] for row in rows]

    async def everybodys_ratings(self) -> Sequence[RowMapping]:
        """Every rating in force of everybody, the oldest first, with the track's attributes and brief, and age band
        and country of who said them; what listeners excluded is not among them."""
        statement = (
            select(
                ratings.c.listener_id, ratings.c.stars, tracks.c.attributes, tracks.c.brief,
                abouts.c.age_band, abouts.c.country,
            )
            .join(tracks, tracks.c.id == ratings.c.track_id)
            .outerjoin(abouts, abouts.c.listener_id == ratings.c.listener_id)
            .where(in_force(), not_excluded(ratings.c.listener_id, ratings.c.track_id))
            .order_by(ratings.c.rated_at, ratings.c.listener_id, ratings.c.track_id)
        )  # fmt: skip
        return await self._rows(statement)

    async def choices(self) -> Sequence[RowMapping]:
        """Every proposal whose piece its own listener rated, with the stars, the oldest first."""
        statement = (
            select(jobs.c.proposal, ratings.c.stars)
            .join(
                ratings, and_(ratings.c.track_id == jobs.c.id, ratings.c.listener_id == jobs.c.listener_id)
            )
            .where(in_force())
            .order_by(ratings.c.rated_at)
        )  # fmt: skip
        return await self._rows(statement)

    async def _rows(self, statement: Select[Any]) -> Sequence[RowMapping]:
        async with self._database.read() as tx:
            return (await tx.execute(statement)).mappings().all()
