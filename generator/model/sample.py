"""Sample from the model: K takes in one batch, each with its own random stream, under the grammar.

Where the grammar leaves no choice the model is not asked: it reads such tokens together with the one before them.

Guidance (classifier-free, Ho & Salimans 2022) runs the same music a second time with no controls asked and moves
the logits away from it. A search prunes takes every few bars by a score the caller gives (BebopNet's idea, ISMIR
2020): the better half goes on, each in two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from generator.model import grammar, steering, tokens
from generator.model.decode import Decoder
from generator.model.grammar import State
from generator.model.rules import Rules
from generator.model.transformer import Composer
from generator.seeds import stream


@dataclass(frozen=True, slots=True)
class Boldness:
    """How bold the sampling is.

    `min_p` drops tokens less likely than that share of the best one, `top_p` keeps the likeliest up to that mass,
    `guidance` 1 follows the model, more follows the controls harder.
    """

    temperature: float = 1.0
    min_p: float = 0.04
    top_p: float = 1.0
    guidance: float = 1.0


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


@torch.inference_mode()
def sample(
    model: Composer,
    lines: Sequence[Line],
    boldness: Boldness = Boldness(),
    *,
    search: Search | None = None,
    on_bar: Callable[[int], None] = lambda _bar: None,
) -> list[list[int]]:
    """Write one sequence for each line, all in one batch.

    Args:
        search: rivals may differ in their seeds alone.
        on_bar: called with the number of bars that every line has finished, to show progress.

    Returns:
        Token ids from BOS to EOS for each line, in their order; with a search, the survivors' in its place.

    Raises:
        ValueError: the bars do not fit the model's context.
    """
    takes = [
        _Take(line.prompt.ids(), grammar.start(), line.rules, stream(line.seed, "sample"), line.aim) for line in lines
    ]
    reader = _Reader(model, [line.prompt for line in lines], boldness.guidance)
    logits = reader.begin()
    finished = pruned = 0

    def waits(take: _Take) -> bool:
        """A take that has just passed a pruning point waits there for the others."""
        done = take.state.done
        at_point = search is not None and done > pruned and done % search.every_bars == 0
        return at_point and take.state.expects == "left"

    while True:
        if search is not None and all(waits(take) for take in takes):
            kept = _prune(takes, search, [line.seed for line in lines])
            reader.keep(kept)
            logits, pruned = logits[kept], takes[0].state.done
        fresh = [_write(take, row, boldness, waits) for take, row in zip(takes, logits, strict=True)]
        slowest = min(take.state.done for take in takes)
        if slowest > finished:
            finished = slowest
            on_bar(finished)
        if all(take.state.expects == "done" for take in takes):
            return [take.row for take in takes]
        moved = np.array([bool(row) for row in fresh])[:, None]
        logits = np.where(moved, reader.read(fresh), logits)


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


class _Reader:
    """The model with what it has read of all takes; with guidance, also of the same music without its controls."""

    def __init__(self, model: Composer, prompts: Sequence[Prompt], guidance: float) -> None:
        self._guidance = guidance
        self._prompts = [[prompt.ids() for prompt in prompts]]
        if guidance != 1.0:
            self._prompts.append([prompt.free_ids() for prompt in prompts])
        self._decoders = [Decoder(model, len(prompts)) for _ in self._prompts]

    def begin(self) -> np.ndarray:
        return self._guided([decoder.read(ids) for decoder, ids in zip(self._decoders, self._prompts, strict=True)])

    def read(self, fresh: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits [batch, vocabulary] after what each take has just written; who waits has written nothing."""
        return self._guided([decoder.read(fresh) for decoder in self._decoders])

    def _guided(self, logits: Sequence[np.ndarray]) -> np.ndarray:
        if len(logits) == 1:
            return logits[0]
        asked, free = logits
        return np.asarray(free + self._guidance * (asked - free))

    def keep(self, places: Sequence[int]) -> None:
        """Continue each place from another take's past."""
        for decoder in self._decoders:
            decoder.keep(places)


def _write(take: _Take, logits: np.ndarray, boldness: Boldness, waits: Callable[[_Take], bool]) -> list[int]:
    """Write the token that `logits` decide and those after it that need no decision; nothing who waits or is done."""
    written: list[int] = []
    while take.state.expects != "done" and not waits(take):
        mask = grammar.allowed(take.state, take.rules)
        decided = np.count_nonzero(mask) == 1
        if written and not decided:
            break
        if take.aim is not None and not decided:
            logits = steering.lean(logits, take.state, take.rules, take.gauge, take.aim)
        token = choose(logits, mask, boldness, take.rng)
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
