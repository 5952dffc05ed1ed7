"""/taste: what is known of somebody's taste, and why; changed in plain words, reset, taken along."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.buttons import single_view
from bot.discord_front.charts import taste_picture
from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import taste_embed
from bot.discord_front.texts import described, options, reader
from bot.i18n.catalogue import say
from bot.tastes import KINDS, Edited

if TYPE_CHECKING:
    from bot.discord_front.client import Front

    Asked = discord.Interaction[Front]


def add_taste(tree: app_commands.CommandTree[Front], front: Front) -> None:
    taste = app_commands.Group(name="taste", description=described("taste"))
    tree.add_command(taste)

    @taste.command(name="show", description=described("taste.show"))
    async def show(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        view = await front.service.taste(listener_of(interaction.user.id))
        embed = taste_embed(view, reader(interaction))
        if not view.styles and not view.attributes:
            await interaction.edit_original_response(embed=embed)
            return
        picture = discord.File(io.BytesIO(await asyncio.to_thread(taste_picture, view)), filename="taste.png")
        embed.set_image(url="attachment://taste.png")
        await interaction.edit_original_response(embed=embed, attachments=[picture])

    @taste.command(name="edit", description=described("taste.edit"))
    @app_commands.describe(**options("taste.edit"))
    async def edit(interaction: discord.Interaction[Front], words: app_commands.Range[str, 1, 500]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        edited = await front.service.tastes.edit(listener_of(interaction.user.id), words)
        await interaction.edit_original_response(content=_edited(edited, reader(interaction)))

    @taste.command(name="reset", description=described("taste.reset"))
    async def reset(interaction: discord.Interaction[Front]) -> None:
        language = reader(interaction)
        view = single_view("reset", "me", language)
        await interaction.response.send_message(say(language, "taste.sure"), view=view, ephemeral=True)

    _add_exclusions(taste, front)

    @taste.command(name="export", description=described("taste.export"))
    async def export(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        data = await front.service.tastes.export(listener_of(interaction.user.id))
        text = await asyncio.to_thread(json.dumps, data, indent=1, ensure_ascii=False)
        file = discord.File(io.BytesIO(text.encode()), filename="taste.json")
        await interaction.edit_original_response(content=say(reader(interaction), "taste.export"), attachments=[file])


def _add_exclusions(taste: app_commands.Group, front: Front) -> None:
    @taste.command(name="exclude", description=described("taste.exclude"))
    @app_commands.describe(**options("taste.exclude"))
    @app_commands.choices(kind=[app_commands.Choice(name=kind, value=kind) for kind in KINDS])
    async def exclude(
        interaction: discord.Interaction[Front], kind: str, value: app_commands.Range[str, 1, 200]
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await front.service.tastes.exclude(listener_of(interaction.user.id), kind, value)
        await _answer(interaction, "taste.excluded", value)

    @taste.command(name="include", description=described("taste.include"))
    @app_commands.describe(**options("taste.include"))
    async def include(interaction: discord.Interaction[Front], value: app_commands.Range[str, 1, 200]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await front.service.tastes.include(listener_of(interaction.user.id), value)
        await _answer(interaction, "taste.included" if found else "taste.not_excluded", value)


async def _answer(interaction: discord.Interaction[Front], key: str, value: str) -> None:
    sentence = say(reader(interaction), key, value=discord.utils.escape_markdown(value))
    await interaction.edit_original_response(content=sentence)


def _edited(edited: Edited, language: str) -> str:
    """What was noted, forgotten and not understood."""
    more = [one.value for one in edited.said if one.liked]
    less = [one.value for one in edited.said if not one.liked]
    parts = (("more", more), ("less", less), ("forgotten", edited.withdrawn), ("unknown", edited.unknown))
    lines = [say(language, f"taste.{name}", words=", ".join(words)) for name, words in parts if words]
    return discord.utils.escape_markdown("\n".join(lines))[:2000]
