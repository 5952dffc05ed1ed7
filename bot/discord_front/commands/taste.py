"""/taste: what is known of somebody's taste, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import taste_embed

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_taste(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="taste", description="What I know of your taste, and why")
    async def taste(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        view = await front.service.taste(listener_of(interaction.user.id))
        await interaction.edit_original_response(embed=taste_embed(view))
