"""The bot's own process, `serve` as it is, turned towards a loopback Discord and asked for its figures.

`python -m benchmarks.served BASE GATEWAY`: the settings come from the environment as ever. A line on standard input is
answered by a line on standard output: how late the loop came to each beat since the line before, and the memory held.
It holds the seconds by which the bot's clock is to run ahead of the machine's from then on, more than before.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import discord.gateway
import discord.http
import yarl

import bot.cli.serve
import bot.clock
import bot.discord_front.brake
from bot.__main__ import main
from bot.discord_front.delivery import Pace

BEAT_S = 0.005
_LOOK_S = 0.1


class Ahead:
    """A clock that runs ahead of the machine's."""

    def __init__(self) -> None:
        self.by = timedelta()
        self._read = bot.clock.read

    def __call__(self) -> datetime:
        return self._read() + self.by


_ahead = Ahead()


def watched(work: Coroutine[Any, Any, None]) -> None:
    """What `bot.cli.serve` runs its coroutine with, and a beat beside it."""

    async def beside() -> None:
        late_ms: list[float] = []
        beat = asyncio.create_task(_beat(late_ms), name="beat")
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _answer, late_ms)
        try:
            await work
        finally:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            beat.cancel()

    asyncio.run(beside())


async def _beat(late_ms: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(BEAT_S)
        late_ms.append(1000 * max(0.0, time.perf_counter() - began - BEAT_S))


def _answer(late_ms: list[float]) -> None:
    line = sys.stdin.readline()
    if not line:  # whoever asked is gone
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        return
    ahead_s = float(line)
    _ahead.by += timedelta(seconds=ahead_s)
    if not ahead_s:  # somebody wants the figures; that time passes collects nothing
        gc.collect()
    print(json.dumps({"late_ms": [round(late, 3) for late in late_ms], "rss_mb": _rss_mb()}), flush=True)
    late_ms.clear()


def _rss_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    discord.http.Route.BASE = sys.argv[1]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sys.argv[2])
    if len(sys.argv) > 3:  # how often the courier looks, for a day that passes in minutes
        Pace.__init__.__defaults__ = (float(sys.argv[3]), *Pace.__init__.__defaults__[1:])  # type: ignore[misc]
    bot.discord_front.brake.FREE_AN_HOUR = 10_000  # this Discord takes no token away from who starts too often
    bot.clock.read, bot.clock.LOOK_S = _ahead, _LOOK_S
    bot.cli.serve.run = watched  # type: ignore[assignment]
    sys.exit(main(["serve"]))
