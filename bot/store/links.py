"""Accounts a listener linked, with the service's token sealed for that listener, and what was asked of services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, delete, func, select

from bot.store.crypto import Seal
from bot.store.database import Database
from bot.store.dialect import insert
from bot.store.listeners import Listeners
from bot.store.tables import links, listens, requests

_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Link:
    """`account` is the name or id at the service; `token` is the service's, None where none is needed."""

    source: str
    account: str
    token: str | None
    linked_at: datetime


class Links:
    def __init__(self, database: Database, listeners: Listeners, seal: Seal) -> None:
        self._database = database
        self._listeners = listeners
        self._seal = seal

    async def put(self, listener_id: str, link: Link) -> None:
        """Link an account; one linked before to the same service is replaced."""
        sealed = None if link.token is None else self._seal.close(_owner(listener_id, link.source), link.token)
        values = {"account": link.account, "sealed_token": sealed, "linked_at": link.linked_at}
        async with self._database.write() as tx:
            await self._listeners.ensure(tx, listener_id, link.linked_at)
            statement = insert(tx, links).values(listener_id=listener_id, source=link.source, **values)
            await tx.execute(
                statement.on_conflict_do_update(index_elements=["listener_id", "source"], set_=values)
            )  # fmt: skip

    async def renew(self, listener_id: str, source: str, token: str) -> bool:
        """Replace the token of a link; False when it was undone meanwhile, and nothing is stored."""
        sealed = self._seal.close(_owner(listener_id, source), token)
        async with self._database.write() as tx:
            statement = links.update().where(links.c.listener_id == listener_id, links.c.source == source)
            return (await tx.execute(statement.values(sealed_token=sealed))).rowcount > 0

    async def get(self, listener_id: str, source: str) -> Link | None:
        """Raises StoreError when the key that sealed the token is gone."""
        statement = select(links).where(links.c.listener_id == listener_id, links.c.source == source)
        async with self._database.read() as tx:
            row = (await tx.execute(statement)).mappings().first()
        return None if row is None else self._link(row)

    async def of_listener(self, listener_id: str) -> list[Link]:
        """All links, by source. Raises StoreError as `get`."""
        statement = select(links).where(links.c.listener_id == listener_id).order_by(links.c.source)
        async with self._database.read() as tx:
            return [self._link(row) for row in (await tx.execute(statement)).mappings().all()]

    async def remove(self, listener_id: str, source: str) -> tuple[bool, int]:
        """Delete a link and all plays of that service, at once: whether there was one, and how many plays."""
        async with self._database.write() as tx:
            mine = (links.c.listener_id == listener_id, links.c.source == source)
            found = (await tx.execute(delete(links).where(*mine))).rowcount > 0
            plays = delete(listens).where(listens.c.listener_id == listener_id, listens.c.source == source)
            return found, (await tx.execute(plays)).rowcount

    async def spend(self, source: str, now: datetime, limit: int) -> bool:
        """Count one request to a service, unless `limit` were made in the last 24 hours; whether it may be made."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        async with self._database.write() as tx:
            await tx.execute(delete(requests).where(requests.c.source == source, requests.c.hour <= hour - _DAY))
            total = select(func.coalesce(func.sum(requests.c.count), 0)).where(requests.c.source == source)
            if (await tx.execute(total)).scalar_one() >= limit:
                return False
            statement = insert(tx, requests).values(source=source, hour=hour, count=1)
            await tx.execute(
                statement.on_conflict_do_update(
                    index_elements=["source", "hour"], set_={"count": requests.c.count + 1}
                )
            )  # fmt: skip
            return True

    def _link(self, row: RowMapping) -> Link:
        sealed = row["sealed_token"]
        token = None if sealed is None else self._seal.open(_owner(row["listener_id"], row["source"]), sealed)
        return Link(row["source"], row["account"], token, row["linked_at"])


def _owner(listener_id: str, source: str) -> str:
    return f"{source} link of {listener_id}"
