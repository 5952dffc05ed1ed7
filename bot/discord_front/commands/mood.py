"""/mood: how somebody feels, for every request that names no mood of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.reactions import listener_of
from bot.discord_front.texts import described, options, reader
from bot.i18n.catalogue import say

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_mood(tree: app_commands.CommandTree[Front], front: Front) -> None:
    mood = app_commands.Group(name="mood", description=described("mood"))
    tree.add_command(mood)

    @mood.command(name="set", description=described("mood.set"))
    @app_commands.describe(**options("mood.set"))
    async def set_mood(interaction: discord.Interaction[Front], words: app_commands.Range[str, 1, 200]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await front.service.moods.set(listener_of(interaction.user.id), words)
        sentence = say(
            reader(interaction), "mood.set", words=discord.utils.escape_markdown(found.words), name=found.name
        )
        await interaction.edit_original_response(content=sentence)

    @mood.command(name="show", description=described("mood.show"))
    async def show(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found, language = await front.service.moods.get(listener_of(interaction.user.id)), reader(interaction)
        if found is None:
            sentence = say(language, "mood.none")
        else:
            words = discord.utils.escape_markdown(found.words)
            sentence = say(language, "mood.is", words=words, valence=found.valence, arousal=found.arousal)
        await interaction.edit_original_response(content=sentence)

    @mood.command(name="clear", description=described("mood.clear"))
    async def clear(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await front.service.moods.clear(listener_of(interaction.user.id))
        sentence = say(reader(interaction), "mood.cleared" if found else "mood.none")
        await interaction.edit_original_response(content=sentence)
