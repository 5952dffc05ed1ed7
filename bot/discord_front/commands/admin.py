"""/admin: what holds on a server, for those who manage it; and maintenance, for the operator of the whole bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord_front.commands.compose import HIGH_S, LOW_S, beginning
from bot.discord_front.door import server_of
from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import COLOUR, length
from bot.discord_front.texts import described, options, reader
from bot.errors import Refused
from bot.i18n.catalogue import say
from bot.servers import MOST_DAILY, MOST_WORDS
from bot.store.servers import Server
from generator.brief import STYLES

if TYPE_CHECKING:
    from bot.discord_front.client import Front

    Asked = discord.Interaction[Front]

_Daily = app_commands.Range[int, 0, MOST_DAILY]
_Channel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel
_MANAGING = (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)


def add_admin(tree: app_commands.CommandTree[Front], front: Front) -> None:
    admin = app_commands.Group(
        name="admin",
        description=described("admin"),
        default_permissions=discord.Permissions(manage_guild=True),
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    tree.add_command(admin)
    _add_rules(admin, front)
    _add_channels(admin, front)
    _add_bans(admin, front)
    _add_maintenance(admin, front)


def _add_rules(admin: app_commands.Group, front: Front) -> None:
    servers = front.service.servers

    @admin.command(name="show", description=described("admin.show"))
    async def show(interaction: discord.Interaction[Front]) -> None:
        await _rules(interaction, await servers.of(_here(interaction)))

    @admin.command(name="quota", description=described("admin.quota"))
    @app_commands.describe(**options("admin.quota"))
    async def quota(
        interaction: discord.Interaction[Front], listener: _Daily | None = None, server: _Daily | None = None
    ) -> None:
        await _rules(interaction, await servers.limit(_here(interaction), listener, server))

    @admin.command(name="defaults", description=described("admin.defaults"))
    @app_commands.describe(**options("admin.defaults"))
    async def defaults(
        interaction: discord.Interaction[Front],
        style: str | None = None,
        length: app_commands.Range[int, LOW_S, HIGH_S] | None = None,
        takes: app_commands.Range[int, 1, 4] | None = None,
    ) -> None:
        seconds = None if length is None else float(length)
        await _rules(interaction, await servers.default(_here(interaction), style, seconds, takes))

    @defaults.autocomplete("style")
    async def complete(interaction: discord.Interaction[Front], current: str) -> list[app_commands.Choice[str]]:
        del interaction
        return beginning(STYLES, current)

    @admin.command(name="stats", description=described("admin.stats"))
    async def stats(interaction: discord.Interaction[Front]) -> None:
        found, language = await servers.stats(_here(interaction)), reader(interaction)
        embed = discord.Embed(title=say(language, "admin.stats"), colour=COLOUR)
        for name in ("pieces", "listeners", "ratings", "waiting", "failed"):
            embed.add_field(name=say(language, f"figures.{name}"), value=f"{getattr(found, name):,}")
        await interaction.response.send_message(embed=embed, ephemeral=True)


def _add_channels(admin: app_commands.Group, front: Front) -> None:
    servers = front.service.servers
    channels = app_commands.Group(name="channels", description=described("admin.channels"), parent=admin)

    @channels.command(name="add", description=described("admin.channels.add"))
    @app_commands.describe(**options("admin.channels.add"))
    async def add(interaction: discord.Interaction[Front], channel: _Channel) -> None:
        await _rules(interaction, await servers.allow(_here(interaction), str(channel.id)))

    @channels.command(name="remove", description=described("admin.channels.remove"))
    @app_commands.describe(**options("admin.channels.remove"))
    async def remove(interaction: discord.Interaction[Front], channel: _Channel) -> None:
        await _rules(interaction, await servers.disallow(_here(interaction), str(channel.id)))

    @channels.command(name="clear", description=described("admin.channels.clear"))
    async def clear(interaction: discord.Interaction[Front]) -> None:
        await _rules(interaction, await servers.disallow(_here(interaction)))


def _add_bans(admin: app_commands.Group, front: Front) -> None:
    servers = front.service.servers

    @admin.command(name="ban", description=described("admin.ban"))
    @app_commands.describe(**options("admin.ban"))
    async def ban(interaction: discord.Interaction[Front], listener: discord.User) -> None:
        if listener.id == interaction.user.id:
            raise Refused("refused.yourself")
        new = await servers.ban(_here(interaction), listener_of(listener.id))
        await _tell(interaction, "admin.banned" if new else "admin.banned_already", listener=listener.mention)

    @admin.command(name="unban", description=described("admin.unban"))
    @app_commands.describe(**options("admin.unban"))
    async def unban(interaction: discord.Interaction[Front], listener: discord.User) -> None:
        gone = await servers.unban(_here(interaction), listener_of(listener.id))
        await _tell(interaction, "admin.unbanned" if gone else "admin.not_banned", listener=listener.mention)

    @admin.command(name="bans", description=described("admin.bans"))
    async def bans(interaction: discord.Interaction[Front]) -> None:
        found, language = await servers.bans(_here(interaction)), reader(interaction)
        lines = [f"• <@{listener.removeprefix('discord:')}>" for listener in found.listeners[:50]]
        if len(found.listeners) > 50:
            lines.append("…")
        if found.forgotten:
            lines.append(say(language, "admin.forgotten", count=found.forgotten))
        body = "\n".join(lines) or say(language, "admin.nobody")
        await interaction.response.send_message(body[:2000], ephemeral=True)


def _add_maintenance(admin: app_commands.Group, front: Front) -> None:
    @admin.command(name="maintenance", description=described("admin.maintenance"))
    @app_commands.describe(**options("admin.maintenance"))
    async def maintenance(
        interaction: discord.Interaction[Front], message: app_commands.Range[str, 1, MOST_WORDS] | None = None
    ) -> None:
        if not operates(interaction.client.application, interaction.user.id):
            raise Refused("refused.operator")
        await front.service.servers.maintain(message)
        if message is None:
            await _tell(interaction, "admin.open")
        else:
            await _tell(interaction, "admin.closed", words=discord.utils.escape_markdown(message))


def operates(application: discord.AppInfo | None, user_id: int) -> bool:
    """Whether somebody operates the whole bot: its owner, or one of the team that may change it."""
    if application is None:
        return False
    if application.team is None:
        return application.owner.id == user_id
    team = application.team
    return user_id == team.owner_id or any(one.id == user_id and one.role in _MANAGING for one in team.members)


def _here(interaction: Asked) -> str:
    """The server of an interaction. Raises Refused where the bot is no member."""
    server_id = server_of(interaction)
    if server_id is None:
        raise Refused("refused.no_server")
    return server_id


async def _tell(interaction: Asked, key: str, **values: Any) -> None:
    await interaction.response.send_message(say(reader(interaction), key, **values), ephemeral=True)


async def _rules(interaction: Asked, server: Server) -> None:
    """All that holds on a server now."""
    language = reader(interaction)
    none = say(language, "admin.none")
    usual = [server.style, None if server.length_s is None else length(server.length_s)]
    if server.takes is not None:
        usual.append(say(language, "admin.takes", count=server.takes))
    facts = {
        "listener": none if server.listener_daily is None else str(server.listener_daily),
        "server": none if server.server_daily is None else str(server.server_daily),
        "defaults": ", ".join(one for one in usual if one) or none,
        "channels": ", ".join(f"<#{one}>" for one in sorted(server.channels)) or say(language, "admin.everywhere"),
    }
    embed = discord.Embed(title=say(language, "admin.rules"), colour=COLOUR)
    for name, value in facts.items():
        embed.add_field(name=say(language, f"rules.{name}"), value=value[:1024], inline=False)
    words = await interaction.client.service.servers.maintenance()
    if words is not None:
        embed.description = say(language, "refused.maintenance", words=words)
    await interaction.response.send_message(embed=embed, ephemeral=True)
