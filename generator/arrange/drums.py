"""The drummer: grooves chosen by energy, from the style or written by the composer, with fills, crashes and rests
where sections meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from generator.arrange.groove import choose_groove, likings, piece_grooves
from generator.arrange.meters import STEPS
from generator.arrange.style import DRUMS, Groove, PartStyle, Style
from generator.corpus.piece import GRID, Hit
from generator.plan import Plan
from generator.score import PPQ, Note, Section

SIXTEENTH = PPQ // 4
_VELOCITY = {"X": 14, "x": 0, "o": -34}
_SOFTER = {"hat": -10, "open_hat": -8, "pedal_hat": -14, "shaker": -16, "tambourine": -12, "ride": -6}
Written = Mapping[str, tuple[tuple[Hit, ...], ...]]
"""Bars of drumming by the name of the section they are for, played round and round."""


def play_drums(
    plan: Plan, sections: Sequence[Section], part: PartStyle, style: Style, written: Written, *, closing: bool,
    novelty: float, density: float, rng: np.random.Generator,
) -> list[Note]:  # fmt: skip
    """Notes of the drum kit in its sections; General MIDI percussion pitches. `closing`: the last bar is one stroke;
    a `density` above 1 prefers busy grooves, below 1 sparse ones."""
    grooves = piece_grooves(style, str(plan.meter), novelty, rng)
    liking = likings(grooves, density, rng)
    chosen: dict[tuple[str, int], Groove] = {}  # what comes back has its groove again
    bar_ticks = plan.meter.bar_ticks
    following = {s.start_bar - 1: s for s in plan.sections}
    notes: list[Note] = []
    for section in sections:
        place = (section.name.rstrip("'"), round(section.energy * 4))
        groove = chosen.setdefault(place, choose_groove(grooves, liking, section, rng))
        bars = written.get(section.name, ())
        for index in range(section.bars):
            bar = section.start_bar + index
            start = bar * bar_ticks
            if closing and bar == plan.last_bar:
                notes += _last_hit(start, part.velocity, style)
                continue
            if bars:
                played = _hits(bars[index % len(bars)], start)
            else:
                played = _bar(groove, index, start, part.velocity, str(plan.meter), rng)
            notes += _lead_over(played, index, section, following.get(bar), start, plan, part.velocity, style, rng)
        if section.energy >= style.drumming.crash_from and section.start_bar > 0:
            notes.append(Note(section.start_bar * bar_ticks, PPQ, DRUMS["crash"], part.velocity))
    return notes


def _lead_over(
    played: list[Note], index: int, section: Section, following: Section | None, start: int, plan: Plan, velocity: int,
    style: Style, rng: np.random.Generator,
) -> list[Note]:  # fmt: skip
    """A bar with what prepares the next one: nothing, silence before a rise, or a fill."""
    rises = following is not None and following.energy > section.energy + 0.05
    if rises and rng.random() < style.drumming.dropout:
        return [note for note in played if note.onset < start + plan.meter.bar_ticks // 2]
    every = style.drumming.fill_every
    inside = every > 0 and (index + 1) % every == 0
    at_end = every > 0 and index == section.bars - 1 and index > 0
    if (inside or at_end) and rng.random() < style.drumming.fill_chance:
        return _fill(played, start, plan, velocity, section, style, rng)
    return played


def _last_hit(start: int, velocity: int, style: Style) -> list[Note]:
    """The downbeat that ends the piece: kick and whichever cymbal the style uses."""
    names = {drum for grooves in style.grooves.values() for groove in grooves for drum in groove.rows}
    cymbal = "crash" if style.drumming.crash_from <= 1.0 else "ride" if "ride" in names else "kick"
    return [Note(start, SIXTEENTH, DRUMS["kick"], velocity), Note(start, PPQ, DRUMS[cymbal], velocity - 10)]


def _bar(groove: Groove, index: int, start: int, velocity: int, meter: str, rng: np.random.Generator) -> list[Note]:
    """Bar `index` of a section; rows of several bars go round."""
    steps = STEPS[meter]
    notes = []
    for drum, row in groove.rows.items():
        first = index * steps % len(row)
        notes += _row(drum, row[first : first + steps], start, velocity, rng)
    return notes


def _row(drum: str, row: str, start: int, velocity: int, rng: np.random.Generator) -> list[Note]:
    notes = []
    for step, mark in enumerate(row):
        if mark in ".-" or (mark.isdigit() and rng.random() >= int(mark) / 10):
            continue
        loudness = velocity + _VELOCITY["o" if mark.isdigit() else mark] + _SOFTER.get(drum, 0)
        notes.append(Note(start + step * SIXTEENTH, SIXTEENTH, DRUMS[drum], max(12, min(127, loudness))))
    return notes


def _hits(hits: Sequence[Hit], start: int) -> list[Note]:
    """Written drumming; it brings its own microtiming."""
    tick = PPQ // GRID
    return [
        Note(start + hit.pos * tick, SIXTEENTH, DRUMS[hit.drum], hit.velocity, hit.shift_ticks or 1) for hit in hits
    ]


def _fill(
    played: list[Note], start: int, plan: Plan, velocity: int, section: Section, style: Style, rng: np.random.Generator
) -> list[Note]:
    """One of the style's fills for this energy, at the end of the bar, instead of what was there."""
    fitting = [fill for fill in style.fills if fill.low <= section.energy <= fill.high]
    if not fitting:
        return played
    fill = fitting[int(rng.integers(len(fitting)))]
    length = min(max(len(row) for row in fill.rows.values()), STEPS[str(plan.meter)])
    first = start + plan.meter.bar_ticks - length * SIXTEENTH
    kept = [note for note in played if note.onset < first]
    return kept + [note for drum, row in fill.rows.items() for note in _row(drum, row[-length:], first, velocity, rng)]
