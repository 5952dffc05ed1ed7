"""The catalogue as Discord wants it: command names, descriptions and options, and who reads which language."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.i18n.catalogue import ENGLISH, language_of, sentences

_NAMES = {Location.command_name, Location.group_name}
_DESCRIPTIONS = {Location.command_description, Location.group_description}


def reader(interaction: discord.Interaction) -> str:
    """The language of the person behind an interaction."""
    return language_of(interaction.locale.value)  # a locale the library does not know has no text of its own


def described(command: str) -> str:
    """The English description of a command, by its qualified name with dots."""
    return sentences(ENGLISH)[f"commands.{command}.description"]


def options(command: str) -> dict[str, str]:
    """The English descriptions of a command's options by name."""
    prefix = f"commands.{command}.options."
    return {key.removeprefix(prefix): text for key, text in sentences(ENGLISH).items() if key.startswith(prefix)}


class Spoken(app_commands.Translator):
    """Names and descriptions of commands in every language of the catalogue; names of options stay."""

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        del string
        language = language_of(locale)
        if language == ENGLISH:
            return None
        key = _key(context)
        return None if key is None else sentences(language).get(key)


def _key(context: app_commands.TranslationContextTypes) -> str | None:
    data = context.data
    if context.location is Location.parameter_description and isinstance(data, app_commands.Parameter):
        return f"commands.{_dotted(data.command)}.options.{data.name}"
    if isinstance(data, app_commands.Command | app_commands.Group | app_commands.ContextMenu):
        if context.location in _NAMES:
            return f"commands.{_dotted(data)}.name"
        if context.location in _DESCRIPTIONS:
            return f"commands.{_dotted(data)}.description"
    return None


def _dotted(command: object) -> str:
    name = str(getattr(command, "qualified_name", ""))
    return "menu" if isinstance(command, app_commands.ContextMenu) else name.replace(" ", ".")
