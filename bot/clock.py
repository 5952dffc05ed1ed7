"""The time of day, asked for in one place: leases, quotas, tokens, refits and what is written down follow it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

LOOK_S = 60.0  # how often a wait of hours looks at the clock: while a machine sleeps, the loop's own time stands still


def _system() -> datetime:
    return datetime.now(UTC)


read: Callable[[], datetime] = _system
"""What is read; a benchmark puts a clock here that runs ahead."""


def now() -> datetime:
    return read()


async def wait_until(moment: datetime) -> None:
    while (left_s := (moment - now()).total_seconds()) > 0:  # noqa: ASYNC110 - nobody tells of the time
        await asyncio.sleep(min(left_s, LOOK_S))
