"""Sample from the model: K takes in one batch, each with its own random stream, under the grammar.

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
from generator.model.grammar import State
from generator.model.rules import Rules
from generator.model.transformer import Cache, Composer
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
    """Prune takes every `every_bars` bars: `score` is given all rows so far, higher is better."""

    score: Callable[[Sequence[Sequence[int]]], Sequence[float]]
    every_bars: int = 4


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads before it writes: the controls, and the given bars from GIVEN to WRITE, if any."""

    controls: tokens.Controls
    given: tuple[int, ...] = ()

    def ids(self) -> list[int]:
        return [*self.controls.prefix(), *self.given]

    def free_ids(self) -> list[int]:
        return [*self.controls.free().prefix(), *self.given]


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
    prompt: Prompt,
    rules: Sequence[Rules],
    seeds: Sequence[int],
    boldness: Boldness = Boldness(),
    *,
    aims: Sequence[steering.Aim] = (),
    search: Search | None = None,
    on_bar: Callable[[int], None] = lambda _bar: None,
) -> list[list[int]]:
    """Write one sequence for each seed under its own rules (takes may hold different things fixed).

    Args:
        aims: what each take keeps to; none for what the model likes.
        on_bar: called with the number of bars that every take has finished, to show progress.

    Returns:
        Token ids from BOS to EOS for each take, in the order of `seeds`; with a search, the survivors' in its place.

    Raises:
        ValueError: the bars do not fit the model's context, or rules, aims and seeds differ in number.
    """
    if len(rules) != len(seeds) or len(aims) not in {0, len(seeds)}:
        raise ValueError("every take needs its rules and its aim")
    nothing: list[steering.Aim | None] = [None] * len(seeds)
    takes = [
        _Take(prompt.ids(), grammar.start(), own, stream(seed, "sample"), aim)
        for own, seed, aim in zip(rules, seeds, aims or nothing, strict=True)
    ]
    reader = _Reader(model, prompt, len(takes), boldness.guidance)
    logits = reader.begin()
    finished = pruned = 0
    while any(take.state.expects != "done" for take in takes):
        waiting = [search is not None and _waits(take, pruned, search.every_bars) for take in takes]
        if search is not None and all(waiting):
            kept = _prune(takes, search, seeds)
            reader.keep(kept)
            logits, pruned, waiting = logits[kept], takes[0].state.done, [False] * len(takes)
        chosen = [
            tokens.PAD if waits else _step(take, row, boldness)
            for take, row, waits in zip(takes, logits, waiting, strict=True)
        ]
        slowest = min(take.state.done for take in takes)
        if slowest > finished:
            finished = slowest
            on_bar(finished)
        fresh = reader.read(chosen, waiting)
        logits = np.where(np.array(waiting)[:, None], logits, fresh)
    return [take.row for take in takes]


def _waits(take: _Take, pruned: int, every_bars: int) -> bool:
    """A take that has just passed a pruning point waits there for the others."""
    done = take.state.done
    return take.state.expects == "left" and done > pruned and done % every_bars == 0


def _prune(takes: list[_Take], search: Search, seeds: Sequence[int]) -> list[int]:
    """Let the better half go on in two ways each; returns which take each place now continues."""
    scores = list(search.score([take.row for take in takes]))
    order = sorted(range(len(takes)), key=lambda index: (-scores[index], index))
    survivors = order[: (len(takes) + 1) // 2]
    kept = [survivors[place % len(survivors)] for place in range(len(takes))]
    before = [(list(takes[i].row), takes[i].state, takes[i].rules, takes[i].gauge) for i in kept]
    for take, seed, (row, state, rules, gauge) in zip(takes, seeds, before, strict=True):
        take.row, take.state, take.rules, take.gauge = row, state, rules, gauge
        take.rng = stream(seed, f"sample from bar {state.done}")
    return kept


class _Reader:
    """The model with its cache; with guidance, a second batch that reads the same music without controls."""

    def __init__(self, model: Composer, prompt: Prompt, batch: int, guidance: float) -> None:
        self._model = model
        self._guidance = guidance
        self._prompts = [prompt.ids()] + ([prompt.free_ids()] if guidance != 1.0 else [])
        self._device = next(model.parameters()).device
        self._caches = [Cache(model.config, batch, self._device, torch.float32) for _ in self._prompts]
        self._batch = batch

    def begin(self) -> np.ndarray:
        return self._read([torch.tensor([ids] * self._batch, device=self._device) for ids in self._prompts])

    def read(self, chosen: Sequence[int], waiting: Sequence[bool]) -> np.ndarray:
        """Logits [batch, vocabulary] after one token more for each take; who waits has read nothing."""
        ids = torch.tensor(chosen, device=self._device)[:, None]
        logits = self._read([ids] * len(self._caches))
        if any(waiting):
            back = torch.tensor(waiting, device=self._device).long()
            for cache in self._caches:
                cache.lengths -= back
        return logits

    def _read(self, inputs: Sequence[torch.Tensor]) -> np.ndarray:
        logits = []
        for ids, cache in zip(inputs, self._caches, strict=True):
            if int(cache.lengths.max()) + ids.shape[1] > self._model.config.context:
                raise ValueError(f"the music does not fit {self._model.config.context} tokens")
            logits.append(self._model(ids, cache)[:, -1].cpu().numpy())
        if len(logits) == 1:
            return np.asarray(logits[0])
        asked, free = logits
        return np.asarray(free + self._guidance * (asked - free))

    def keep(self, places: Sequence[int]) -> None:
        """Continue each place from another take's past."""
        index = torch.tensor(places, device=self._device)
        for cache in self._caches:
            cache.keys, cache.values = cache.keys[:, index], cache.values[:, index]
            cache.lengths = cache.lengths[index]


def _step(take: _Take, logits: np.ndarray, boldness: Boldness) -> int:
    """Choose one token and move on; finished takes idle on PAD."""
    if take.state.expects == "done":
        return tokens.PAD
    mask = grammar.allowed(take.state, take.rules)
    if take.aim is not None:
        logits = steering.lean(logits, take.state, take.rules, take.gauge, take.aim)
    token = choose(logits, mask, boldness, take.rng)
    if take.aim is not None:
        take.gauge = steering.count(take.gauge, take.state, token, take.rules, take.aim)
    take.state = grammar.advance(take.state, token, take.rules)
    take.row.append(token)
    return token


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
