"""Keep the music at the density, complexity and mode that were asked for: a thermostat on the model's logits.

The model hears the controls in its prompt and follows them as far as it has learned them. Here what has been written
is counted as it is written; how far it is behind (or ahead) leans the next choice towards sooner and shorter (or later
and longer) notes, and towards richer (or plainer) chords. With nothing owed, nothing is leaned, so the music stays the
model's; both aims are averages, and single bars are free to depart from them.

The third of the other mode, and tonic chords that have it, are leaned against all the time.

Definitions as in `corpus.features`: density is melody onsets per quarter note over the bars with melody; complexity is
0.6 for a chord beyond a plain triad and 0.4 for one with a tone outside the key, averaged over the chords.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from generator.corpus.features import chord_complexity
from generator.corpus.piece import GRID
from generator.model.grammar import DUR0, POS0, QUAL0, ROOT0, State, end_token, part_of
from generator.model.rules import Rules
from generator.model.tokens import DURATIONS, FIELDS, POSITIONS, QUALITIES, Controls
from generator.score import CHORD_TONES

_DENSITIES = (0.28, 0.45, 0.62, 0.77, 0.92, 1.1, 1.32, 1.6, 2.05, 2.8)
_COMPLEXITIES = (0.0, 0.06, 0.15, 0.27, 0.45, 0.72)
"""Middles of the classes of `tokens.DENSITY_EDGES` and `tokens.COMPLEXITY_EDGES`."""
_NOTE_PULL, _CHORD_PULL = 1.0, 5.0  # logits for each note, or each unit of complexity, that is owed
_MOST_NOTES, _MOST_COMPLEXITY = 4.0, 1.5  # owed, at most
_USUAL_COMPLEXITY = 0.2  # of the next chord, before it is known
_MODE_PULL = 1.5  # logits against the other mode's third
_FARTHEST = 4.0  # notes by which a choice delays or hastens what follows, at most

_AT = np.array(POSITIONS) / GRID
_LONG = np.array(DURATIONS) / GRID


@dataclass(frozen=True, slots=True)
class Aim:
    """What to keep to; None for what is left to the model. `density` in onsets per quarter, `complexity` 0 … 1."""

    mode: str
    density: float | None = None
    complexity: float | None = None


@dataclass(frozen=True, slots=True)
class Gauge:
    """What has been written: melody `notes` in `quarters` of bars with melody, and the complexity of `chords`."""

    notes: int = 0
    quarters: float = 0.0
    chords: int = 0
    complexity: float = 0.0
    notes_of_bar: int = 0


def aim_of(controls: Controls) -> Aim:
    """The middle of the classes that are asked for."""
    return Aim(
        controls.mode,
        None if controls.density is None else _DENSITIES[controls.density],
        None if controls.complexity is None else _COMPLEXITIES[controls.complexity],
    )


def count(gauge: Gauge, state: State, token: int, rules: Rules, aim: Aim) -> Gauge:
    """The gauge after `token`, chosen in `state`."""
    name, value = FIELDS[token]
    part = part_of(state, rules)
    if name == "pos" and part == "melody":
        return replace(gauge, notes_of_bar=gauge.notes_of_bar + 1)
    if name == "qual":
        added = chord_complexity(state.root, value, aim.mode)
        return replace(gauge, chords=gauge.chords + 1, complexity=gauge.complexity + added)
    if name in {"bar", "EOS"} and gauge.notes_of_bar:
        quarters = gauge.quarters + rules.bar_steps / GRID
        return replace(gauge, notes=gauge.notes + gauge.notes_of_bar, quarters=quarters, notes_of_bar=0)
    return gauge


def lean(logits: NDArray[np.floating], state: State, rules: Rules, gauge: Gauge, aim: Aim) -> NDArray[np.floating]:
    """The logits [vocabulary] of the next token, leaned towards what is owed. The input stays as it is."""
    part = part_of(state, rules)
    if aim.density is not None and part == "melody" and state.expects in {"onset", "dur"}:
        return _lean_note(logits, state, rules, gauge, aim.density)
    if state.expects == "pitch" and part == "melody":
        return logits - _MODE_PULL * _foreign_thirds(aim.mode)
    if state.expects == "qual" and state.root == 0:
        logits = logits - _MODE_PULL * _foreign_tonics(aim.mode)
    if aim.complexity is not None and state.expects in {"root", "qual"}:
        return _lean_chord(logits, state, gauge, aim.complexity, aim.mode)
    return logits


@cache
def _foreign_thirds(mode: str) -> NDArray[np.float64]:
    """(vocabulary,): 1 at the pitches that are the third of the other mode."""
    third = 3 if mode == "major" else 4
    return np.array([float(name == "pitch" and int(value) % 12 == third) for name, value in FIELDS])


@cache
def _foreign_tonics(mode: str) -> NDArray[np.float64]:
    """(vocabulary,): 1 at the qualities that would give the tonic chord the third of the other mode."""
    third, own = (3, 4) if mode == "major" else (4, 3)
    return np.array([
        float(name == "qual" and third in CHORD_TONES[value] and own not in CHORD_TONES[value])
        for name, value in FIELDS
    ])  # fmt: skip


def _lean_note(
    logits: NDArray[np.floating], state: State, rules: Rules, gauge: Gauge, density: float
) -> NDArray[np.floating]:
    """Every quarter that a choice makes the next note wait costs as many notes as the density has in it."""
    now = max(state.pos, 0) / GRID
    owed = density * (gauge.quarters + now) - gauge.notes - gauge.notes_of_bar
    if state.expects == "onset":
        owed += 1.0  # the note that is about to be chosen
    pull = _NOTE_PULL * float(np.clip(owed, -_MOST_NOTES, _MOST_NOTES))
    leaned = logits.copy()
    if state.expects == "dur":
        leaned[DUR0 : DUR0 + len(DURATIONS)] -= pull * np.minimum(density * _LONG, _FARTHEST)
        return leaned
    free = max(state.busy, state.pos + 1) / GRID
    leaned[POS0 : POS0 + len(POSITIONS)] -= pull * np.clip(density * (_AT - free), 0.0, _FARTHEST)
    rest = max(0.0, rules.bar_steps / GRID - free) + 0.5
    leaned[end_token(state, rules)] -= pull * min(density * rest, _FARTHEST)
    return leaned


def _lean_chord(
    logits: NDArray[np.floating], state: State, gauge: Gauge, complexity: float, mode: str
) -> NDArray[np.floating]:
    owed = complexity * (gauge.chords + 1) - gauge.complexity - _USUAL_COMPLEXITY
    pull = _CHORD_PULL * float(np.clip(owed, -_MOST_COMPLEXITY, _MOST_COMPLEXITY))
    table = _complexities(mode)
    leaned = logits.copy()
    if state.expects == "root":
        leaned[ROOT0 : ROOT0 + 12] += pull * table.min(axis=1)
    else:
        leaned[QUAL0 : QUAL0 + len(QUALITIES)] += pull * table[state.root]
    return leaned


@cache
def _complexities(mode: str) -> NDArray[np.float64]:
    """(12, qualities): what each chord adds."""
    return np.array([[chord_complexity(root, quality, mode) for quality in QUALITIES] for root in range(12)])
