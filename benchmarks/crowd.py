"""Five hundred people ask at once while a piece is rendered: how long each waits for the answer, how the loop fares.

The bot is a process of its own with the real composer at work in its worker process; the loopback Discord runs in this
process and shares the machine with both, so what it costs is in every figure.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.loopback import TONE, Loopback, Served, served
from tests.fakes.discord import Asked

PEOPLE = 500
WAITING_S = 15.0  # the loop is watched for so long after the last answer, while all of them wait for their pieces
CANCELS = 10
_FIRST = 610_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """Times in ms: of every answer; of every beat of the loop while they came and while they waited."""

    answers_ms: np.ndarray
    coming_ms: np.ndarray
    waiting_ms: np.ndarray
    accepted: int


async def crowd(home: Path, *, people: int, over_s: float) -> Crowd:
    """`people` ask for a piece, evenly over so many seconds; 0: all in one moment."""
    async with Loopback() as discord, served(home, discord, max_backlog="10000") as bot:
        first = await discord.slash("compose", text="chill", length=180, user=_FIRST)
        await discord.until(lambda: first.message and "▰" in first.message.content)
        await bot.figures()
        asked = []
        for number in range(people):
            asked.append(await discord.slash("compose", text="chill", user=_FIRST + 1 + number))
            if over_s:
                await asyncio.sleep(over_s / people)
        await discord.until(lambda: all(one.acks for one in asked), 120)
        coming = await bot.figures()
        await asyncio.sleep(WAITING_S)
        waiting = await bot.figures()
    return Crowd(
        np.array([1000 * one.ack_s for one in asked]),
        np.array(coming["late_ms"]),
        np.array(waiting["late_ms"]),
        sum(one.acks[0]["type"] == 5 for one in asked),
    )


async def cancels(home: Path) -> np.ndarray:
    """Seconds from the click on “cancel” of a running piece until its message says so and nothing composes any more."""
    async with Loopback() as discord, served(home, discord, composer=TONE) as bot:
        return np.array([await _cancel(bot, discord, _FIRST + number) for number in range(CANCELS)])


async def _cancel(bot: Served, discord: Loopback, user: int) -> float:
    asked = await discord.slash("compose", text="chill fakeslower", user=user)
    await discord.until(lambda: asked.message and "▰" in asked.message.content)
    before = set(_children(bot))
    loop = asyncio.get_running_loop()
    clicked = loop.time()
    await _press(discord, asked, user)
    await discord.until(
        lambda: "▰" not in (asked.message.content if asked.message else "") and not before & set(_children(bot))
    )
    return loop.time() - clicked


async def _press(discord: Loopback, asked: Asked, user: int) -> None:
    assert asked.message is not None  # noqa: S101 -- it was just read
    (button,) = (item for row in asked.message.components for item in row["components"])
    await discord.click(asked.message, button["custom_id"], user=user)


def _children(bot: Served) -> list[str]:
    """The worker processes of the bot."""
    return Path(f"/proc/{bot.process.pid}/task/{bot.process.pid}/children").read_text("ascii").split()
