"""Measure written music: harmony of pitch classes, groove, repetition, density. Numbers only, nothing is judged.

Notes are (onset, duration, pitch) triples, onset and duration in grid steps, pitch in MIDI numbers. Where there is
nothing to measure the answer is NaN, as in MusPy, so that means over many pieces can leave it out.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from generator.corpus.piece import GRID, PARTS, Bar
from generator.score import CHORD_TONES

Triple = tuple[int, int, int]

PITCHED = tuple(part for part in PARTS if part not in {"chords", "drums"})
LAGS = (1, 2, 4, 8)
"""Distances in bars at which music likes to come back."""

NEAR = 0.7
"""Dice similarity from which a bar counts as a variation of another: two of three notes, for instance, are kept."""

_SCALES = ({0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 10})  # major and natural minor


def notes_of(bars: Sequence[Bar], bar_steps: int, parts: Iterable[str] = PITCHED) -> list[Triple]:
    """The notes of these parts, from the beginning of the first bar, in order of onset and pitch."""
    names = tuple(parts)
    return sorted(
        (index * bar_steps + note.pos, note.dur, note.pitch)
        for index, bar in enumerate(bars)
        for name in names
        for note in getattr(bar, name)
    )


def pitch_class_entropy(notes: Sequence[Triple]) -> float:
    """Shannon entropy of the pitch classes, each note once; bits, 0 … log2 12 (Wu & Yang 2020; MusPy)."""
    counts = Counter(pitch % 12 for _, _, pitch in notes)
    if not counts:
        return math.nan
    return sum(count / len(notes) * math.log2(len(notes) / count) for count in counts.values())


def scale_consistency(notes: Sequence[Triple]) -> float:
    """Share of the notes inside the major or natural minor scale that holds most; 7/12 … 1 (Mogren 2016; MusPy)."""
    if not notes:
        return math.nan
    classes = Counter(pitch % 12 for _, _, pitch in notes)
    inside = (
        sum(count for pitch, count in classes.items() if (pitch - root) % 12 in scale)
        for scale in _SCALES
        for root in range(12)
    )
    return max(inside) / len(notes)


def groove_consistency(notes: Sequence[Triple], bar_steps: int) -> float:
    """1 - mean share of grid steps at which neighbouring bars differ in having an onset; 0 … 1 (Wu & Yang 2020).

    MusPy's form: a bar begins wherever the last note ends, even if it is empty; NaN for less than two bars.
    """
    if not notes:
        return math.nan
    bars = max(onset + duration for onset, duration, _ in notes) // bar_steps + 1
    if bars < 2:
        return math.nan
    rhythms: list[set[int]] = [set() for _ in range(bars)]
    for onset, _, _ in notes:
        rhythms[onset // bar_steps].add(onset % bar_steps)
    differing = sum(len(one ^ following) for one, following in pairwise(rhythms))
    return 1.0 - differing / (bar_steps * (bars - 1))


@dataclass(frozen=True, slots=True)
class Repetition:
    """How the bars of a piece resemble each other; all shares and similarities 0 … 1.

    Attributes:
        rhythms: share of bars whose rhythm (onsets and durations) an earlier bar had.
        exact: share of bars that an earlier bar had note for note.
        near: share of bars that resemble an earlier bar by `NEAR` or more, at the same pitch or moved as a whole.
        lags: mean similarity of bars that lie 1, 2, 4 and 8 bars apart, at pitch.
    """

    rhythms: float
    exact: float
    near: float
    lags: Mapping[int, float]


def repetition(notes: Sequence[Triple], bar_steps: int) -> Repetition:
    """Shares are of the bars with notes, the first of them left out: it has nothing to repeat."""
    bars = _bars(notes, bar_steps)
    sounding = [bar for bar in bars if bar]
    if len(sounding) < 2:
        return Repetition(math.nan, math.nan, math.nan, dict.fromkeys(LAGS, math.nan))
    rhythms = [frozenset((pos, duration) for pos, duration, _ in bar) for bar in sounding]
    points = [frozenset((pos, pitch) for pos, _, pitch in bar) for bar in sounding]
    later = range(1, len(sounding))
    return Repetition(
        rhythms=_share(rhythms[i] in rhythms[:i] for i in later),
        exact=_share(sounding[i] in sounding[:i] for i in later),
        near=_share(any(_moved_similarity(points[i], old) >= NEAR for old in set(points[:i])) for i in later),
        lags={lag: _lag_similarity(bars, lag) for lag in LAGS},
    )


def compression_ratio(notes: Sequence[Triple]) -> float:
    """Bytes of the notes over bytes of their zlib form: how much of the piece repeats itself; from about 1 up.

    A note is three bytes: steps since the note before, duration, pitch. The idea is text2midi's (AAAI 2025), which
    compresses with another method: compare only within this measure.
    """
    if not notes:
        return math.nan
    onsets = [onset for onset, _, _ in notes]
    since = [0, *(after - before for before, after in pairwise(onsets))]
    plain = bytes(
        value
        for gap, (_, duration, pitch) in zip(since, notes, strict=True)
        for value in (min(gap, 255), min(duration, 255), pitch)
    )
    return len(plain) / len(zlib.compress(plain, 9))


def density(notes: Sequence[Triple], bars: int, bar_steps: int) -> float:
    """Attacks per quarter note; notes that begin together are one."""
    return len({onset for onset, _, _ in notes}) / (bars * bar_steps / GRID) if bars else math.nan


def syncopation(notes: Sequence[Triple]) -> float:
    """Share of the notes that begin off the quarter-note beat and sound through the next one."""
    if not notes:
        return math.nan
    return _share(onset % GRID != 0 and onset % GRID + duration > GRID for onset, duration, _ in notes)


def chord_complexity(bars: Sequence[Bar]) -> float:
    """Mean number of tones that chord symbols add to a triad, over 3; 0 (triads only) … 1 (thirteenths)."""
    qualities = [chord.quality for bar in bars for chord in bar.chords]
    if not qualities:
        return math.nan
    return sum(len(CHORD_TONES[quality]) - 3 for quality in qualities) / (3 * len(qualities))


def _bars(notes: Sequence[Triple], bar_steps: int) -> list[frozenset[Triple]]:
    """The notes of every bar, onsets counted from its barline."""
    count = max((onset // bar_steps + 1 for onset, _, _ in notes), default=0)
    bars: list[set[Triple]] = [set() for _ in range(count)]
    for onset, duration, pitch in notes:
        bars[onset // bar_steps].add((onset % bar_steps, duration, pitch))
    return [frozenset(bar) for bar in bars]


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values)


def _dice(common: int, one: int, other: int) -> float:
    return 2 * common / (one + other)


def _moved_similarity(new: frozenset[tuple[int, int]], old: frozenset[tuple[int, int]]) -> float:
    """Dice similarity of two bars' (position, pitch) points after the transposition that suits best."""
    at: dict[int, list[int]] = {}
    for pos, pitch in old:
        at.setdefault(pos, []).append(pitch)
    moves = Counter(pitch - before for pos, pitch in new for before in at.get(pos, ()))
    return _dice(max(moves.values(), default=0), len(new), len(old))


def _lag_similarity(bars: Sequence[frozenset[Triple]], lag: int) -> float:
    """Mean Dice similarity of (position, pitch) points of bars `lag` apart; pairs without any note are left out."""
    points = [{(pos, pitch) for pos, _, pitch in bar} for bar in bars]
    pairs = [(one, other) for one, other in zip(points, points[lag:], strict=False) if one or other]
    if not pairs:
        return math.nan
    return sum(_dice(len(one & other), len(one), len(other)) for one, other in pairs) / len(pairs)
