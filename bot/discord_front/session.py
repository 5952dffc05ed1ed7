"""One stay on Discord: log in, listen, leave in order; the library's errors become sentences here."""

from __future__ import annotations

from typing import Self

import aiohttp
import discord

from bot.discord_front.client import Front
from bot.discord_front.delivery import Pace
from bot.discord_front.station import RadioPace
from bot.errors import FrontError, SettingsError
from bot.jobs.queue import Queue
from bot.service import Service
from bot.store.store import Store

_BAD_TOKEN = (
    "Discord does not accept the DISCORD_TOKEN; copy it again from the developer portal (Bot, Reset Token) into .env."  # noqa: S105
)


class FrontSession:
    def __init__(
        self,
        store: Store,
        queue: Queue,
        service: Service,
        *,
        worker: str,
        pace: Pace | None = None,
        radio_pace: RadioPace | None = None,
    ) -> None:
        self.front = Front(store, queue, service, worker=worker, pace=pace, radio_pace=radio_pace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.front.close()

    async def login(self, token: str) -> None:
        """Raises SettingsError for a bad token and FrontError when Discord cannot be reached."""
        try:
            await self.front.login(token.strip())
        except discord.LoginFailure as error:
            raise SettingsError(_BAD_TOKEN) from error
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise FrontError(f"Discord cannot be reached: {error}.") from error

    async def listen(self) -> None:
        """Until closed; reconnects and resumes by itself. Raises FrontError when Discord sends us away."""
        try:
            await self.front.connect(reconnect=True)
        except discord.PrivilegedIntentsRequired as error:
            raise FrontError("Discord demands an intent that this bot does not ask for.") from error
        except (discord.ConnectionClosed, discord.GatewayNotFound) as error:
            raise FrontError(f"Discord closed the connection for good: {error}.") from error
