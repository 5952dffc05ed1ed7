"""The drummer: grooves from the style, chosen by energy, with fills and a crash where sections begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.arrange.style import DRUMS, Groove, PartStyle, Style
from generator.plan import Plan
from generator.score import PPQ, Note, Section

SIXTEENTH = PPQ // 4
_VELOCITY = {"X": 14, "x": 0, "o": -34}
_FILL_DRUMS = ("snare", "high_tom", "mid_tom", "low_tom")


def play_drums(
    plan: Plan, sections: Sequence[Section], part: PartStyle, style: Style, rng: np.random.Generator
) -> list[Note]:
    """Notes of the drum kit in its sections; General MIDI percussion pitches."""
    grooves = style.grooves.get(str(plan.meter), ())
    bar_ticks = plan.meter.bar_ticks
    notes: list[Note] = []
    for section in sections:
        groove = _choose(grooves, section.energy, rng)
        if groove is None:
            continue
        for index in range(section.bars):
            bar = section.start_bar + index
            start = bar * bar_ticks
            if bar == plan.bars - 1:
                notes += _last_hit(start, part.velocity, style)
                continue
            every = style.playing.fill_every
            fills = (every > 0 and (index + 1) % every == 0) or (every > 0 and index == section.bars - 1 and index > 0)
            notes += _bar(groove, start, part.velocity, rng)
            if fills:
                notes = _fill(notes, start, bar_ticks, part.velocity, section.energy, style, rng)
        if section.energy > 0.75 and section.start_bar > 0:
            notes.append(Note(section.start_bar * bar_ticks, PPQ, DRUMS["crash"], part.velocity))
    return notes


def _last_hit(start: int, velocity: int, style: Style) -> list[Note]:
    """The downbeat that ends the piece: kick and whichever cymbal the style uses."""
    cymbal = "crash" if "crash" in _kit_names(style) else "ride"
    return [Note(start, SIXTEENTH, DRUMS["kick"], velocity), Note(start, PPQ, DRUMS[cymbal], velocity - 10)]


def _kit_names(style: Style) -> set[str]:
    return {drum for grooves in style.grooves.values() for groove in grooves for drum in groove.rows}


def _choose(grooves: Sequence[Groove], energy: float, rng: np.random.Generator) -> Groove | None:
    """A groove whose energy range holds the section's; the nearest one when none does."""
    fitting = [groove for groove in grooves if groove.low <= energy <= groove.high]
    if fitting:
        return fitting[int(rng.integers(len(fitting)))]
    return min(grooves, key=lambda g: min(abs(g.low - energy), abs(g.high - energy)), default=None)


def _bar(groove: Groove, start: int, velocity: int, rng: np.random.Generator) -> list[Note]:
    notes = []
    for drum, row in groove.rows.items():
        for step, mark in enumerate(row):
            if mark in ".-":
                continue
            if mark.isdigit():
                if rng.random() >= int(mark) / 10:
                    continue
                mark = "o"  # noqa: PLW2901 -- a chance hit is a ghost note
            loudness = velocity + _VELOCITY[mark] - (10 if "hat" in drum or drum == "shaker" else 0)
            notes.append(Note(start + step * SIXTEENTH, SIXTEENTH, DRUMS[drum], max(12, min(127, loudness))))
    return notes


def _fill(
    notes: list[Note],
    start: int,
    bar_ticks: int,
    velocity: int,
    energy: float,
    style: Style,
    rng: np.random.Generator,
) -> list[Note]:
    """Replace the last beat's backbeat with a run; quiet styles only add snare ghosts."""
    first = start + bar_ticks - PPQ
    if energy < 0.6 or style.playing.swing_unit == 16:
        return [
            *notes,
            *(Note(first + step * SIXTEENTH, SIXTEENTH, DRUMS["snare"], max(20, velocity - 38 + 6 * step))
              for step in range(4) if rng.random() < 0.55),
        ]  # fmt: skip
    kept = [note for note in notes if note.onset < first or note.pitch in {DRUMS["kick"], DRUMS["ride"]}]
    run = sorted(int(value) for value in rng.integers(0, len(_FILL_DRUMS), size=4))
    hits = [
        Note(first + step * SIXTEENTH, SIXTEENTH, DRUMS[_FILL_DRUMS[drum]], min(127, velocity - 12 + 6 * step))
        for step, drum in enumerate(run)
        if step % 2 == 0 or rng.random() < 0.7
    ]
    return [*kept, *hits]
