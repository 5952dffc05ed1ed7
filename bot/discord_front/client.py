"""The Discord client: logs in without privileged intents, keeps the commands in step, passes events on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import suppress
from datetime import timedelta

import aiohttp
import discord
from discord import app_commands

from bot.discord_front.commands.compose import add_compose
from bot.discord_front.commands.history import add_history
from bot.discord_front.commands.taste import add_taste
from bot.discord_front.delivery import Courier, Pace
from bot.discord_front.reactions import Reactions, listener_of
from bot.discord_front.replies import explain
from bot.jobs.queue import Queue
from bot.jobs.reply import Reply
from bot.logs import logger
from bot.service import Service
from bot.store.store import Store

TOKEN_LIFE = timedelta(minutes=14)  # Discord's is 15
_ROW_WITHIN_S = 2.0  # of the three seconds Discord gives for the first answer
_log = logger(__name__)


def intents() -> discord.Intents:
    """Guilds and reactions, nothing privileged."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_reactions = True
    wanted.dm_reactions = True
    return wanted


class Front(discord.Client):
    """Owns the command tree, the courier and the reactions; knows nothing of how a piece is made."""

    def __init__(self, store: Store, queue: Queue, service: Service, *, worker: str, pace: Pace | None = None) -> None:
        super().__init__(
            intents=intents(),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            max_ratelimit_timeout=60.0,
        )
        self.service = service
        self.tree = app_commands.CommandTree(
            self,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        )
        self.tree.error(explain)
        for add in (add_compose, add_history, add_taste):
            add(self.tree, self)
        self.courier = Courier(self, store, queue, service, worker=worker, pace=pace)
        self._store = store
        self._reactions = Reactions(self, service, store.messages)
        self._courier_task: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Once after login: the library calls it before the gateway connects."""
        await self._sync_commands()
        self._courier_task = asyncio.create_task(self.courier.run(), name="courier")

    async def close(self) -> None:
        if self._courier_task is not None:
            self._courier_task.cancel()
            await asyncio.gather(self._courier_task, return_exceptions=True)
            self._courier_task = None
            await self.courier.pause()
        await super().close()

    async def _sync_commands(self) -> None:
        """Send the commands only when they changed: Discord allows 200 creations a day."""
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        digest = hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()
        name = f"commands of {self.application_id}"
        if await self._store.facts.get(name) != digest:
            await self.tree.sync()
            await self._store.facts.put(name, digest)
            _log.info("commands synced", count=len(payload))

    async def on_ready(self) -> None:
        """Every fresh session; events may have been missed before it, so nothing one-time belongs here."""
        _log.info("ready", guilds=len(self.guilds))
        await self._reactions.reconcile()

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        await self._reactions.added(event)

    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        await self._reactions.removed(event)

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:
        del args, kwargs  # may hold what people wrote
        _log.exception("event failed", event_name=event_method)

    async def accept(self, interaction: discord.Interaction, text: str, **wishes: object) -> None:
        """A request for a piece: row first, then the ack, and never later than Discord waits.

        Raises UserError when the request cannot be.
        """
        request = self.service.request(text, **wishes)
        listener = listener_of(interaction.user.id)
        stored = asyncio.create_task(self.service.compose(listener, request, reply=_reply(interaction)))
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROW_WITHIN_S):
                await asyncio.shield(stored)
        # A replayed interaction is answered already, a late one is beyond answering: the courier sees to both.
        with suppress(discord.HTTPException, aiohttp.ClientError, OSError):
            await interaction.response.defer(thinking=True)
        _, new = await stored
        if new:
            self.courier.wake()


def _reply(interaction: discord.Interaction) -> Reply:
    in_guild = interaction.guild_id is not None
    with_bot = isinstance(interaction.channel, discord.DMChannel) and not in_guild
    return Reply(
        interaction_id=str(interaction.id),
        application_id=str(interaction.application_id),
        token=interaction.token,
        token_until=interaction.created_at + TOKEN_LIFE,
        user_id=str(interaction.user.id),
        channel_id=None if interaction.channel is None else str(interaction.channel.id),
        channel_open=interaction.is_guild_integration() if in_guild else with_bot,
        upload_limit=interaction.filesize_limit,
    )
