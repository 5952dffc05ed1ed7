"""/link, /unlink and /import: listening histories, by account or by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.buttons import PasteButton
from bot.discord_front.reactions import listener_of
from bot.discord_front.texts import described, options, reader
from bot.discord_front.uploads import fetched
from bot.i18n.catalogue import say
from bot.linking import SOURCES, Linked

if TYPE_CHECKING:
    from bot.discord_front.client import Front

_NAMES = {"spotify": "Spotify", "listenbrainz": "ListenBrainz", "lastfm": "Last.fm"}


def add_link(tree: app_commands.CommandTree[Front], front: Front) -> None:
    link = app_commands.Group(name="link", description=described("link"))
    tree.add_command(link)

    @link.command(name="spotify", description=described("link.spotify"))
    async def spotify(interaction: discord.Interaction[Front]) -> None:
        language = reader(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        url = front.service.ask_spotify(listener_of(interaction.user.id))
        view = discord.ui.View(timeout=None).add_item(discord.ui.Button(label=say(language, "link.open"), url=url))
        view.add_item(PasteButton(language))
        await interaction.edit_original_response(content=say(language, "link.how"), view=view)

    @link.command(name="listenbrainz", description=described("link.listenbrainz"))
    @app_commands.describe(**options("link.listenbrainz"))
    async def listenbrainz(
        interaction: discord.Interaction[Front],
        account: app_commands.Range[str, 1, 100],
        token: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        linked = await front.service.link(listener_of(interaction.user.id), "listenbrainz", account, token)
        await interaction.edit_original_response(content=_linked(linked, reader(interaction)))

    @link.command(name="lastfm", description=described("link.lastfm"))
    @app_commands.describe(**options("link.lastfm"))
    async def lastfm(interaction: discord.Interaction[Front], account: app_commands.Range[str, 1, 100]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        linked = await front.service.link(listener_of(interaction.user.id), "lastfm", account)
        await interaction.edit_original_response(content=_linked(linked, reader(interaction)))

    _add_unlink(tree, front)


def _add_unlink(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="unlink", description=described("unlink"))
    @app_commands.describe(**options("unlink"))
    @app_commands.choices(service=[app_commands.Choice(name=_NAMES[source], value=source) for source in SOURCES])
    async def unlink(interaction: discord.Interaction[Front], service: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        gone = await front.service.unlink(listener_of(interaction.user.id), service)
        key = "link.gone" if gone.was_linked or gone.plays else "link.none"
        sentence = say(reader(interaction), key, service=_NAMES[service], plays=gone.plays)
        await interaction.edit_original_response(content=sentence)

    @tree.command(name="import", description=described("import"))
    @app_commands.describe(**options("import"))
    async def import_file(interaction: discord.Interaction[Front], file: discord.Attachment) -> None:
        language = reader(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        async with fetched(file, language) as path:
            found = await front.service.import_history(listener_of(interaction.user.id), path)
        sentence = say(language, "import.done", new=found.new, known=found.known)
        await interaction.edit_original_response(content=" ".join((sentence, *found.notes))[:2000])


def _linked(linked: Linked, language: str) -> str:
    account = discord.utils.escape_markdown(linked.account)
    done = say(language, "link.done", service=_NAMES[linked.source], account=account, new=linked.new)
    genres = say(language, "link.genres", genres=", ".join(linked.genres)) if linked.genres else ""
    return f"{done} {genres} {linked.note}".strip()
