"""/blend: one piece for several listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.reactions import listener_of
from bot.discord_front.texts import described, options

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_blend(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="blend", description=described("blend"))
    @app_commands.describe(**options("blend"))
    async def blend(
        interaction: discord.Interaction[Front],
        text: app_commands.Range[str, 1, 500],
        first: discord.User,
        second: discord.User | None = None,
        third: discord.User | None = None,
        fourth: discord.User | None = None,
    ) -> None:
        members = (listener_of(user.id) for user in (first, second, third, fourth) if user is not None)
        await front.accept(interaction, text, blend_with=tuple(dict.fromkeys(members)))
