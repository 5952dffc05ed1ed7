"""The error boundary of commands, buttons and modals: one sentence, in the reader's language where it is ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord import app_commands

from bot.discord_front.texts import reader
from bot.errors import BotError, Refused
from bot.i18n.catalogue import say
from bot.i18n.told import told
from bot.logs import logger

if TYPE_CHECKING:
    from bot.discord_front.client import Front

_UNKNOWN_INTERACTION = 10062
_ALREADY_ANSWERED = 40060
_DEAD_TOKEN = 50027
_LARGE = 40005
TOO_MANY, _SERVER = 429, 500  # HTTP
_PAST = frozenset({_UNKNOWN_INTERACTION, _ALREADY_ANSWERED, _DEAD_TOKEN})
AWAY = (discord.DiscordServerError, discord.RateLimited, aiohttp.ClientError, TimeoutError, OSError)
_log = logger(__name__)


def sentence_for(error: BaseException, language: str) -> str:
    """What the person is told of an error; mistakes of ours are logged and named as such."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, Refused):
        return say(language, error.key, **{name: _shown(value) for name, value in error.values.items()})
    if isinstance(error, BotError):
        return told(language, str(error))
    if isinstance(error, app_commands.TransformerError):
        return say(language, "errors.value", value=str(error.value)[:100])
    if isinstance(error, discord.HTTPException):
        _log.warning("chat refused", status=error.status, code=error.code)
        return say(language, "errors.large" if error.code == _LARGE else "errors.discord")
    _log.error("interaction failed", exc_info=error)
    return say(language, "errors.ours")


def transient(error: discord.HTTPException) -> bool:
    """Whether the same may well go through later."""
    return error.status >= _SERVER or error.status == TOO_MANY


async def explain(interaction: discord.Interaction, error: Exception) -> None:
    """Say what went wrong, seen by the asker only where that is possible."""
    original = getattr(error, "original", error)
    if isinstance(original, discord.HTTPException) and original.code in _PAST:
        _log.warning("interaction cannot be answered any more", interaction=interaction.id, code=original.code)
        return
    sentence = sentence_for(error, reader(interaction))
    try:
        if not interaction.response.is_done():
            await interaction.response.send_message(sentence, ephemeral=True)
        elif interaction.response.type is discord.InteractionResponseType.deferred_message_update:
            await interaction.followup.send(sentence, ephemeral=True)
        else:
            await interaction.edit_original_response(content=sentence, embeds=[], attachments=[], view=None)
    except discord.HTTPException as failure:
        _log.warning("cannot explain an error", interaction=interaction.id, status=failure.status)


def _shown(value: object) -> object:
    """Moments as each reader's own client writes them."""
    return discord.utils.format_dt(value, "R") if isinstance(value, datetime) else value


async def guarded(
    interaction: discord.Interaction[Front], work: Callable[[], Awaitable[None]], *, for_all: bool = False
) -> None:
    """Carry out what a button or a form asks of one who may (the banned, too, if it is `for_all`); the library would
    swallow what goes wrong."""
    try:
        if not for_all:
            await interaction.client.door.check(interaction)
        await work()
    except Exception as error:  # noqa: BLE001 - this is the boundary; mistakes are logged with their trace
        await explain(interaction, error)
