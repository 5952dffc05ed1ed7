"""/help and /about: what can be done here, and who or what does it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.about import model_facts
from bot.discord_front.replies import COLOUR
from bot.discord_front.texts import described, reader
from bot.i18n.catalogue import say, sentences

if TYPE_CHECKING:
    from bot.discord_front.client import Front

_SHOWN = (
    "compose", "like-this", "blend", "radio", "mood", "history", "favourites", "taste", "link", "unlink", "import",
    "privacy", "admin", "about",
)  # fmt: skip


def add_help(tree: app_commands.CommandTree[Front], front: Front) -> None:
    del front

    @tree.command(name="help", description=described("help"))
    async def help_(interaction: discord.Interaction[Front]) -> None:
        language = reader(interaction)
        texts = sentences(language)
        lines = [f"**/{texts[f'commands.{name}.name']}** {texts[f'commands.{name}.description']}" for name in _SHOWN]
        embed = discord.Embed(title=say(language, "help.title"), description="\n".join(lines), colour=COLOUR)
        embed.set_footer(text=say(language, "help.footer"))
        await interaction.response.send_message(embed=embed, ephemeral=True)

    @tree.command(name="about", description=described("about"))
    async def about(interaction: discord.Interaction[Front]) -> None:
        language = reader(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        facts = await asyncio.to_thread(model_facts)
        lines = [f"• {one.credit} ({one.licence}): {one.pieces}" for one in facts.corpora]
        words = say(language, "about.text", model=facts.name, parameters=f"{facts.parameters / 1e6:.1f}")
        embed = discord.Embed(
            title=say(language, "about.title"), description="\n".join([words, *lines])[:4000], colour=COLOUR
        )  # fmt: skip
        await interaction.edit_original_response(embed=embed)
