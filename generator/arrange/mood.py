"""What a mood does to an arrangement: the table `mood.toml`, with its sources, applied to one Brief."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from generator.brief import Brief


@dataclass(frozen=True, slots=True)
class Feeling:
    """The table's columns for one Brief.

    `lift` is added to the energy of sections, `density`, `gate` and `timing` are factors, `velocity` and `attack`
    MIDI velocities, `register` semitones, `brightness` a shift of [0, 1], `dissonance` -0.75 … 0.75.
    """

    lift: float
    density: float
    velocity: float
    register: float
    gate: float
    attack: float
    brightness: float
    dissonance: float
    timing: float


@cache
def _table() -> dict[str, dict[str, float]]:
    return tomllib.loads(files(__package__).joinpath("mood.toml").read_text("utf-8"))


def feeling_of(brief: Brief) -> Feeling:
    """Both axes act at once and add up (Eerola et al. 2013); the Brief's density and brightness count beside them."""

    def cue(name: str) -> float:
        row = _table()[name]
        return row.get("v", 0.0) * brief.mood.valence + row.get("a", 0.0) * brief.mood.arousal

    return Feeling(
        lift=cue("energy") + 0.12 * (brief.density - 0.5),
        density=2.0 ** (cue("density") + 1.2 * (brief.density - 0.5)),
        velocity=cue("velocity"),
        register=cue("register") + 8.0 * (brief.brightness - 0.5),
        gate=2.0 ** cue("gate"),
        attack=cue("attack"),
        brightness=cue("brightness") + brief.brightness - 0.5,
        dissonance=cue("dissonance"),
        timing=1.0 + cue("timing"),
    )
