"""The bot as a process of its own against the loopback Discord, for tables that kill it, crowd it or let it age."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.settings import child_environment, load_settings
from tests.fakes.discord import TOKEN, FakeDiscord

TONE = "tests.fakes.composer:compose_track"
"""A second of sound in the place of a piece: real files, made by a real worker process, without the music."""

TOKEN_LIFE_S = 15 * 60

Tell = Callable[[web.Request, bool], None]


class Loopback(FakeDiscord):
    """Tells of every request before it takes effect (False) and before its answer leaves (True)."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Tell | None = None

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once: what is made from now on is younger, and tokens end that are old enough."""
        self.ids.ahead_s += seconds
        for asked in self.asked.values():
            asked.expired = asked.expired or self.ids.age_s(asked.id) > TOKEN_LIFE_S

    async def _rest(self, request: web.Request) -> web.Response:
        if self.told is not None:
            self.told(request, False)
        try:
            answer = await super()._rest(request)
        except ConnectionResetError:  # killed while it spoke; nobody hears the answer
            return web.Response(status=400)
        if self.told is not None:
            self.told(request, True)
        return answer


@dataclass
class Served:
    """A running bot; `log` is where its standard error goes."""

    process: asyncio.subprocess.Process
    log: Path

    async def figures(self) -> dict[str, Any]:
        """How late its loop came to each beat since the last time, in ms, and its memory in MB."""
        return await self.pass_time(0.0)

    async def pass_time(self, seconds: float) -> dict[str, Any]:
        """Let its clock run ahead by so much more; its figures."""
        assert self.process.stdin is not None  # noqa: S101 -- for the type checker
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(f"{seconds}\n".encode())
        found: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return found

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def served(
    home: Path, discord: FakeDiscord, *, poll_s: float | None = None, **settings: str
) -> AsyncIterator[Served]:
    """Start `serve` on a home folder and wait until it is ready; at the end it is killed, if it still runs.

    `settings` are TUNESMITH_ variables by their lower-case names. What the process logs is added to `home.log`.
    """
    welcomes = discord.welcomes
    command = [sys.executable, "-m", "benchmarks.served", discord.base, discord.gateway_url]
    if poll_s is not None:
        command.append(str(poll_s))
    log = home.with_suffix(".log")
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command, env=_environment(home, settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
            limit=2**24,
        )  # fmt: skip
    running = Served(process, log)
    try:
        await discord.until(lambda: discord.welcomes > welcomes or process.returncode is not None)
        if process.returncode is not None:
            raise RuntimeError(f"The bot does not start: {log.read_text()[-2000:]}")
        yield running
    finally:
        await running.kill()


def _environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    named = {f"TUNESMITH_{name.upper()}": value for name, value in settings.items()}
    return child_environment(load_settings(home=home)) | {
        "TUNESMITH_HOME": str(home), "DISCORD_TOKEN": TOKEN, **named
    }  # fmt: skip
