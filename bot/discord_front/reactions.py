"""Number reactions under a piece are ratings: raw events while we listen, a comparison after we did not.

Raw events arrive for messages from before a restart too; the cached kind does not.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import discord

from bot import clock
from bot.discord_front.replies import STAR_EMOJI
from bot.errors import BotError
from bot.logs import logger
from bot.service import Service
from bot.store.messages import Messages

_LOOK_BACK = timedelta(days=14)
_LOOK_AT = 50
_log = logger(__name__)


def listener_of(user_id: int | str) -> str:
    return f"discord:{user_id}"


class Reactions:
    def __init__(self, client: discord.Client, service: Service, messages: Messages) -> None:
        self._client = client
        self._service = service
        self._messages = messages
        # An event must not fall between reading a message and acting on what was read: it waits its turn.
        self._turn = asyncio.Lock()

    async def added(self, event: discord.RawReactionActionEvent) -> None:
        if event.member is not None and event.member.bot:
            return
        async with self._turn:
            found = await self._rating(event)
            if found is not None and await self._may(listener_of(event.user_id), found[0]):
                track_id, stars = found
                await self._service.rate(listener_of(event.user_id), track_id, stars, source="reaction")

    async def removed(self, event: discord.RawReactionActionEvent) -> None:
        async with self._turn:
            found = await self._rating(event)
            if found is not None:
                track_id, stars = found
                await self._service.withdraw_rating(listener_of(event.user_id), track_id, stars)

    async def _rating(self, event: discord.RawReactionActionEvent) -> tuple[str, int] | None:
        own = self._client.user is not None and event.user_id == self._client.user.id
        if own or event.emoji.name not in STAR_EMOJI:
            return None
        track_id = await self._messages.track_of(str(event.message_id))
        return None if track_id is None else (track_id, STAR_EMOJI.index(event.emoji.name) + 1)

    async def _may(self, listener_id: str, track_id: str) -> bool:
        """Whether a listener is not banned where the piece was asked for."""
        server_id = (await self._service.job(track_id)).server_id
        return server_id is None or not await self._service.servers.banned(server_id, listener_id)

    async def reconcile(self) -> None:
        """Bring the ratings of recent pieces to what stands under them now."""
        since = clock.now() - _LOOK_BACK
        for row in await self._messages.posted_since(since, _LOOK_AT):
            try:
                async with self._turn:
                    await self._reconcile_one(row)
            except discord.NotFound:
                continue  # the message or its channel was deleted; the ratings stay
            except (discord.HTTPException, BotError) as error:
                _log.info("reactions not compared", job=row["job_id"], reason=str(error))

    async def _reconcile_one(self, row: Any) -> None:
        if not row["channel_open"]:
            return
        channel = self._client.get_partial_messageable(int(row["channel_id"]))
        message = await channel.fetch_message(int(row["message_id"]))
        now: set[tuple[str, int]] = set()
        for reaction in message.reactions:
            if str(reaction.emoji) in STAR_EMOJI and reaction.count > int(reaction.me):
                stars = STAR_EMOJI.index(str(reaction.emoji)) + 1
                async for user in reaction.users():
                    if not user.bot:
                        now.add((listener_of(user.id), stars))
        stored = await self._service.reactions(row["job_id"])
        for listener_id, stars in sorted(now - stored):
            if await self._may(listener_id, row["job_id"]):
                await self._service.rate(listener_id, row["job_id"], stars, source="reaction")
        for listener_id, stars in sorted(stored - now):
            await self._service.withdraw_rating(listener_id, row["job_id"], stars)
