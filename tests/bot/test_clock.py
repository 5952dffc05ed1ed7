"""The one clock: what waits for hours follows it, not the loop's own time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot import clock
from tests.bot.making import START


async def test_a_wait_of_hours_ends_when_the_clock_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [START]
    monkeypatch.setattr(clock, "read", lambda: moment[0])
    monkeypatch.setattr(clock, "LOOK_S", 0.01)
    waiting = asyncio.create_task(clock.wait_until(START + timedelta(hours=24)))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    moment[0] += timedelta(hours=25)  # as after a night with the lid closed
    async with asyncio.timeout(5):
        await waiting


async def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    async with asyncio.timeout(5):
        await clock.wait_until(clock.now() - timedelta(hours=1))
