"""Voice leading: choose the notes of every chord so that the voices move little.

All close positions of a chord in its register (with root and fifth doubled while voices are left, never the leading
tone), and their drop-2 forms, are candidates. The sequence of candidates with the smallest sum of costs is found
exactly, by dynamic programming. A candidate costs

* 0.35 for each semitone between its middle and the middle of the register;
* 3 for a minor second between neighbours, 2 for an interval under a fourth below C3 (it growls);
* 1.5 for each voice that it lacks;

and following another one costs

* the semitones that each voice moves (voices paired from the top), beyond a third twice;
* -1 for each tone that is held;
* 1.5 when all voices move in one direction (hidden parallels), 4 for each voice more or less.

Common tones, small steps and no doubled leading tone are the rules of every harmony book (for example Aldwell &
Schachter, Harmony and Voice Leading); Tymoczko 2006 (Science 313) gives the sum of moves as their measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from generator.score import CHORD_TONES, Chord

_PADDING = -1


def voice(chords: Sequence[Chord], low: int, high: int, voices: int, leading: int = -1) -> list[tuple[int, ...]]:
    """One ascending tuple of pitches in [low, high] for each chord, at most `voices` of them.

    `leading` is the pitch class that is never doubled, -1 for none.
    """
    names = [(chord.root, chord.quality) for chord in chords]
    sizes = [_candidates(*name, low, high, voices, leading) for name in names]
    if not names:
        return []
    total = _own_cost(*names[0], low, high, voices, leading)
    origins: list[NDArray[np.intp]] = []
    for before, now in pairwise(names):
        steps = total[:, None] + _moves(before, now, low, high, voices, leading)
        origins.append(steps.argmin(axis=0))
        total = steps.min(axis=0) + _own_cost(*now, low, high, voices, leading)
    choice = int(total.argmin())
    path = [choice]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return [candidates[index] for candidates, index in zip(sizes, reversed(path), strict=True)]


def _chosen_tones(root: int, quality: str, voices: int) -> tuple[int, ...]:
    """The pitch classes to play: the third and the colour first, the fifth and then the root (the bass has it) go."""
    tones = list(CHORD_TONES[quality])
    if len(tones) > voices and 7 in tones:
        tones.remove(7)
    if len(tones) > voices:
        tones.remove(0)
    return tuple((root + tone) % 12 for tone in tones[: max(voices, 2)])


@lru_cache(maxsize=20_000)
def _candidates(root: int, quality: str, low: int, high: int, voices: int, leading: int) -> list[tuple[int, ...]]:
    classes = sorted(set(_chosen_tones(root, quality, voices)))
    doubled = sorted({c for c in (root % 12, (root + 7) % 12) if c in classes and c != leading})
    found: list[tuple[int, ...]] = []
    for start in range(low, high + 1):
        if start % 12 not in classes:
            continue
        pitches = [start]
        while len(pitches) < voices:
            wanted = classes if len(pitches) < len(classes) else doubled
            above = range(pitches[-1] + 1, min(high, pitches[-1] + 12) + 1)
            following = next((pitch for pitch in above if pitch % 12 in wanted), None)
            if following is None:
                break
            pitches.append(following)
        if len(pitches) >= len(classes):
            found.append(tuple(pitches))
        if 3 <= len(pitches) == len(classes) and pitches[-2] - 12 >= low:
            found.append(tuple(sorted([*pitches[:-2], pitches[-2] - 12, pitches[-1]])))
    # A register narrower than the chord: what fits of it, lowest tones first.
    narrow = tuple(p for p in range(low, high + 1) if p % 12 in classes)[:voices]
    return found or [narrow or (low,)]


def _matrix(root: int, quality: str, low: int, high: int, voices: int, leading: int) -> NDArray[np.int64]:
    """Candidates as rows, from the top voice down, padded at the bottom."""
    rows = _candidates(root, quality, low, high, voices, leading)
    return np.array([[*reversed(row), *[_PADDING] * (voices - len(row))] for row in rows], dtype=np.int64)


@lru_cache(maxsize=20_000)
def _own_cost(root: int, quality: str, low: int, high: int, voices: int, leading: int) -> NDArray[np.float64]:
    costs = []
    for pitches in _candidates(root, quality, low, high, voices, leading):
        gaps = [(upper - lower, lower) for lower, upper in pairwise(pitches)]
        growl = sum(3.0 * (gap == 1) + 2.0 * (lower < 48 and gap < 5) for gap, lower in gaps)
        middle = sum(pitches) / len(pitches)
        costs.append(0.35 * abs(middle - (low + high) / 2) + growl + 1.5 * (voices - len(pitches)))
    return np.array(costs)


@lru_cache(maxsize=20_000)
def _moves(
    before: tuple[int, str], now: tuple[int, str], low: int, high: int, voices: int, leading: int
) -> NDArray[np.float64]:
    """The cost of every candidate of `now` after every candidate of `before`."""
    old = _matrix(*before, low, high, voices, leading)[:, None, :]
    new = _matrix(*now, low, high, voices, leading)[None, :, :]
    both = (old != _PADDING) & (new != _PADDING)
    move = np.where(both, new - old, 0)
    cost = np.abs(move).sum(-1) + np.maximum(np.abs(move) - 4, 0).sum(-1)
    cost = cost - ((move == 0) & both).sum(-1)
    together = np.where(both, np.sign(move), 0).sum(-1)
    cost = cost + 1.5 * ((np.abs(together) == both.sum(-1)) & (both.sum(-1) > 1))
    sizes = np.abs((old != _PADDING).sum(-1) - (new != _PADDING).sum(-1))
    result: NDArray[np.float64] = cost + 4.0 * sizes
    return result
