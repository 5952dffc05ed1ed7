"""Buttons and menus that work after any restart: what they do and for which piece is in their custom_id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ButtonStyle

from bot.changes import CHANGES
from bot.discord_front.boundary import guarded
from bot.i18n.catalogue import ENGLISH, say
from bot.store.pairs import FIRST, SECOND, VERDICTS

if TYPE_CHECKING:
    from bot.discord_front.client import Front

    Button = discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]]
    Menu = discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]]
else:  # the library's item types are generic for type checkers only
    Button = Menu = discord.ui.DynamicItem


@dataclass(frozen=True, slots=True)
class Look:
    emoji: str | None
    style: ButtonStyle = ButtonStyle.secondary
    row: int = 0
    labelled: bool = True


LOOKS = {
    "like": Look("👍", ButtonStyle.success, labelled=False),
    "dislike": Look("👎", labelled=False),
    "again": Look("🔁"),
    "why": Look("💡"),
    "delete": Look("🗑️", labelled=False),
    "remix": Look("🎛️", ButtonStyle.primary, row=2),
    "stems": Look("🎚️", row=2),
    "midi": Look("🎹", row=2),
    "score": Look("🎼", row=2),
    "cancel": Look("✖️"),
    "erase": Look("🗑️", ButtonStyle.danger),
    "reset": Look("🗑️", ButtonStyle.danger),
    "skip": Look("⏭️", labelled=False),
    "stop": Look("⏹️", labelled=False),
}
UNDER_A_PIECE = ("like", "dislike", "again", "why", "delete", "remix", "stems", "midi", "score")
_ID = r"(?P<about>[0-9a-z]{1,25})"


class PieceButton(Button, template=rf"tune:(?P<action>{'|'.join(LOOKS)}):{_ID}"):
    """One of LOOKS for a track, for a job that is to become one, or for a server's radio."""

    def __init__(self, action: str, about: str, language: str = ENGLISH) -> None:
        look = LOOKS[action]
        super().__init__(
            discord.ui.Button(
                style=look.style,
                emoji=look.emoji,
                label=say(language, f"buttons.{action}") if look.labelled else None,
                custom_id=f"tune:{action}:{about}",
                row=look.row,
            )
        )
        self.action = action
        self.about = about

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Self:
        del interaction, item
        return cls(match["action"], match["about"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        front: Front = interaction.client
        await guarded(interaction, lambda: front.actions.press(self.action, interaction, self.about))


class ChangeMenu(Menu, template=rf"change:{_ID}"):
    """The changes of a piece that are wanted less often."""

    def __init__(self, about: str, language: str = ENGLISH) -> None:
        super().__init__(
            discord.ui.Select(
                custom_id=f"change:{about}",
                placeholder=say(language, "buttons.change"),
                options=[discord.SelectOption(label=say(language, f"changes.{name}"), value=name) for name in CHANGES],
                row=1,
            )
        )
        self.about = about

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Self:
        del interaction, item
        return cls(match["about"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        front: Front = interaction.client
        chosen = self.item.values[0] if self.item.values else ""
        await guarded(interaction, lambda: front.actions.change(interaction, self.about, chosen))


class PairButton(Button, template=rf"pair:(?P<verdict>{'|'.join(VERDICTS)}):{_ID}"):
    """Which of two takes is better; `about` is the first."""

    def __init__(self, verdict: str, about: str, language: str = ENGLISH) -> None:
        style = ButtonStyle.primary if verdict in {FIRST, SECOND} else ButtonStyle.secondary
        label = say(language, f"pair.{verdict}")
        super().__init__(
            discord.ui.Button(style=style, label=label, custom_id=f"pair:{verdict}:{about}", row=3)
        )  # fmt: skip
        self.verdict = verdict
        self.about = about

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Self:
        del interaction, item
        return cls(match["verdict"], match["about"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        front: Front = interaction.client
        await guarded(interaction, lambda: front.actions.choose(interaction, self.about, self.verdict))


class PasteButton(Button, template=r"link:spotify:paste"):
    """Opens the modal for the address that Spotify led to."""

    def __init__(self, language: str = ENGLISH) -> None:
        label = say(language, "link.paste")
        super().__init__(
            discord.ui.Button(style=ButtonStyle.primary, label=label, custom_id="link:spotify:paste")
        )  # fmt: skip

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Self:
        del interaction, item, match
        return cls()

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        front: Front = interaction.client
        await guarded(interaction, lambda: front.actions.ask_address(interaction))


DYNAMIC = (PieceButton, ChangeMenu, PairButton, PasteButton)


def piece_view(track_id: str, language: str) -> discord.ui.View:
    """All that can be done with a finished piece."""
    view = discord.ui.View(timeout=None)
    for action in UNDER_A_PIECE:
        view.add_item(PieceButton(action, track_id, language))
    return view.add_item(ChangeMenu(track_id, language))


def pair_view(first_id: str, language: str) -> discord.ui.View:
    """All that can be done with the first of two takes, and the question which is better."""
    view = piece_view(first_id, language)
    for verdict in VERDICTS:
        view.add_item(PairButton(verdict, first_id, language))
    return view


def single_view(action: str, about: str, language: str) -> discord.ui.View:
    """One button alone, such as Cancel."""
    return discord.ui.View(timeout=None).add_item(PieceButton(action, about, language))


def radio_view(track_id: str, guild_id: str, language: str) -> discord.ui.View:
    """Under what a radio plays."""
    view = discord.ui.View(timeout=None)
    for action, about in (
        ("like", track_id), ("dislike", track_id), ("why", track_id), ("skip", guild_id), ("stop", guild_id),
    ):  # fmt: skip
        view.add_item(PieceButton(action, about, language))
    return view
