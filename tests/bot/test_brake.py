"""A bot that crashes in a loop keeps its token: it must not identify a thousand times a day."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from bot.app import App, open_app
from bot.discord_front.brake import FACT, FREE_AN_HOUR, Brake, pause
from bot.settings import Settings
from tests.bot.discord_harness import running_bot
from tests.bot.making import START
from tests.fakes.discord import FakeDiscord

LIMIT = 1000  # Discord's, in 24 hours


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.mark.parametrize("shards", [1, 16, 90])
def test_two_days_of_crashes_stay_below_the_limit(shards: int) -> None:
    """Start, identify every shard, crash after a second, be started again after ten."""
    now, identifies = START, list[datetime]()
    while now < START + timedelta(hours=48):
        for _ in range(shards):
            now += pause(identifies[-LIMIT:], now, shards)
            identifies.append(now)
        now += timedelta(seconds=11)
    for number, first in enumerate(identifies):
        assert sum(moment < first + timedelta(hours=24) for moment in identifies[number : number + LIMIT]) < LIMIT
    assert len(identifies) >= 10 * shards, "the brake is no wall"


async def test_the_next_process_knows_of_the_starts_before(app: App) -> None:
    clock = Clock()
    for _ in range(FREE_AN_HOUR):
        await Brake(app.store.facts, now=clock, sleep=clock.sleep).before_identify()
    assert clock.now == START
    await Brake(app.store.facts, now=clock, sleep=clock.sleep).before_identify()
    assert clock.now == START + timedelta(minutes=1)


def test_restarts_now_and_then_wait_for_nothing() -> None:
    starts = [START + timedelta(minutes=6 * number) for number in range(30)]
    assert all(not pause(starts[:count], starts[count]) for count in range(FREE_AN_HOUR))
    assert not pause(starts, starts[-1] + timedelta(minutes=30))
    rapid = [START] * (FREE_AN_HOUR + 2)
    assert pause(rapid, START) > pause(rapid[:-1], START) > timedelta()


async def test_every_identify_is_written_down(settings: Settings, fake: FakeDiscord) -> None:
    for _ in range(2):
        async with running_bot(settings, fake, composing=False):
            pass
    async with open_app(settings) as app:
        assert len(json.loads(await app.store.facts.get(FACT) or "")) == len(fake.identifies) == 2
