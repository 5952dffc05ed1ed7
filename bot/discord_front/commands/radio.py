"""/radio: endless pieces in a voice channel, from the taste of those who are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.commands.compose import beginning
from bot.discord_front.texts import described, options, reader
from bot.i18n.catalogue import say
from bot.radio.programme import TEXT, Wishes
from generator.brief import STYLES

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_radio(tree: app_commands.CommandTree[Front], front: Front) -> None:
    radio = app_commands.Group(
        name="radio",
        description=described("radio"),
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    tree.add_command(radio)

    @radio.command(name="start", description=described("radio.start"))
    @app_commands.describe(**options("radio.start"))
    async def start(
        interaction: discord.Interaction[Front],
        text: app_commands.Range[str, 1, 200] | None = None,
        style: str | None = None,
    ) -> None:
        await front.door.check_channel(interaction)
        front.service.request(text or TEXT, styles=None if style is None else (style,))  # refuses what cannot be
        await interaction.response.defer(ephemeral=True, thinking=True)
        channel = await front.radios.start(interaction, Wishes(text or TEXT, style))
        await interaction.edit_original_response(content=say(reader(interaction), "radio.on", channel=channel.mention))

    @start.autocomplete("style")
    async def complete(interaction: discord.Interaction[Front], current: str) -> list[app_commands.Choice[str]]:
        del interaction
        return beginning(STYLES, current)

    @radio.command(name="stop", description=described("radio.stop"))
    async def stop(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await front.radios.stop(interaction)
        await interaction.edit_original_response(content=say(reader(interaction), "radio.off"))

    @radio.command(name="skip", description=described("radio.skip"))
    async def skip(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await front.radios.skip(interaction)
        await interaction.edit_original_response(content=say(reader(interaction), "radio.skipped"))
