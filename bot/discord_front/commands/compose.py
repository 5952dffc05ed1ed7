"""/compose: a few words become a piece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord_front.texts import described, options
from generator.brief import LENGTH_RANGE_S, METERS, MOODS, STYLES, TEMPO_RANGE_BPM, Key

if TYPE_CHECKING:
    from bot.discord_front.client import Front

_MOST = 25  # choices Discord shows
_LOW_BPM, _HIGH_BPM = (int(limit) for limit in TEMPO_RANGE_BPM)
LOW_S, HIGH_S = (int(limit) for limit in LENGTH_RANGE_S)
_KEYS = tuple(str(Key(tonic, mode)) for mode in ("major", "minor") for tonic in range(12))


def add_compose(tree: app_commands.CommandTree[Front], front: Front) -> None:
    @tree.command(name="compose", description=described("compose"))
    @app_commands.describe(**options("compose"))
    @app_commands.choices(meter=[app_commands.Choice(name=meter, value=meter) for meter in METERS])
    async def compose(
        interaction: discord.Interaction[Front],
        text: app_commands.Range[str, 1, 500],
        style: str | None = None,
        tempo: app_commands.Range[float, _LOW_BPM, _HIGH_BPM] | None = None,
        key: str | None = None,
        length: app_commands.Range[int, LOW_S, HIGH_S] | None = None,
        meter: str | None = None,
        instruments: app_commands.Range[str, 1, 100] | None = None,
        novelty: app_commands.Range[int, 0, 100] | None = None,
        reference: discord.Attachment | None = None,
        seed: app_commands.Range[int, 0] | None = None,
        takes: app_commands.Range[int, 1, 4] | None = None,
        compare: bool | None = None,
        private: bool = False,
    ) -> None:
        wishes = {
            "styles": None if style is None else (style,),
            "tempo_bpm": tempo,
            "key": key,
            "length_s": None if length is None else float(length),
            "meter": meter,
            "novelty": None if novelty is None else novelty / 100,
            "seed": seed,
            "takes": takes,
        }
        # The same seed gives the same piece: whoever names one wants that one.
        twice = front.service.compares and seed is None if compare is None else compare
        words = text if instruments is None else f"{text}, with {instruments}"
        if reference is None:
            await front.accept(interaction, words, private=private, twice=twice, **wishes)
        else:
            await front.accept_like(interaction, reference, words, private=private, twice=twice, **wishes)

    @compose.autocomplete("text")
    async def complete_text(interaction: discord.Interaction[Front], current: str) -> list[app_commands.Choice[str]]:
        del interaction
        written, _, word = current.rpartition(" ")
        return _choices(f"{written} {name}".strip() for name in (*MOODS, *STYLES) if _begins(name, word))

    @compose.autocomplete("style")
    async def complete_style(interaction: discord.Interaction[Front], current: str) -> list[app_commands.Choice[str]]:
        del interaction
        return beginning(STYLES, current)

    @compose.autocomplete("key")
    async def complete_key(interaction: discord.Interaction[Front], current: str) -> list[app_commands.Choice[str]]:
        del interaction
        return beginning(_KEYS, current)


def beginning(names: Iterable[str], typed: str) -> list[app_commands.Choice[str]]:
    """The choices that begin as typed."""
    return _choices(name for name in names if _begins(name, typed))


def _begins(name: str, typed: str) -> bool:
    return name.lower().startswith(typed.strip().lower())


def _choices(names: Iterable[str]) -> list[app_commands.Choice[str]]:
    found = [name for name in names if len(name) <= 100]
    return [app_commands.Choice(name=name, value=name) for name in found[:_MOST]]
