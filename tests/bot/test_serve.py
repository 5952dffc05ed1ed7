"""The real `serve` process: signals, exit codes, and that no worker stays behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bot.settings import Settings, child_environment
from tests.bot.conftest import COMPOSER
from tests.bot.processes import python
from tests.fakes.discord import TOKEN, FakeDiscord, mp3_of

_LAUNCH = """
import sys, yarl, discord.http, discord.gateway
discord.http.Route.BASE, gateway = sys.argv[1:3]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
from bot.__main__ import main
sys.exit(main(["serve"]))
"""


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as discord:
        yield discord


def serve(
    settings: Settings, fake: FakeDiscord, token: str = TOKEN
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    environment = child_environment(settings) | {
        "TUNESMITH_HOME": str(settings.home),
        "TUNESMITH_COMPOSER": COMPOSER,
        "TUNESMITH_LEASE_S": "1.5",
        "DISCORD_TOKEN": token,
    }
    return python("-c", _LAUNCH, fake.base, fake.gateway_url, environment=environment)


def workers_of(parent: int) -> list[str]:
    """Its engine's processes that run; other tests of this process may have left a child of another kind."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, its_parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            engine = b"bot.engine.child" in (entry / "cmdline").read_bytes()
            if int(its_parent) == parent and state != "Z" and engine:
                found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(settings: Settings, fake: FakeDiscord, number: signal.Signals) -> None:
    async with serve(settings, fake) as process:
        await fake.until(lambda: fake.welcomes)
        asked = await fake.slash("compose", text="chill fakeslower")
        await fake.until(lambda: asked.message and "▰" in asked.message.content)
        (worker,) = workers_of(process.pid)
        process.send_signal(number)
        _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert fake.closes[-1] == 1000  # said goodbye
    assert asked.message is not None
    assert "restart" in asked.message.content
    assert not Path(f"/proc/{worker}").exists()
    assert b"Traceback" not in log
    assert TOKEN.encode() not in log
    assert asked.token.encode() not in log


async def test_kill_minus_nine_and_the_next_start_posts_once(settings: Settings, fake: FakeDiscord) -> None:
    async with serve(settings, fake) as first:
        await fake.until(lambda: fake.welcomes)
        asked = await fake.slash("compose", text="chill fakeslower")
        await fake.until(lambda: asked.message and "▰" in asked.message.content)
        first.kill()
        await first.communicate()
    async with serve(settings, fake) as second:
        await fake.until(fake.tracks, 60)
        await fake.until(lambda: len(fake.tracks()[0].reactions) == 5)
        second.terminate()
        _, log = await second.communicate()
    assert second.returncode == 0, log.decode()
    assert fake.tracks() == [asked.message]
    assert mp3_of(fake.tracks()[0])


async def test_a_bad_token_is_one_sentence_and_exit_code_2(settings: Settings, fake: FakeDiscord) -> None:
    async with serve(settings, fake, token="wrong-token-wrong-token") as process:
        _, log = await process.communicate()
    assert process.returncode == 2
    assert "DISCORD_TOKEN" in log.decode().strip().splitlines()[-1]
    assert b"Traceback" not in log
    assert b"wrong-token" not in log
