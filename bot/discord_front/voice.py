"""Voice channels: what must be installed, where somebody sits, whether we may come, and frames for the library."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

import discord
from discord import opus

from bot.errors import Refused
from bot.logs import logger
from bot.radio.mixer import Mixer

_OPUS = "libopus.so.0"  # where the system cannot be asked for it, as in small containers
JOIN_S = 20.0
_log = logger(__name__)


class Frames(discord.AudioSource):
    """What the mixer plays, 20 ms at a time; the library reads it in a thread of its own and encodes it there."""

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer

    def read(self) -> bytes:
        return self._mixer.read()


def missing() -> str | None:
    """The key of the sentence that says what voice lacks on this machine, or None. Blocks for some milliseconds."""
    if find_spec("nacl") is None or find_spec("davey") is None:
        return "radio.library"
    return None if opus_version() else "radio.opus"


def opus_version() -> str | None:
    """Of the system's libopus, loaded for the library if it was not; None where there is none."""
    try:
        return opus.Encoder.get_opus_version()
    except opus.OpusNotLoaded:
        try:
            opus.load_opus(_OPUS)
        except OSError:
            return None
    return opus.Encoder.get_opus_version()


def room_of(interaction: discord.Interaction[Any]) -> discord.VoiceChannel:
    """The voice channel that somebody sits in, if we may play there. Raises Refused."""
    guild, person = interaction.guild, interaction.user
    if guild is None or not isinstance(person, discord.Member):
        raise Refused("refused.no_server")
    channel = None if person.voice is None else person.voice.channel
    if channel is None:
        raise Refused("radio.nowhere")
    if not isinstance(channel, discord.VoiceChannel):
        raise Refused("radio.stage")
    may = channel.permissions_for(guild.me)
    if not (may.view_channel and may.connect and may.speak):
        raise Refused("radio.not_allowed", channel=channel.mention)
    if channel.user_limit and len(channel.voice_states) >= channel.user_limit and not may.move_members:
        raise Refused("radio.full", channel=channel.mention)
    return channel


async def join(channel: discord.VoiceChannel) -> discord.VoiceClient:
    """Connect; raises Refused with the sentence where that fails."""
    lacking = await asyncio.to_thread(missing)
    if lacking is not None:
        raise Refused(lacking)
    try:
        if channel.guild.voice_client is not None:  # left over from a radio whose end went wrong
            await channel.guild.voice_client.disconnect(force=True)
        return await channel.connect(timeout=JOIN_S, self_deaf=True)
    except (TimeoutError, discord.DiscordException, RuntimeError, OSError) as error:
        _log.warning("cannot join voice", reason=repr(error))
        raise Refused("radio.unreachable") from error


def people_in(channel: discord.VoiceChannel) -> list[int]:
    """Ids of those who listen in a channel: bots do not, as far as they are known as such."""
    found = []
    for user_id in channel.voice_states:
        member = channel.guild.get_member(user_id)
        if user_id != channel.guild.me.id and not (member is not None and member.bot):
            found.append(user_id)
    return found
