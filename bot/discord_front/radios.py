"""All radios of this process, one a server: started, skipped, stopped, and told of when a process ended in between."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import discord

from bot.discord_front.door import server_of
from bot.discord_front.reactions import listener_of
from bot.discord_front.station import FACT, RadioPace, Station, Tuned
from bot.discord_front.texts import reader
from bot.discord_front.voice import join, people_in, room_of
from bot.errors import BotError, Refused
from bot.i18n.catalogue import say
from bot.logs import logger
from bot.radio.programme import Wishes

if TYPE_CHECKING:
    from bot.discord_front.client import Front

    Asked = discord.Interaction[Front]

_log = logger(__name__)


class Radios:
    def __init__(self, front: Front, pace: RadioPace | None = None) -> None:
        self._front = front
        self._pace = pace or RadioPace()
        self._stations: dict[int, Station] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._starting: set[int] = set()

    async def start(self, interaction: Asked, wishes: Wishes) -> discord.VoiceChannel:
        """Play in the channel where the asker sits. Raises Refused with the sentence where that cannot be."""
        channel, server_id = room_of(interaction), server_of(interaction)
        guild, text = channel.guild.id, interaction.channel
        if server_id is None or not isinstance(text, discord.abc.Messageable):
            raise Refused("refused.no_server")
        if guild in self._stations or guild in self._starting:
            raise Refused("radio.already")
        words = await self._front.service.servers.maintenance()
        if words is not None:
            raise Refused("refused.maintenance", words=words)
        self._starting.add(guild)
        try:
            voice = await join(channel)
        finally:
            self._starting.discard(guild)
        tuned = Tuned(server_id, listener_of(interaction.user.id), reader(interaction), wishes)
        self._stations[guild] = Station(self._front, voice, text, tuned, self._pace)
        self._tasks[guild] = asyncio.create_task(self._run(guild), name=f"radio {guild}")
        await asyncio.sleep(0)  # it has begun: whoever stops it now makes it leave
        return channel

    async def _run(self, guild: int) -> None:
        try:
            await self._stations[guild].run()
        finally:
            del self._stations[guild], self._tasks[guild]

    def inside(self, interaction: Asked) -> Station:
        """The radio of a server, for those who hear it or manage the server. Raises Refused for others."""
        station = self._stations.get(interaction.guild_id or 0)
        if station is None:
            raise Refused("radio.none")
        if interaction.user.id not in people_in(station.channel) and not interaction.permissions.manage_guild:
            raise Refused("radio.outside", channel=station.channel.mention)
        return station

    async def skip(self, interaction: Asked) -> None:
        """The next piece; leaving one is a weak sign of not liking it. Raises Refused."""
        station = self.inside(interaction)
        station.skip()
        if station.playing is not None:
            await self._front.service.tastes.signal(listener_of(interaction.user.id), station.playing, "skip")

    async def stop(self, interaction: Asked) -> None:
        """Raises Refused."""
        self.inside(interaction)
        await self._end(interaction.guild_id or 0, "radio.off")

    async def _end(self, guild: int, why: str) -> None:
        station, task = self._stations.get(guild), self._tasks.get(guild)
        if station is not None and task is not None:
            if not station.leaving:
                station.ending = why
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def noticed(self, guild: int) -> None:
        """Somebody came, went or was moved."""
        if guild in self._stations:
            self._stations[guild].wake()

    async def close(self) -> None:
        """The process stops: every radio says so and leaves."""
        await asyncio.gather(*(self._end(guild, "radio.restarted") for guild in list(self._stations)))

    async def clean_up(self) -> None:
        """Radios do not outlive their process: say so where one ended without a word, and compose nothing for it."""
        for name, note in (await self._front.facts.beginning(FACT)).items():
            if int(name.removeprefix(f"{FACT}discord:")) in self._stations:
                continue
            found: dict[str, Any] = json.loads(note)
            if found["job"] is not None:
                await self._front.service.pieces.cancel_background(found["job"])
            if found["message"] is not None:
                channel, message = map(int, found["message"])
                place = self._front.get_partial_messageable(channel).get_partial_message(message)
                with suppress(discord.HTTPException):  # it is gone, or we may not; nobody waits for it
                    words = say(found["language"], "radio.restarted")
                    await place.edit(content=words, embed=None, view=None)
            await self._front.facts.remove(name)


async def cleaned_up(radios: Radios) -> None:
    """As `Radios.clean_up`; what fails is left for the next start."""
    try:
        await radios.clean_up()
    except (BotError, OSError) as error:
        _log.warning("radios not cleaned up", reason=str(error))
