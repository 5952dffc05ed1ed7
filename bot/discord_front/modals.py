"""Forms: a remix, an address to paste, a word to type before something is gone for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import discord
from discord import ui

from bot.discord_front.boundary import explain
from bot.i18n.catalogue import say
from generator.brief import STYLES

_MOST_TEXT = 500


class Form(ui.Modal):
    """A modal whose mistakes are told in one sentence."""

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, /) -> None:  # type: ignore[override]  # as Modal has it
        await explain(interaction, error)


class RemixForm(Form):
    """Another style, other words, or both."""

    def __init__(
        self, language: str, text: str, send: Callable[[discord.Interaction[Any], str | None, str], Awaitable[None]]
    ) -> None:
        super().__init__(title=say(language, "remix.title")[:45])
        self._send = send
        styles = [discord.SelectOption(label=name) for name in STYLES]
        self._style: ui.Select[Any] = ui.Select(options=styles, required=False, min_values=0)
        self._text: ui.TextInput[Any] = ui.TextInput(
            style=discord.TextStyle.paragraph, default=text[:_MOST_TEXT], max_length=_MOST_TEXT
        )
        self.add_item(ui.Label(text=say(language, "remix.style")[:45], component=self._style))
        self.add_item(ui.Label(text=say(language, "remix.text")[:45], component=self._text))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        style = self._style.values[0] if self._style.values else None
        await self._send(interaction, style, self._text.value)


class LineForm(Form):
    """One line of text."""

    def __init__(
        self, title: str, label: str, send: Callable[[discord.Interaction[Any], str], Awaitable[None]]
    ) -> None:
        super().__init__(title=title[:45])
        self._send = send
        self._line: ui.TextInput[Any] = ui.TextInput(max_length=2000)
        self.add_item(ui.Label(text=label[:45], component=self._line))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        await self._send(interaction, self._line.value)
