"""Which new jobs are accepted: limits of what waits, quotas of a server, and whether anything is accepted at all.

Checked in the transaction that stores the job, so neither a restart nor two requests at once get around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.errors import Refused
from bot.store.database import Transaction
from bot.store.store import Store

MAINTENANCE = "maintenance"  # the fact that holds the operator's words while nothing new is accepted


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait: unfinished jobs of one listener, and of everybody."""

    per_listener: int = 3
    backlog: int = 100


async def admit(
    store: Store,
    tx: Transaction,
    limits: Limits,
    listener_id: str,
    now: datetime,
    *,
    server_id: str | None = None,
    listener_key: str | None = None,
) -> None:
    """Raises Refused when a job of this listener, on this server, cannot be accepted now."""
    words = await store.facts.get_in(tx, MAINTENANCE)
    if words is not None:
        raise Refused("refused.maintenance", words=words)
    if await store.jobs.unfinished(tx, listener_id) >= limits.per_listener:
        raise Refused("refused.pending", count=limits.per_listener)
    if await store.jobs.unfinished(tx) >= limits.backlog:
        raise Refused("refused.backlog")
    if server_id is None:
        return
    mine, everybodys = await store.servers.limits(tx, server_id)
    if mine is not None:
        when = await store.servers.free_at(tx, server_id, mine, now, listener_key)
        if when is not None:
            raise Refused("refused.quota", count=mine, when=when)
    if everybodys is not None:
        when = await store.servers.free_at(tx, server_id, everybodys, now)
        if when is not None:
            raise Refused("refused.server_quota", count=everybodys, when=when)
