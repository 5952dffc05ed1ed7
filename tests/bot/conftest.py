"""A home folder, a store, a service and a bot on a loopback Discord for the tests that ask; none sees this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App, open_app
from bot.settings import PREFIX, Settings, load_settings
from tests.bot.discord_harness import Running, running_bot
from tests.fakes.discord import FakeDiscord

COMPOSER = "tests.fakes.composer:compose_track"
EDITOR = "tests.fakes.composer:edit_folder"
CREDENTIALS = {"DISCORD_TOKEN", "SPOTIFY_CLIENT_ID", "SPOTIFY_REDIRECT_URI", "LASTFM_API_KEY"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) or name in CREDENTIALS:
            monkeypatch.delenv(name)
    monkeypatch.setattr("bot.settings.ENV_FILE", "no.env")
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", composer=COMPOSER, editor=EDITOR, lease_s=5.0, compare=False)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with open_app(settings) as opened:
        yield opened


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as discord:
        discord.patch(monkeypatch)
        yield discord


@pytest.fixture
async def bot(settings: Settings, fake: FakeDiscord) -> AsyncIterator[Running]:
    async with running_bot(settings, fake) as running:
        yield running
