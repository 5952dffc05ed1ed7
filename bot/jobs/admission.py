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


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits for a job; the key stands for them in what was used of a server's quotas."""

    listener_id: str
    key: str | None = None


async def admit(
    store: Store, tx: Transaction, limits: Limits, now: datetime, *, server_id: str | None, of: Waiting | None
) -> None:
    """Raises Refused when a job of this listener (or of nobody's in particular), on this server, cannot be accepted."""
    words = await store.facts.get_in(tx, MAINTENANCE)
    if words is not None:
        raise Refused("refused.maintenance", words=words)
    if of is not None and await store.jobs.unfinished(tx, of.listener_id) >= limits.per_listener:
        raise Refused("refused.pending", count=limits.per_listener)
    if await store.jobs.unfinished(tx) >= limits.backlog:
        raise Refused("refused.backlog")
    if server_id is None:
        return
    mine, everybodys = await store.servers.limits(tx, server_id)
    if of is not None and mine is not None:
        when = await store.servers.free_at(tx, server_id, mine, now, of.key)
        if when is not None:
            raise Refused("refused.quota", count=mine, when=when)
    if everybodys is not None:
        when = await store.servers.free_at(tx, server_id, everybodys, now)
        if when is not None:
            raise Refused("refused.server_quota", count=everybodys, when=when)
