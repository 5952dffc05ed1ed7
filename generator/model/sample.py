"""Sample from the model: K takes in one batch, each with its own random stream, under the grammar.

Where the grammar leaves no choice the model is not asked: it reads such tokens together with the one before them. Who
reads is not known here: `desk` lets the model read for all passages that are being written.

Guidance (classifier-free, Ho & Salimans 2022) runs the same music a second time with no controls asked and moves
the logits away from it. A search prunes takes every few bars by a score the caller gives (BebopNet's idea, ISMIR
2020): the better half goes on, each in two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from generator.model import grammar, steering, tokens
from generator.model.grammar import State
from generator.model.rules import Rules
from generator.seeds import stream


@dataclass(frozen=True, slots=True)
class Boldness:
    """How bold the sampling is.

    `min_p` drops tokens less likely than that share of the best one, `top_p` keeps the likeliest up to that mass,
    `guidance` 1 follows the model, more follows the controls harder. `chords` is how chords are drawn where that
    differs; its own guidance does not count.
    """

    temperature: float = 1.0
    min_p: float = 0.04
    top_p: float = 1.0
    guidance: float = 1.0
    chords: Boldness | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Prune takes every `every_bars` bars: `score` is given all rows so far, higher is better.

    Each `rivals` rows after one another compete among themselves; 0 for all with all.
    """

    score: Callable[[Sequence[Sequence[int]]], Sequence[float]]
    every_bars: int = 4
    rivals: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads before it writes: the controls, and the given bars from GIVEN to WRITE, if any."""

    controls: tokens.Controls
    given: tuple[int, ...] = ()

    def ids(self) -> list[int]:
        return [*self.controls.prefix(), *self.given]

    def free_ids(self) -> list[int]:
        return [*self.controls.free().prefix(), *self.given]


@dataclass(frozen=True, slots=True)
class Line:
    """One sequence to write: what is read first, its rules, the seed of its random stream and what it keeps to (None
    for what the model likes)."""

    prompt: Prompt
    rules: Rules
    seed: int
    aim: steering.Aim | None = None


@dataclass(slots=True)
class _Take:
    row: list[int]
    state: State
    rules: Rules
    rng: np.random.Generator
    aim: steering.Aim | None = None
    gauge: steering.Gauge = field(default_factory=steering.Gauge)
    given_up: bool = False

    @property
    def over(self) -> bool:
        return self.given_up or self.state.expects == "done"


@dataclass(frozen=True, slots=True)
class Passage:
    """Sequences to write in one batch.

    Attributes:
        search: rivals may differ in their seeds alone.
        on_bar: called with the number of bars that every line has finished, to show progress.
        worth: whether a line, by its number and its row so far, is worth going on with; asked when one or more of its
            bars are finished and others are not. A line that is not ends there, with an empty row. Not for a search.
    """

    lines: Sequence[Line]
    boldness: Boldness = Boldness()
    search: Search | None = None
    on_bar: Callable[[int], None] = lambda _bar: None
    worth: Callable[[int, Sequence[int]], bool] = lambda _line, _row: True


class Sampler:
    """A passage on its way from BOS to EOS: `unread` is what the model is to read next of every row.

    With guidance the rows stand twice: with their controls, and without.
    """

    def __init__(self, passage: Passage, context: int) -> None:
        """Raises ValueError where the bars cannot fit a context of so many tokens."""
        self._passage = passage
        self._takes = [
            _Take(line.prompt.ids(), grammar.start(), line.rules, stream(line.seed, "sample"), line.aim)
            for line in passage.lines
        ]
        for take in self._takes:
            rules = take.rules
            if len(take.row) + len(rules.order) * (2 + len(rules.parts)) > context:
                raise ValueError(f"{rules.bars} bars do not fit its memory of {context} tokens")
        self.unread: list[list[int]] = [list(take.row) for take in self._takes]
        if self._guided:
            self.unread += [line.prompt.free_ids() for line in passage.lines]
        self._logits: np.ndarray | None = None
        self._finished = self._pruned = 0

    @property
    def rows(self) -> list[list[int]]:
        """Token ids from BOS to EOS for each line, in their order; with a search, the survivors' in its place."""
        return [[] if take.given_up else take.row for take in self._takes]

    @property
    def done(self) -> bool:
        return all(take.over for take in self._takes)

    @property
    def _guided(self) -> bool:
        return self._passage.boldness.guidance != 1.0

    def write(self, logits: np.ndarray) -> list[int] | None:
        """Write on from `logits` [rows of `unread`, vocabulary] of what was unread.

        Returns:
            From which row's past each row goes on, where takes were pruned.
        """
        self._hear(logits)
        kept = self._prune()
        fresh = [self._written(place, row) for place, row in enumerate(self._logits)]  # type: ignore[arg-type]
        self.unread = [*fresh, *fresh] if self._guided else fresh
        slowest = min(take.state.done for take in self._takes)
        if slowest > self._finished:
            self._finished = slowest
            self._passage.on_bar(slowest)
        return kept

    def _written(self, place: int, logits: np.ndarray) -> list[int]:
        """What a take writes next."""
        take = self._takes[place]
        before = take.state.done
        fresh = _write(take, logits, self._passage.boldness, self._waits)
        if take.state.done > before and not take.over:
            take.given_up = not self._passage.worth(place, take.row)
        return [] if take.given_up else fresh

    def _hear(self, logits: np.ndarray) -> None:
        """Keep what those who waited have heard before."""
        moved = np.array([bool(row) for row in self.unread[: len(self._takes)]])[:, None]
        if self._guided:
            asked, free = np.split(logits, 2)
            logits = free + self._passage.boldness.guidance * (asked - free)
        self._logits = logits if self._logits is None else np.where(moved, logits, self._logits)

    def _waits(self, take: _Take) -> bool:
        """A take that has just passed a pruning point waits there for the others."""
        search, done = self._passage.search, take.state.done
        at_point = search is not None and done > self._pruned and done % search.every_bars == 0
        return at_point and take.state.expects == "left"

    def _prune(self) -> list[int] | None:
        search = self._passage.search
        if search is None or not all(self._waits(take) for take in self._takes):
            return None
        kept = _prune(self._takes, search, [line.seed for line in self._passage.lines])
        self._logits, self._pruned = self._logits[kept], self._takes[0].state.done  # type: ignore[index]
        return kept + [len(kept) + place for place in kept] if self._guided else kept


def _prune(takes: list[_Take], search: Search, seeds: Sequence[int]) -> list[int]:
    """Let the better half of all rivals go on in two ways each; returns which take each place now continues."""
    scores = list(search.score([take.row for take in takes]))
    group = search.rivals or len(takes)
    kept: list[int] = []
    for first in range(0, len(takes), group):
        places = range(first, min(first + group, len(takes)))
        order = sorted(places, key=lambda index: (-scores[index], index))
        survivors = order[: (len(places) + 1) // 2]
        kept += [survivors[place % len(survivors)] for place in range(len(places))]
    before = [(list(takes[i].row), takes[i].state, takes[i].rules, takes[i].gauge) for i in kept]
    for take, seed, (row, state, rules, gauge) in zip(takes, seeds, before, strict=True):
        take.row, take.state, take.rules, take.gauge = row, state, rules, gauge
        take.rng = stream(seed, f"sample from bar {state.done}")
    return kept


def _write(take: _Take, logits: np.ndarray, boldness: Boldness, waits: Callable[[_Take], bool]) -> list[int]:
    """Write the token that `logits` decide and those after it that need no decision; nothing who waits or is done."""
    written: list[int] = []
    while not take.over and not waits(take):
        mask = grammar.allowed(take.state, take.rules)
        decided = np.count_nonzero(mask) == 1
        if written and not decided:
            break
        if take.aim is not None and not decided:
            logits = steering.lean(logits, take.state, take.rules, take.gauge, take.aim)
        harmony = grammar.part_of(take.state, take.rules) == "chords"
        token = choose(logits, mask, (harmony and boldness.chords) or boldness, take.rng)
        if take.aim is not None:
            take.gauge = steering.count(take.gauge, take.state, token, take.rules, take.aim)
        take.state = grammar.advance(take.state, token, take.rules)
        take.row.append(token)
        written.append(token)
    return written


def choose(logits: np.ndarray, mask: np.ndarray, boldness: Boldness, rng: np.random.Generator) -> int:
    """Draw from the masked, tempered distribution after min-p and top-p. One draw of `rng` whatever the mask is."""
    draw = rng.random()
    candidates = np.flatnonzero(mask)
    if len(candidates) == 1:
        return int(candidates[0])
    scaled = logits[candidates].astype(np.float64) / boldness.temperature
    weights = np.exp(scaled - scaled.max())
    weights[weights < boldness.min_p] = 0.0
    if boldness.top_p < 1.0:
        order = np.argsort(-weights, kind="stable")
        mass = np.cumsum(weights[order]) / weights.sum()
        weights[order[np.searchsorted(mass, boldness.top_p) + 1 :]] = 0.0
    cumulative = np.cumsum(weights)
    return int(
        candidates[np.searchsorted(cumulative, draw * cumulative[-1], side="right").clip(max=len(candidates) - 1)]
    )
