"""The Discord client: logs in without privileged intents, keeps the commands in step, passes events on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import aiohttp
import discord
from discord import app_commands

from bot.discord_front.actions import Actions
from bot.discord_front.boundary import explain, guarded
from bot.discord_front.brake import Brake
from bot.discord_front.buttons import DYNAMIC
from bot.discord_front.commands import ADDED
from bot.discord_front.delivery import Courier, Pace
from bot.discord_front.door import Door, Tree, server_of
from bot.discord_front.modals import FORGET, submitted
from bot.discord_front.radios import Radios, cleaned_up
from bot.discord_front.reactions import Reactions, listener_of
from bot.discord_front.station import RadioPace
from bot.discord_front.texts import Spoken, reader
from bot.discord_front.tolerance import tolerate
from bot.discord_front.uploads import fetched
from bot.jobs.job import Job
from bot.jobs.queue import Queue
from bot.jobs.reply import Reply
from bot.logs import logger
from bot.service import Service
from bot.store.store import Store

TOKEN_LIFE = timedelta(minutes=14)  # Discord's is 15
_CONNECTIONS = 40  # to Discord at once; one for each of a crowd costs more than waiting for one
_ROW_WITHIN_S = 2.0  # of the three seconds Discord gives for the first answer
_log = logger(__name__)


def intents() -> discord.Intents:
    """Guilds, reactions and who sits in which voice channel; nothing privileged."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_reactions = True
    wanted.dm_reactions = True
    wanted.voice_states = True
    return wanted


class Front(discord.AutoShardedClient):
    """Owns the command tree, the courier and the reactions; knows nothing of how a piece is made."""

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
        super().__init__(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            intents=intents(),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            max_ratelimit_timeout=60.0,
        )
        tolerate(self._connection.parsers)
        self._brake = Brake(store.facts)
        self.service = service
        self.door = Door(service.servers)
        self.tree = Tree(
            self,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        )
        self.tree.error(explain)
        for add in ADDED:
            add(self.tree, self)
        self.courier = Courier(self, store, queue, service, worker=worker, pace=pace)
        self.actions = Actions(self)
        self.facts = store.facts
        self.radios = Radios(self, radio_pace)
        self._reactions = Reactions(
            self, service, store.messages, store.facts, rest_s=(pace or Pace()).compare_s
        )  # fmt: skip
        self._courier_task: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Once after login: the library calls it before the gateway connects."""
        self.add_dynamic_items(*DYNAMIC)
        await self.tree.set_translator(Spoken())
        await self._sync_commands()
        self._courier_task = asyncio.create_task(self.courier.run(), name="courier")

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        await self._brake.before_identify(self.shard_count or 1)
        await super().before_identify_hook(shard_id, initial=initial)

    async def close(self) -> None:
        if self._courier_task is not None:
            self._courier_task.cancel()
            await asyncio.gather(self._courier_task, return_exceptions=True)
            self._courier_task = None
            await self._reactions.close()
            await self.radios.close()
            await self.courier.pause()
        await super().close()

    async def _sync_commands(self) -> None:
        """Send the commands only when they changed: Discord allows 200 creations a day."""
        spoken = self.tree.translator or Spoken()
        every = [*self.tree.get_commands(), *self.tree.get_commands(type=discord.AppCommandType.message)]
        payload = [await command.get_translated_payload(self.tree, spoken) for command in every]
        digest = hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()
        name = f"commands of {self.application_id}"
        if await self.facts.get(name) != digest:
            await self.tree.sync()
            await self.facts.put(name, digest)
            _log.info("commands synced", count=len(payload))

    async def on_ready(self) -> None:
        """Every fresh session; events may have been missed before it, so nothing one-time belongs here."""
        _log.info("ready", guilds=len(self.guilds))
        await cleaned_up(self.radios)
        self._reactions.catch_up()

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        await self._reactions.added(event)

    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        await self._reactions.removed(event)

    async def on_interaction(self, interaction: discord.Interaction[Front]) -> None:
        """Forms only; the library passes commands and buttons on, but of forms it knows only those it opened itself."""
        form = submitted(interaction)
        if form is not None:
            await guarded(interaction, lambda: self.actions.submit(interaction, form), for_all=form.kind == FORGET)

    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        del before, after
        self.radios.noticed(member.guild.id)

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:
        del args, kwargs  # may hold what people wrote
        _log.exception("event failed", event_name=event_method)

    async def accept(
        self,
        interaction: discord.Interaction[Front],
        text: str,
        *,
        private: bool = False,
        twice: bool = False,
        **wishes: object,
    ) -> None:
        """A request for a piece in words, or for two takes of it. Raises UserError when the request cannot be."""
        if wishes.get("takes") is None:
            wishes["takes"] = await self.door.takes(interaction) or self.service.takes
        request = self.service.request(text, private=private, **wishes)
        listener = listener_of(interaction.user.id)
        await self.begin(
            interaction,
            lambda reply: self.service.compose(listener, request, reply=reply, twice=twice),
            private=private,
        )

    async def accept_like(
        self,
        interaction: discord.Interaction[Front],
        sound: discord.Attachment,
        text: str,
        *,
        private: bool = False,
        **wishes: object,
    ) -> None:
        """A request for something like a sound; hearing it takes longer than Discord waits, so the ack comes first.

        Raises UserError when the sound or the request cannot be.
        """
        await self.door.check_channel(interaction)
        await interaction.response.defer(thinking=True, ephemeral=private)
        async with fetched(sound, reader(interaction)) as path:
            likeness = await self.service.liken(path)
        asked = {name: wish for name, wish in wishes.items() if wish is not None}
        await self.accept(interaction, text, private=private, **likeness.wishes() | asked)

    async def begin(
        self,
        interaction: discord.Interaction[Front],
        order: Callable[[Reply], Awaitable[tuple[Job, bool]]],
        *,
        private: bool = False,
    ) -> None:
        """`order` stores a job: row first, then the ack, and never later than Discord waits.

        A private one is answered for the asker's eyes only, and never in the channel. Raises UserError.
        """
        await self.door.check_channel(interaction)
        with self.courier.held(str(interaction.id)):
            stored = asyncio.ensure_future(order(_reply(interaction, private=private)))
            with suppress(TimeoutError):
                async with asyncio.timeout(_ROW_WITHIN_S):
                    await asyncio.shield(stored)
            # A replayed interaction is answered already, a late one is beyond answering: the courier sees to both.
            if not interaction.response.is_done():
                with suppress(discord.HTTPException, aiohttp.ClientError, OSError):
                    await interaction.response.defer(thinking=True, ephemeral=private)
            _, new = await stored
        if new:
            self.courier.wake()


def _reply(interaction: discord.Interaction[Front], *, private: bool) -> Reply:
    in_guild = interaction.guild_id is not None
    with_bot = isinstance(interaction.channel, discord.DMChannel) and not in_guild
    return Reply(
        interaction_id=str(interaction.id),
        application_id=str(interaction.application_id),
        token=interaction.token,
        token_until=interaction.created_at + TOKEN_LIFE,
        user_id=str(interaction.user.id),
        channel_id=None if interaction.channel is None else str(interaction.channel.id),
        channel_open=not private and (interaction.is_guild_integration() if in_guild else with_bot),
        upload_limit=interaction.filesize_limit,
        language=reader(interaction),
        server_id=server_of(interaction),
    )
