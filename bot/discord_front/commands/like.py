"""/like-this, and the same from the menu of a message: a sound is heard, and something like it composed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.texts import described, options, reader
from bot.discord_front.uploads import sound_among
from bot.i18n.catalogue import ENGLISH, say

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_like(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="like-this", description=described("like-this"))
    @app_commands.describe(**options("like-this"))
    async def like_this(
        interaction: discord.Interaction[Front],
        sound: discord.Attachment,
        text: app_commands.Range[str, 1, 400] | None = None,
    ) -> None:
        found = sound_among([sound], reader(interaction))
        await front.accept_like(interaction, found, text or say(ENGLISH, "like.text"))

    @tree.context_menu(name=say(ENGLISH, "commands.menu.name"))
    async def like_message(interaction: discord.Interaction[Front], message: discord.Message) -> None:
        found = sound_among(message.attachments, reader(interaction))
        await front.accept_like(interaction, found, say(ENGLISH, "like.text"))
