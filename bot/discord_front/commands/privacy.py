"""/privacy: what is kept of somebody, all of it as an archive, and its end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.modals import forget_form
from bot.discord_front.reactions import listener_of
from bot.discord_front.texts import described, reader
from bot.i18n.catalogue import say, sentences

if TYPE_CHECKING:
    from bot.discord_front.client import Front


def add_privacy(tree: app_commands.CommandTree[Front], front: Front) -> None:
    privacy = app_commands.Group(name="privacy", description=described("privacy"))
    tree.add_command(privacy)

    @privacy.command(name="what", description=described("privacy.what"))
    async def what(interaction: discord.Interaction[Front]) -> None:
        language = reader(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        counts = await front.service.privacy.what(listener_of(interaction.user.id))
        names = sentences(language)
        lines = [f"• {names.get(f'privacy.kinds.{kind}', kind)}: {count}" for kind, count in counts.items()]
        body = "\n".join(lines) or say(language, "privacy.nothing")
        await interaction.edit_original_response(content=f"{body}\n{say(language, 'privacy.rules')}"[:2000])

    @privacy.command(name="export", description=described("privacy.export"))
    async def export(interaction: discord.Interaction[Front]) -> None:
        language = reader(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        with tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
            listener, limit = listener_of(interaction.user.id), interaction.filesize_limit
            found = await front.service.privacy.export(listener, Path(folder), limit)
            words = say(language, "privacy.export")
            if found.left_out:
                words += " " + say(language, "files.left_out", names=", ".join(found.left_out))
            await interaction.edit_original_response(content=words[:2000], attachments=[discord.File(found.path)])

    @privacy.command(name="forget", description=described("privacy.forget"))
    async def forget(interaction: discord.Interaction[Front]) -> None:
        await interaction.response.send_modal(forget_form(reader(interaction)))
