"""Equal stretches of two rows of melody steps. Knows numbers only.

A step is the interval to the next note and the time until it begins, packed into 15 bits; 0 follows a melody's last
note and equals nothing that is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

SEED = 4
"""Steps of the shortest stretch that is found; so many are one 64-bit number."""
MAX_INTERVAL, MAX_GAP = 60, 255  # told apart, semitones and grid steps


@dataclass(frozen=True, slots=True)
class Runs:
    """Maximal equal stretches: `length` steps from `query` in one row and from `place` in the other."""

    query: Ints
    place: Ints
    length: Ints

    def where(self, chosen: NDArray[Any]) -> Runs:
        return Runs(self.query[chosen], self.place[chosen], self.length[chosen])


def steps_of(intervals: Ints, gaps: Ints) -> Ints:
    return np.where(gaps > 0, (intervals + 64) << 8 | gaps, 0)


def seeds_of(steps: Ints) -> tuple[Ints, Ints]:
    """The packed stretches of `SEED` steps that are worth looking for, sorted, and where each begins."""
    places = np.flatnonzero(_is_seed(steps))
    keys = _pack(steps)[places]
    order = np.argsort(keys, kind="stable")
    return keys[order], places[order]


def find_runs(steps: Ints, row: Ints, seeds: tuple[Ints, Ints], kept: NDArray[np.bool_] | None = None) -> Runs:
    """All maximal equal stretches that contain a seed; `seeds` are those of `row`, `kept` is False where it must not
    be looked at."""
    if not len(steps):
        return Runs(steps, steps, steps)
    keys, places = seeds
    content = np.flatnonzero(_is_seed(steps))
    wanted = _pack(steps)[content]
    first, last = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
    counts = last - first
    query = np.repeat(content, counts)
    offsets = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    place = places[np.repeat(first, counts) + offsets]
    if kept is not None:
        query, place = query[kept[place]], place[kept[place]]
    return _extend(steps, row, query, place)


def _extend(steps: Ints, row: Ints, query: Ints, place: Ints) -> Runs:
    """Grow seeds to both sides as far as they are equal; each stretch once."""
    # One step of padding on every side, which equals nothing.
    own = np.concatenate(([-1], steps, [-1]))
    other = np.concatenate(([-2], row, [-2]))
    # A seed whose left neighbour is a seed of the same stretch adds nothing.
    left_is_seed = np.concatenate(([False], _is_seed(steps)))[query]
    fresh = ~left_is_seed | (own[query] != other[place])
    start, at = query[fresh], place[fresh]
    before = _equal_steps(own, other, start, at, -1)
    after = _equal_steps(own, other, start + SEED + 1, at + SEED + 1, 1)
    stretches = np.stack((start - before, at - before, before + SEED + after))
    return Runs(*np.unique(stretches, axis=1))


def _equal_steps(own: Ints, other: Ints, start: Ints, place: Ints, direction: int) -> Ints:
    """For each pair of places: how many steps are equal from there on, forwards (1) or backwards (-1)."""
    count = np.zeros_like(start)
    active = np.arange(len(start))
    while len(active):
        ahead = direction * count[active]
        active = active[own[start[active] + ahead] == other[place[active] + ahead]]
        count[active] += 1
    return count


def _windows(steps: Ints) -> Ints:
    """(len(steps), SEED): the steps from each one on; beyond the end there are zeros."""
    return np.lib.stride_tricks.sliding_window_view(np.append(steps, np.zeros(SEED - 1, np.int64)), SEED)


def _pack(steps: Ints) -> Ints:
    packed: Ints = (_windows(steps) << np.arange(0, 15 * SEED, 15)).sum(axis=1)
    return packed


def _is_seed(steps: Ints) -> NDArray[np.bool_]:
    """Where a seed may begin: it ends within the melody and is no single step repeated."""
    windows = _windows(steps)
    content: NDArray[np.bool_] = (windows > 0).all(axis=1) & (windows != windows[:, :1]).any(axis=1)
    return content
