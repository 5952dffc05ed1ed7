"""/history and /favourites: the pieces somebody asked for, and those they liked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import tracks_embed
from bot.discord_front.texts import described, reader

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_library(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="history", description=described("history"))
    async def history(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        tracks = await front.service.history(listener_of(interaction.user.id))
        await interaction.edit_original_response(embed=tracks_embed(tracks, reader(interaction), "history"))

    @tree.command(name="favourites", description=described("favourites"))
    async def favourites(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        tracks = await front.service.favourites(listener_of(interaction.user.id))
        await interaction.edit_original_response(embed=tracks_embed(tracks, reader(interaction), "favourites"))
