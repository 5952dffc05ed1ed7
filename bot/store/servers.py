"""What holds on each server, who is banned there, and what was used of its quotas. Listeners are keyed hashes here."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update

from bot.store.database import Database, Transaction
from bot.store.dialect import insert
from bot.store.tables import bans, channels, facts, jobs, servers, uses

DAY = timedelta(hours=24)
_SECRET = "secret of keyed listeners"  # noqa: S105 - the name it is kept under
_FREE = ("failed", "cancelled")  # a job that ended so costs nobody anything


@dataclass(frozen=True, slots=True)
class Server:
    """The rules of one server; None is no limit, or nothing set, and no channels are all channels.

    `banned` are keys of listeners.
    """

    id: str
    listener_daily: int | None = None
    server_daily: int | None = None
    style: str | None = None
    length_s: float | None = None
    takes: int | None = None
    channels: frozenset[str] = frozenset()
    banned: frozenset[str] = frozenset()


class Servers:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret: bytes | None = None

    async def of(self, server_id: str) -> Server:
        async with self._database.read() as tx:
            row = (await tx.execute(select(servers).where(servers.c.id == server_id))).mappings().first()
            allowed = (await tx.execute(select(channels.c.channel_id).where(channels.c.server_id == server_id))).all()
            banned = (await tx.execute(select(bans.c.listener_key).where(bans.c.server_id == server_id))).all()
        found = {} if row is None else {name: value for name, value in row.items() if name != "id"}
        return Server(
            server_id, **found, channels=frozenset(one for (one,) in allowed),
            banned=frozenset(one for (one,) in banned),
        )  # fmt: skip

    async def change(self, server_id: str, **values: Any) -> None:
        """Set columns of a server."""
        async with self._database.write() as tx:
            await self._ensure(tx, server_id)
            await tx.execute(update(servers).where(servers.c.id == server_id).values(**values))

    async def allow(self, server_id: str, channel_id: str) -> None:
        async with self._database.write() as tx:
            await self._ensure(tx, server_id)
            row = {"server_id": server_id, "channel_id": channel_id}
            await tx.execute(insert(tx, channels).values(**row).on_conflict_do_nothing())

    async def disallow(self, server_id: str, channel_id: str | None) -> bool:
        """Take one channel, or all of them, from the list; whether there was one."""
        statement = delete(channels).where(channels.c.server_id == server_id)
        if channel_id is not None:
            statement = statement.where(channels.c.channel_id == channel_id)
        async with self._database.write() as tx:
            return (await tx.execute(statement)).rowcount > 0

    async def ban(self, server_id: str, listener_id: str, now: datetime) -> bool:
        """Whether that is new."""
        key = await self.key(listener_id)
        async with self._database.write() as tx:
            await self._ensure(tx, server_id)
            row = {"server_id": server_id, "listener_key": key, "listener_id": listener_id, "banned_at": now}
            return bool((await tx.execute(insert(tx, bans).values(**row).on_conflict_do_nothing())).rowcount)

    async def unban(self, server_id: str, listener_id: str) -> bool:
        """Whether there was a ban."""
        key = await self.key(listener_id)
        async with self._database.write() as tx:
            mine = delete(bans).where(bans.c.server_id == server_id, bans.c.listener_key == key)
            return (await tx.execute(mine)).rowcount > 0

    async def bans(self, server_id: str) -> list[str | None]:
        """The banned, the newest first; None for one who had themselves forgotten since."""
        statement = select(bans.c.listener_id).where(bans.c.server_id == server_id)
        async with self._database.read() as tx:
            rows = await tx.execute(statement.order_by(bans.c.banned_at.desc(), bans.c.listener_key))
            return [listener for (listener,) in rows]

    async def use(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count jobs; what is older than a day is not needed any more, anywhere."""
        if rows:
            await tx.execute(delete(uses).where(uses.c.used_at <= max(row["used_at"] for row in rows) - DAY))
            await tx.execute(insert(tx, uses), rows)

    async def pass_on(self, tx: Transaction, job_id: str, heir_id: str) -> None:
        """Let another job be the one that was counted."""
        await tx.execute(update(uses).where(uses.c.job_id == job_id).values(job_id=heir_id))

    async def free_at(
        self, tx: Transaction, server_id: str, quota: int, now: datetime, listener_key: str | None = None
    ) -> datetime | None:
        """When one more of `quota` in 24 hours is possible, for a listener or for everybody; None for right now."""
        statement = (
            select(uses.c.used_at)
            .outerjoin(jobs, jobs.c.id == uses.c.job_id)
            .where(
                uses.c.server_id == server_id, uses.c.used_at > now - DAY,
                or_(jobs.c.state.is_(None), jobs.c.state.not_in(_FREE)),
            )
            .order_by(uses.c.used_at.desc())
        )  # fmt: skip
        if listener_key is not None:
            statement = statement.where(uses.c.listener_key == listener_key)
        used: list[datetime] = [at for (at,) in await tx.execute(statement.limit(max(quota, 1)))]
        if len(used) < quota:
            return None
        return used[-1] + DAY if used else now + DAY

    async def limits(self, tx: Transaction, server_id: str) -> tuple[int | None, int | None]:
        """Pieces a day of one listener, and of everybody, on a server."""
        statement = select(servers.c.listener_daily, servers.c.server_daily).where(servers.c.id == server_id)
        row = (await tx.execute(statement)).first()
        return (None, None) if row is None else (row.listener_daily, row.server_daily)

    async def key(self, listener_id: str) -> str:
        """What stands for a listener where their id may not stay: hashed with a secret of this installation."""
        if self._secret is None:
            new = {"name": _SECRET, "value": secrets.token_hex(32)}
            async with self._database.write() as tx:
                await tx.execute(insert(tx, facts).values(**new).on_conflict_do_nothing())
                kept = (await tx.execute(select(facts.c.value).where(facts.c.name == _SECRET))).scalar_one()
            self._secret = bytes.fromhex(kept)  # it is committed now
        return hmac.new(self._secret, listener_id.encode(), hashlib.sha256).hexdigest()

    @staticmethod
    async def _ensure(tx: Transaction, server_id: str) -> None:
        await tx.execute(insert(tx, servers).values(id=server_id).on_conflict_do_nothing())
