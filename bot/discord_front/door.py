"""Who may do what where: the rules of a server, asked before anything is done for an interaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord_front.boundary import explain
from bot.discord_front.reactions import listener_of
from bot.errors import BotError, Refused
from bot.servers import Servers

if TYPE_CHECKING:
    from bot.discord_front.client import Front

    CommandTree = app_commands.CommandTree[Front]
else:  # generic for type checkers only
    CommandTree = app_commands.CommandTree

_ALWAYS = frozenset({"privacy", "help", "about"})  # open to the banned: what is kept of them is theirs


def server_of(interaction: discord.Interaction[Any]) -> str | None:
    """The server of an interaction, where the bot is a member of it."""
    if interaction.guild_id is None or not interaction.is_guild_integration():
        return None
    return f"discord:{interaction.guild_id}"


class Door:
    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def check(self, interaction: discord.Interaction[Any]) -> None:
        """Raises Refused for whoever is banned on this server."""
        server_id = server_of(interaction)
        if server_id is not None and await self._servers.banned(server_id, listener_of(interaction.user.id)):
            raise Refused("refused.banned")

    async def check_channel(self, interaction: discord.Interaction[Any]) -> None:
        """Raises Refused where no pieces may be asked for; threads belong to their channel."""
        server_id = server_of(interaction)
        if server_id is None:
            return
        allowed = (await self._servers.of(server_id)).channels
        here = {str(interaction.channel_id), str(getattr(interaction.channel, "parent_id", None))}
        if allowed and not allowed & here:
            raise Refused("refused.channel", channels=", ".join(f"<#{one}>" for one in sorted(allowed)))

    async def takes(self, interaction: discord.Interaction[Any]) -> int | None:
        """How many takes are usual on this server, if that was said."""
        server_id = server_of(interaction)
        return None if server_id is None else (await self._servers.of(server_id)).takes


class Tree(CommandTree):
    """The library's command tree; the door is in front of every command."""

    async def interaction_check(self, interaction: discord.Interaction[Front], /) -> bool:
        data: Any = interaction.data or {}
        name = data.get("name")
        if interaction.type is not discord.InteractionType.application_command or name in _ALWAYS:
            return True
        try:
            await interaction.client.door.check(interaction)
        except BotError as error:
            await explain(interaction, error)
            return False
        return True
