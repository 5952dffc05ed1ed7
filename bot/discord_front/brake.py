"""A brake for crash loops: Discord takes a token away that identifies more than a thousand times in 24 hours.

Every IDENTIFY is written down before it is sent, so that the next start knows of it. Restarts now and then cost
nothing; from the eleventh start within an hour on each waits a minute longer than the one before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot import clock
from bot.logs import logger
from bot.store.facts import Facts

FACT = "identifies"
MOST_A_DAY = 900  # of Discord's thousand, over all shards; the rest is for the operator's own doing
FREE_AN_HOUR = 10  # starts of all shards
_HOUR, _DAY, _STEP = timedelta(hours=1), timedelta(hours=24), timedelta(minutes=1)
_log = logger(__name__)


def pause(before: Sequence[datetime], now: datetime, shards: int = 1) -> timedelta:
    """How long to wait before one more IDENTIFY, after those `before`, the oldest first."""
    starts = sum(now - moment < _HOUR for moment in before) // max(1, shards)
    today = [moment for moment in before if now - moment < _DAY]
    slower = _STEP * max(0, starts - FREE_AN_HOUR + 1)
    if len(today) < MOST_A_DAY:
        return slower
    return max(slower, today[-MOST_A_DAY] + _DAY - now)


class Brake:
    """One per process; the moments are those of all processes on the same store."""

    def __init__(
        self,
        facts: Facts,
        *,
        now: Callable[[], datetime] = clock.now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._facts = facts
        self._now = now
        self._sleep = sleep
        self._turn = asyncio.Lock()

    async def before_identify(self, shards: int = 1) -> None:
        """Wait as long as it needs, then write the moment down. Raises StoreError."""
        async with self._turn:
            known = [datetime.fromtimestamp(at, UTC) for at in json.loads(await self._facts.get(FACT) or "[]")]
            wait = pause(known, self._now(), shards)
            if wait:
                _log.warning("too many starts; waiting before the next", seconds=round(wait.total_seconds()))
                await self._sleep(wait.total_seconds())
            moments = [*(moment for moment in known if self._now() - moment < _DAY), self._now()]
            await self._facts.put(FACT, json.dumps([round(moment.timestamp()) for moment in moments]))
