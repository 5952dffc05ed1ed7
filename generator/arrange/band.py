"""Who is in the band, on which instrument, and in which sections."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from generator.arrange.mood import feeling_of
from generator.arrange.style import PartStyle, Style
from generator.brief import Brief
from generator.errors import ArrangeError
from generator.plan import Plan
from generator.render.instruments import INSTRUMENTS
from generator.score import Section
from generator.seeds import stream

# These carry the piece: a calm mood makes them play softer, it does not send them home.
CORE = frozenset({"melody", "chords", "bass", "drums"})
UNPITCHED = frozenset({"drums", "texture"})
_FIRST_CHOICE = ("chords", "bass", "drums", "melody", "pad", "counter", "texture")
_PART_OF = {"bass": "bass", "drums": "drums", "keys": "chords", "guitar": "chords", "pads": "pad"}
_FITTEST = ("pad", "chords", "counter", "bass", "melody")
_ON_THEIR_OWN = frozenset({"block", "sustain", "arpeggio", "guide", "pattern", "walking", "pedal"})
"""Figures that need no tune."""
_CHORDAL = frozenset({"block", "sustain", "arpeggio"})
_REST = 0.1  # how likely a player who is not needed leaves out a section


def gather(brief: Brief, style: Style, seed: int) -> dict[str, PartStyle]:
    """The players who are in: melody, harmony and rhythm always, the rest by chance and density.

    Raises ArrangeError when what is not wanted leaves neither tune nor harmony.
    """
    rng = stream(seed, "band")
    band = {}
    for name, player in style.parts.items():
        wide = (0.55 + 0.9 * brief.density) * (1.0 + 0.3 * brief.novelty)
        present = rng.random() < player.chance * wide or player.chance == 1.0
        unwanted = set(player.instruments) <= set(brief.instruments_unwanted)
        if present and not unwanted:
            band[name] = player
    if not {player.role for player in band.values()} & {"melody", "chords", "pad"}:
        raise ArrangeError(
            f"Without {', '.join(brief.instruments_unwanted)} there is nobody left to play {style.label}; "
            "allow at least one of them."
        )
    return band


def choose_instruments(band: Mapping[str, PartStyle], brief: Brief, seed: int) -> dict[str, str]:
    """Who plays what. A wanted instrument goes to one player, the accompanist before the soloist."""
    order = sorted(band, key=lambda name: _FIRST_CHOICE.index(band[name].role))
    chosen: dict[str, str] = {}
    for name in order:
        taken = set(chosen.values())
        chosen[name] = choose_instrument(band[name], brief, taken, stream(seed, f"instrument {name}"))
    return chosen | _guests_wanted(band, chosen, brief)


def _guests_wanted(band: Mapping[str, PartStyle], chosen: Mapping[str, str], brief: Brief) -> dict[str, str]:
    """A wanted instrument that no player of the style knows takes over the part of its kind, or else the tune."""
    here = {INSTRUMENTS[name].family for name in chosen.values() if name in brief.instruments_wanted}
    changed: dict[str, str] = {}
    for wanted in brief.instruments_wanted:
        instrument = INSTRUMENTS.get(wanted)
        if instrument is None or instrument.family in here or wanted in chosen.values():
            continue
        role = _PART_OF.get(instrument.family, "melody")
        player = next((name for name, part in band.items() if part.role == role and name not in changed), None)
        if player is not None:
            changed[player] = wanted
            here.add(instrument.family)
    return changed


def choose_instrument(player: PartStyle, brief: Brief, taken: set[str], rng: np.random.Generator) -> str:
    """A wanted instrument first; else the list is in order of custom, bent by how acoustic and how bright the piece
    should be, and with novelty also instruments of the same families that the style does not name."""
    options = [name for name in player.instruments if name not in brief.instruments_unwanted]
    options = [name for name in options if name not in taken] or options
    wanted = [name for name in options if name in brief.instruments_wanted]
    if wanted:
        return wanted[0]
    guests = [name for name in _guests(player) if name not in {*taken, *brief.instruments_unwanted}]
    bright = feeling_of(brief).brightness
    weights = [
        (0.45 + 0.4 * brief.novelty) ** rank * _liking(name, brief.acousticness, bright)
        for rank, name in enumerate(options)
    ] + [0.25 * brief.novelty**2 * _liking(name, brief.acousticness, bright) for name in guests]
    share = np.array(weights) / sum(weights)
    return [*options, *guests][int(rng.choice(len(share), p=share))]


def _liking(name: str, acousticness: float, bright: float) -> float:
    """High instruments stand for bright ones."""
    instrument = INSTRUMENTS[name]
    octaves = ((instrument.low + instrument.high) / 2 - 66) / 12
    return (1.05 - abs(acousticness - instrument.acousticness)) ** 2 * float(np.exp(0.5 * bright * octaves))


def _guests(player: PartStyle) -> list[str]:
    """Instruments of the player's families that could play the part as well."""
    families = {INSTRUMENTS[name].family for name in player.instruments}
    voices = player.voices if player.figure in _CHORDAL else 1
    return [
        name for name, instrument in INSTRUMENTS.items()
        if instrument.family in families and name not in player.instruments and not instrument.kit
        and instrument.polyphony >= min(voices, 3)
        and instrument.low <= player.low + 5 and instrument.high >= player.high - 5
    ]  # fmt: skip


def sections_of(player: PartStyle, plan: Plan, novelty: float, rng: np.random.Generator) -> list[Section]:
    """The sections that a player joins: the core by the form's own energy, the others also by the mood's lift, and
    now and then they rest, so that returns differ."""
    found = []
    for section in plan.sections:
        energy = round(section.energy - plan.lift if player.role in CORE else section.energy, 3)
        named = not player.sections or section.name.rstrip("'") in player.sections
        rests = player.role not in CORE and rng.random() < _REST + 0.15 * novelty
        if named and player.enter <= energy <= player.leave and not rests:
            found.append(section)
    return found


def accompanied(
    joined: Mapping[str, list[Section]], players: Mapping[str, PartStyle], plan: Plan
) -> dict[str, list[Section]]:  # fmt: skip
    """Who plays where, once a tune is nowhere without harmony: where all who could give it have stayed out, one of them
    joins in, the player of chords before that of pads, and who enters early before the others."""
    able = [name for name, player in players.items() if player.role in {"chords", "pad"}]
    heard = {section.start_bar for name in able for section in joined[name]}
    bare = [section for section in plan.sections if not section.name.islower() and section.start_bar not in heard]
    if not able or not bare:
        return dict(joined)
    first = min(able, key=lambda name: (players[name].role, players[name].enter))
    return {**joined, first: sorted([*joined[first], *bare], key=lambda section: section.start_bar)}


def fittest(players: Mapping[str, PartStyle]) -> str:
    """Who stays when all others are silent: held harmony before the rhythm, and who enters early before the others."""
    return min(
        players,
        key=lambda name: (
            players[name].figure not in _ON_THEIR_OWN, _FITTEST.index(players[name].role), players[name].enter,
        ),
    )  # fmt: skip


def alone(player: PartStyle) -> PartStyle:
    """The player as it plays alone: as always, and with the tones of the chords where it lives on the tune."""
    return player if player.figure in _ON_THEIR_OWN else player.model_copy(update={"figure": "guide"})
