"""A day of steady traffic without the waiting in between: whether the bot's process grows.

An hour is a dozen pieces with what people do to them, some looks at lists, and six broken connections that are resumed,
three of them with a command under way. What a day has beside that is idle: the courier looks every second. Here it
looks every 20 ms, so that a part of the day's looks happens too; `Day.took_s` says for how long. Clocks are not moved:
what takes hours (the end of tokens, refits) is not in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loopback import TONE, Loopback, served
from tests.fakes.discord import Asked

PIECES, PEOPLE, DROPS = 12, 40, 3  # an hour's pieces, the listeners, an hour's broken connections
_FIRST = 630_000_000_000_000_000
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Day:
    """Memory in MB at the end of every hour, how often the connection was resumed, how many pieces were posted."""

    memory_mb: list[float]
    resumes: int
    pieces: int
    took_s: float


async def day(home: Path, hours: int) -> Day:
    memory = []
    began = time.monotonic()
    async with Loopback() as discord, served(home, discord, poll_s=_POLL_S, composer=TONE) as bot:
        for hour in range(hours):
            await _hour(discord, hour)
            memory.append(float((await bot.figures())["rss_mb"]))
            discord.requests.clear()
            discord.authorizations.clear()
        return Day(memory, discord.resumes, len(discord.tracks()), time.monotonic() - began)


async def _hour(discord: Loopback, hour: int) -> None:
    for number in range(PIECES):
        user = _FIRST + (hour * PIECES + number) % PEOPLE
        asked = await discord.slash("compose", text=("chill", "sad", "happy", "focus")[number % 4], user=user)
        if number % (PIECES // DROPS) == 1:
            await discord.drop()
        await _piece(discord, asked, user)
        if number % (PIECES // DROPS) == 2:
            await discord.drop()  # with nothing on the way
        looks = [await discord.slash(name, user=user) for name in ("history", "taste show", "mood show", "help")]
        await discord.autocomplete("compose", "text", "ch")
        await discord.until(lambda looks=looks: all(look.acks for look in looks))  # type: ignore[misc]


async def _piece(discord: Loopback, asked: Asked, user: int) -> None:
    """Wait for a piece, rate it by a number and by a button, and change one's mind."""
    await discord.until(lambda: asked.message and asked.message.attachments and len(asked.message.reactions) == 5)
    assert asked.message is not None  # noqa: S101 -- it was just waited for
    await discord.react(asked.message, "4️⃣", user)
    await discord.react(asked.message, "5️⃣", user)
    await discord.unreact(asked.message, "4️⃣", user)
    items = [item["custom_id"] for row in asked.message.components for item in row["components"]]
    pressed = [
        await discord.click(asked.message, next(name for name in items if name.startswith(f"tune:{action}")), user=user)
        for action in ("like", "why")
    ]
    await discord.until(lambda: all(one.acks for one in pressed))
