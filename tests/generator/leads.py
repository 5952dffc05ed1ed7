"""Lead sheets without a model: plain tunes over plain progressions, as a careful beginner would write them."""

from __future__ import annotations

import numpy as np

from generator.arrange.style import Style
from generator.brief import Brief, Key
from generator.compose import Lead, bar_steps, colour
from generator.corpus.piece import GRID, Bar, GridChord, GridNote
from generator.plan import MATERIAL_BARS, Plan

_MAJOR = ((0, 7, 9, 5, 0, 5, 7, 0), (0, 9, 5, 7, 9, 5, 7, 0), (5, 7, 4, 9, 2, 7, 0, 0), (0, 4, 5, 7, 2, 7, 0, 7))
_MINOR = ((0, 8, 3, 10, 0, 5, 7, 0), (0, 5, 7, 0, 8, 5, 7, 0), (0, 10, 8, 7, 0, 5, 7, 7), (8, 10, 0, 0, 5, 7, 0, 0))
_TRIADS = {
    "major": {0: "", 2: "m", 4: "m", 5: "", 7: "", 9: "m", 11: "dim"},
    "minor": {0: "m", 2: "dim", 3: "", 5: "m", 7: "7", 8: "", 10: ""},
}


def simple_lead(brief: Brief, plan: Plan, style: Style, seed: int, *, tune: bool = True) -> Lead:
    """Eight bars for every material and return of the plan; `tune=False` leaves the melody out."""
    rng = np.random.default_rng(seed)
    key = Key.parse(brief.key)
    materials = {name: _material(key, brief, plan, style, rng, tune=tune) for name in plan.materials}
    returns = dict.fromkeys(section.name for section in plan.sections if "'" in section.name)
    return Lead(key, materials | {name: materials[name[0]] for name in returns})


def _material(
    key: Key, brief: Brief, plan: Plan, style: Style, rng: np.random.Generator, *, tune: bool
) -> tuple[Bar, ...]:
    choices = _MAJOR if key.mode == "major" else _MINOR
    roots = choices[int(rng.integers(len(choices)))]
    steps = bar_steps(plan)
    middle = (style.melody.low + style.melody.high) // 2
    scale = [p for p in range(middle - 7, middle + 8) if (p - key.tonic) % 12 in _scale(key)]
    place, rhythms, bars = len(scale) // 2, [_rhythm(steps, style, rng) for _ in range(2)], []
    for index in range(MATERIAL_BARS):
        root = (key.tonic + roots[index]) % 12
        chord = GridChord(0, root, _TRIADS[key.mode][roots[index]])
        notes = []
        for pos, length in rhythms[index % 2]:
            place = int(np.clip(place + rng.integers(-2, 3), 0, len(scale) - 1))
            notes.append(GridNote(pos, length, scale[place]))
        if index % 4 == 3:
            notes = notes[: max(1, len(notes) // 2)]  # the singer breathes
        bars.append(
            Bar(chords=(colour(chord, key.tonic, style, brief.complexity),), melody=tuple(notes) if tune else ())
        )
    return tuple(bars)


def _scale(key: Key) -> tuple[int, ...]:
    return (0, 2, 3, 5, 7, 8, 10) if key.mode == "minor" else (0, 2, 4, 5, 7, 9, 11)


def _rhythm(steps: int, style: Style, rng: np.random.Generator) -> list[tuple[int, int]]:
    half = GRID // 2
    places = [pos for pos in range(0, steps, half) if pos == 0 or rng.random() < min(0.9, style.melody.density / 2)]
    return [(pos, following - pos) for pos, following in zip(places, [*places[1:], steps], strict=True)]
