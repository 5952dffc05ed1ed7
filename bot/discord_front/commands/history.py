"""/history: the pieces somebody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import history_embed

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_history(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="history", description="Your newest pieces and how you rated them")
    async def history(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        tracks = await front.service.history(listener_of(interaction.user.id))
        await interaction.edit_original_response(embed=history_embed(tracks))
