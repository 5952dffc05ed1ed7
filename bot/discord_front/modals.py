"""Forms: a remix, an address to paste, a word to type before something is gone for good.

As with buttons, what a form is for is in its custom_id, and what was filled in comes with the submission; so it makes
no difference whether this process opened the form or one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.i18n.catalogue import say
from generator.brief import STYLES
from personalization.request import MAX_TEXT

REMIX, ADDRESS, FORGET = KINDS = ("remix", "address", "forget")
_OPEN_S = 3600.0  # so long the library keeps a form that nobody submits; it answers none, `submitted` reads them all
_ID = re.compile(rf"form:(?P<kind>{'|'.join(KINDS)}):(?P<about>[0-9a-z-]{{1,25}})")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A form as it was filled in: one of KINDS, what it is about, and its fields by name; an empty one is ""."""

    kind: str
    about: str
    fields: dict[str, str]


def remix_form(track_id: str, text: str, language: str) -> ui.Modal:
    """Another style, other words, or both; with the fields "style" and "text"."""
    styles = [discord.SelectOption(label=name) for name in STYLES]
    style: ui.Select[Any] = ui.Select(custom_id="style", options=styles, required=False, min_values=0)
    words: ui.TextInput[Any] = ui.TextInput(
        custom_id="text", style=discord.TextStyle.paragraph, default=text[:MAX_TEXT], max_length=MAX_TEXT
    )
    form = _form(REMIX, track_id, say(language, "remix.title"))
    form.add_item(ui.Label(text=say(language, "remix.style")[:45], component=style))
    return form.add_item(ui.Label(text=say(language, "remix.text")[:45], component=words))


def address_form(language: str) -> ui.Modal:
    """The address that Spotify led to, in the field "line"."""
    return _line_form(ADDRESS, "spotify", say(language, "link.paste"), say(language, "link.address"))


def forget_form(language: str) -> ui.Modal:
    """The word of a language that has somebody forgotten, in the field "line"; it is about that language."""
    label = say(language, "privacy.type", word=say(language, "privacy.word"))
    return _line_form(FORGET, language, say(language, "privacy.title"), label)


def submitted(interaction: discord.Interaction[Any]) -> Submitted | None:
    """What somebody filled in, if that is what happened."""
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    data: Any = interaction.data or {}
    match = _ID.fullmatch(data.get("custom_id", ""))
    if match is None:
        return None
    return Submitted(match["kind"], match["about"], dict(_filled(data.get("components", ()))))


def _filled(components: Any) -> Iterator[tuple[str, str]]:
    """Fields and what is in them; each is inside its label."""
    for label in components:
        inner = label.get("component", {})
        if "custom_id" in inner:
            yield inner["custom_id"], inner.get("value") or next(iter(inner.get("values", ())), "")


def _line_form(kind: str, about: str, title: str, label: str) -> ui.Modal:
    line: ui.TextInput[Any] = ui.TextInput(custom_id="line", max_length=2000)
    return _form(kind, about, title).add_item(ui.Label(text=label[:45], component=line))


def _form(kind: str, about: str, title: str) -> ui.Modal:
    return ui.Modal(title=title[:45], custom_id=f"form:{kind}:{about}", timeout=_OPEN_S)
