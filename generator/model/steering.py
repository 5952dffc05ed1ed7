"""Keep the music at the density, complexity and mode that were asked for: a thermostat on the model's logits.

The model hears the controls in its prompt and follows them as far as it has learned them. Here what has been written
is counted as it is written; how far it is behind (or ahead) leans the next choice towards sooner and shorter (or later
and longer) notes, and towards richer (or plainer) chords. With nothing owed, nothing is leaned, so the music stays the
model's; both aims are averages, and single bars are free to depart from them.

Density is kept within a bar or two, and slowly over the whole, so that a sparse bar is not paid back by a bar of
sixteenths. A take's manner (where in the beat, how long, how far, how close to the chord; `generator.manners`) is kept
in the same way, so that takes of one request differ as tunes by people do. The third of the other mode, and tonic
chords that have it, are leaned against all the time; so are notes that their chord does not bear (`score.avoid_tones`),
the harder the longer they are held: a model draws them twice as often as people write them.

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
from generator.model.grammar import DUR0, PITCH0, POS0, QUAL0, ROOT0, State, current, end_token, fixed_rhythm, part_of
from generator.model.rules import Rules
from generator.model.tokens import (
    DURATIONS,
    FIELDS,
    HIGHEST,
    LOWEST,
    PLACES,
    POSITIONS,
    QUALITIES,
    Controls,
    nearest_duration,
)
from generator.score import CHORD_TONES, HELD, PPQ, avoid_tones

_DENSITIES = (0.28, 0.45, 0.62, 0.77, 0.92, 1.1, 1.32, 1.6, 2.05, 2.8)
_COMPLEXITIES = (0.0, 0.06, 0.15, 0.27, 0.45, 0.72)
"""Middles of the classes of `tokens.DENSITY_EDGES` and `tokens.COMPLEXITY_EDGES`."""
_NOTE_PULL, _CHORD_PULL = 0.6, 5.0  # logits for each note, or each unit of complexity, that is owed
_SLOW_PULL = 0.2  # logits for each note that is owed by the whole music; the other pull forgets
_MEMORY = 0.4  # of what a bar owes, after the next
_MOST_NOTES, _MOST_OVERALL, _MOST_COMPLEXITY = 4.0, 10.0, 1.5  # owed, at most
_USUAL_COMPLEXITY = 0.2  # of the next chord, before it is known
_MODE_PULL = 1.5  # logits against the other mode's third
_AVOID_PULL, _HOLD_PULL = 0.4, 1.5  # logits against a note that its chord does not bear, and each quarter it is held
_LONGEST_HELD = 4.0
_FARTHEST = 4.0  # notes by which a choice delays or hastens what follows, at most

_STEP, _THIRD, _FIFTH = 2, 4, 7  # semitones, the most of each sort of move
MOVES = 9
"""Sorts of melodic move: the same note; a step, a third, a fourth or fifth, more, each up and down."""
TONES = 4
"""Sorts of tone: of the chord and of the key, of the chord alone, of the key alone, of neither."""
_SCALES = {"major": {0, 2, 4, 5, 7, 9, 11}, "minor": {0, 2, 3, 5, 7, 8, 10, 11}}

_MANNER_PULL = 4.0  # logits for a share that is an e-th of what it should be
_TONE_PULL = 2.0  # times as much for the sorts of tone: a wrong note is heard more than a long one
_PATIENCE = 6.0  # notes that are taken as written in the manner to begin with
_FLOOR, _MOST_OWED = 0.01, 1.5  # of shares; nats

_AT = np.array(POSITIONS) / GRID
_PLACE_OF = np.array([PLACES.index(pos % GRID) for pos in POSITIONS])
_LONG = np.array(DURATIONS) / GRID
_HOLDING = np.zeros(len(FIELDS))
"""The quarters by which each length holds a note beyond one that passes by."""
_HOLDING[DUR0 : DUR0 + len(DURATIONS)] = np.clip(_LONG - HELD / PPQ, 0.0, _LONGEST_HELD)


@dataclass(frozen=True, slots=True)
class Manner:
    """Shares that a tune's notes have of each of `tokens.PLACES`, `tokens.DURATIONS`, the `MOVES` sorts of move, and
    the `TONES` sorts of tone; and how hard they are kept to (1 is firmly)."""

    places: tuple[float, ...]
    durations: tuple[float, ...]
    moves: tuple[float, ...]
    tones: tuple[float, ...]
    firmness: float = 1.0


@dataclass(frozen=True, slots=True)
class Aim:
    """What to keep to; None for what is left to the model. `density` in onsets per quarter of the bars that are not
    settled, `complexity` 0 … 1."""

    mode: str
    density: float | None = None
    complexity: float | None = None
    manner: Manner | None = None
    settled: frozenset[int] = frozenset()
    """Bars whose rhythm is given; they owe nothing."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What has been written: melody `notes` in `quarters` of bars with melody (`recent` ones count more the later they
    are), the complexity of `chords`, and how many notes had each of the sorts that a manner tells apart."""

    notes: int = 0
    quarters: float = 0.0
    recent_notes: float = 0.0
    recent_quarters: float = 0.0
    chords: int = 0
    complexity: float = 0.0
    notes_of_bar: int = 0
    places: tuple[int, ...] = (0,) * len(PLACES)
    durations: tuple[int, ...] = (0,) * len(DURATIONS)
    moves: tuple[int, ...] = (0,) * MOVES
    tones: tuple[int, ...] = (0,) * TONES


def aim_of(controls: Controls) -> Aim:
    """The middle of the classes that are asked for."""
    return Aim(
        controls.mode,
        None if controls.density is None else _DENSITIES[controls.density],
        None if controls.complexity is None else _COMPLEXITIES[controls.complexity],
    )


def settle(aim: Aim, rules: Rules) -> Aim:
    """The aim with what rhythms given in advance (and their returns) are short of left to the other bars."""
    notes = {bar: len(rhythm) for bar, rhythm in rules.rhythms.items()}
    for bar in rules.order:
        source = rules.copies.get(bar, rules.echo.get(bar))
        if source in notes:
            notes.setdefault(bar, notes[source])
    quarters, free = rules.bar_steps / GRID, len(set(rules.order) - notes.keys())
    if aim.density is None or not free:
        return replace(aim, settled=frozenset(notes))
    missing = sum(aim.density * quarters - notes[bar] for bar in notes if bar in rules.order)
    return replace(aim, density=max(0.0, aim.density + missing / (free * quarters)), settled=frozenset(notes))


def count(gauge: Gauge, state: State, token: int, rules: Rules, aim: Aim) -> Gauge:
    """The gauge after `token`, chosen in `state`."""
    name, value = FIELDS[token]
    part = part_of(state, rules)
    if part == "melody" and name in {"pos", "pitch", "dur"}:
        return _count_note(gauge, state, name, int(value), rules, aim.mode)
    if name == "qual":
        added = chord_complexity(state.root, value, aim.mode)
        return replace(gauge, chords=gauge.chords + 1, complexity=gauge.complexity + added)
    if name in {"bar", "EOS"} and gauge.notes_of_bar:
        if current(state, rules) in aim.settled:
            return replace(gauge, notes_of_bar=0)
        quarters, notes = rules.bar_steps / GRID, gauge.notes_of_bar
        return replace(
            gauge, notes=gauge.notes + notes, quarters=gauge.quarters + quarters, notes_of_bar=0,
            recent_notes=_MEMORY * (gauge.recent_notes + notes),
            recent_quarters=_MEMORY * (gauge.recent_quarters + quarters),
        )  # fmt: skip
    return gauge


def _count_note(gauge: Gauge, state: State, name: str, value: int, rules: Rules, mode: str) -> Gauge:
    match name:
        case "pos":
            places = _more(gauge.places, PLACES.index(value % GRID))
            return replace(gauge, notes_of_bar=gauge.notes_of_bar + 1, places=places)
        case "dur":
            return replace(gauge, durations=_more(gauge.durations, DURATIONS.index(value)))
        case _:
            chord = _chord_at(state, rules)
            tones = gauge.tones if chord is None else _more(gauge.tones, tone_of(value, chord, mode))
            last = state.last_pitch
            moves = gauge.moves if last is None else _more(gauge.moves, move_of(value - last))
            return replace(gauge, tones=tones, moves=moves)


def _more(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])


def lean(logits: NDArray[np.floating], state: State, rules: Rules, gauge: Gauge, aim: Aim) -> NDArray[np.floating]:
    """The logits [vocabulary] of the next token, leaned towards what is owed. The input stays as it is."""
    if part_of(state, rules) == "melody" and state.expects in {"onset", "pitch", "dur"}:
        if aim.manner is not None:
            logits = logits + _liking(aim.manner, gauge, state, rules, aim.mode)
        chord = _chord_at(state, rules)
        if state.expects == "pitch":
            logits = logits - _MODE_PULL * _foreign_thirds(aim.mode)
            pull = _AVOID_PULL + _HOLD_PULL * _held_if_settled(state, rules)
            return logits if chord is None else logits - pull * _avoided_pitches(chord)
        held = state.last_pitch if state.expects == "dur" else None
        if chord is not None and held is not None and _avoided(held, chord):
            logits = logits - _HOLD_PULL * _HOLDING
        return logits if aim.density is None else _lean_note(logits, state, rules, gauge, aim.density)
    if state.expects == "qual" and state.root == 0:
        logits = logits - _MODE_PULL * _foreign_tonics(aim.mode)
    if aim.complexity is not None and state.expects in {"root", "qual"}:
        return _lean_chord(logits, state, gauge, aim.complexity, aim.mode)
    return logits


def move_of(semitones: int) -> int:
    """The sort of a melodic move, 0 … MOVES - 1."""
    size = abs(semitones)
    if size == 0:
        return 0
    sort = 1 + 2 * ((size > _STEP) + (size > _THIRD) + (size > _FIFTH))
    return sort + (semitones < 0)


def tone_of(pitch: int, chord: tuple[int, str], mode: str) -> int:
    """The sort of a tone over a chord (root, quality). Pitch and root count from the tonic; minor has both sevenths."""
    root, quality = chord
    in_chord, in_key = (pitch - root) % 12 in _tones(quality), pitch % 12 in _SCALES[mode]
    return 2 * (not in_chord) + (not in_key)


@cache
def _tones(quality: str) -> frozenset[int]:
    return frozenset(tone % 12 for tone in CHORD_TONES[quality])


def _chord_at(state: State, rules: Rules) -> tuple[int, str] | None:
    """The chord under the note that is being written; None when nobody says which."""
    harmony = [(pos, root, QUALITIES[quality]) for pos, root, quality in state.harmony]
    given = [(chord.pos, chord.root, chord.quality) for chord in rules.given_chords.get(current(state, rules), ())]
    sounding = [(root, quality) for pos, root, quality in harmony or given if pos <= state.pos]
    if sounding:
        return sounding[-1]
    return None if state.last_chord is None else (state.last_chord[0], QUALITIES[state.last_chord[1]])


def _liking(manner: Manner, gauge: Gauge, state: State, rules: Rules, mode: str) -> NDArray[np.float64]:
    """(vocabulary,): what the manner adds to each place, pitch or length of the next note."""
    liked = np.zeros(len(FIELDS))
    match state.expects:
        case "onset":
            owed = _owed(manner.places, gauge.places)
            liked[POS0 : POS0 + len(POSITIONS)] = owed[_PLACE_OF]
        case "dur":
            liked[DUR0 : DUR0 + len(DURATIONS)] = _owed(manner.durations, gauge.durations)
        case _:
            chord = _chord_at(state, rules)
            owed = liked[PITCH0 : PITCH0 + HIGHEST + 1 - LOWEST]
            if chord is not None:
                owed += _TONE_PULL * _owed(manner.tones, gauge.tones)[_tones_of_pitches(chord, mode)]
            if state.last_pitch is not None:
                owed += _owed(manner.moves, gauge.moves)[_moves_to_pitches(state.last_pitch)]
    return manner.firmness * liked


@cache
def _tones_of_pitches(chord: tuple[int, str], mode: str) -> NDArray[np.intp]:
    return np.array([tone_of(pitch, chord, mode) for pitch in range(LOWEST, HIGHEST + 1)])


@cache
def _moves_to_pitches(last: int) -> NDArray[np.intp]:
    return np.array([move_of(pitch - last) for pitch in range(LOWEST, HIGHEST + 1)])


def _owed(shares: tuple[float, ...], counts: tuple[int, ...]) -> NDArray[np.float64]:
    """Nats by which each sort of note is behind (or ahead of) its share of those written; none before the first."""
    wanted, got = np.array(shares), np.array(counts)
    had = (got + _PATIENCE * wanted) / (got.sum() + _PATIENCE)
    owed = np.clip(np.log((wanted + _FLOOR) / (had + _FLOOR)), -_MOST_OWED, _MOST_OWED)
    return np.asarray(_MANNER_PULL * owed)


@cache
def _avoided_pitches(chord: tuple[int, str]) -> NDArray[np.float64]:
    """(vocabulary,): 1 at the pitches that a chord does not bear."""
    return np.array([float(name == "pitch" and _avoided(int(value), chord)) for name, value in FIELDS])


def _held_if_settled(state: State, rules: Rules) -> float:
    """The quarters of `_HOLDING` that the next pitch lasts where the rhythm is given."""
    length = dict(fixed_rhythm(state, rules) or ()).get(state.pos)
    return 0.0 if length is None else float(_HOLDING[DUR0 + DURATIONS.index(nearest_duration(length))])


def _avoided(pitch: int, chord: tuple[int, str]) -> bool:
    return (pitch - chord[0]) % 12 in avoid_tones(chord[1])


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
    started = gauge.notes_of_bar - (state.expects == "onset")  # without the note that is about to be chosen
    recent = density * (gauge.recent_quarters + now) - gauge.recent_notes - started
    overall = density * (gauge.quarters + now) - gauge.notes - started
    pull = _NOTE_PULL * float(np.clip(recent, -_MOST_NOTES, _MOST_NOTES))
    pull += _SLOW_PULL * float(np.clip(overall, -_MOST_OVERALL, _MOST_OVERALL))
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
