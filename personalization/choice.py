"""A soft choice among candidates, with its probability: first of a style, then of a piece in it.

Softness is what makes a log of choices worth something later: where one candidate is always taken, nothing can be said
about the others (Swaminathan & Joachims 2015; `evaluate/policy.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from generator.brief import Brief
from personalization.basis import Array

BEST = 16
SOFTNESS = 0.05  # in stars: differences between pieces of a style below it hardly matter
STYLE_SOFTNESS = 0.055  # the same between styles
FLOOR_STYLES, FLOOR_AFTER = 3, 8
"""Whoever was served fewer styles than this in at least so many of their last pieces is served another."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and among what: `options` are positions of candidates, `shares` their probabilities (they sum
    to 1), `pick` the position of the one chosen."""

    brief: Brief
    pick: int
    options: tuple[int, ...]
    shares: tuple[float, ...]

    @property
    def probability(self) -> float:
        return self.shares[self.options.index(self.pick)]


def choose(
    drawn: Sequence[Brief], value: Array, rng: np.random.Generator, *, avoid: frozenset[str], novelty: float = 0.0
) -> Choice:
    """Choose by expected stars (n,), not among styles to avoid unless there are no others.

    Novelty (0 to 1) makes the choice among styles up to four times as soft. The chosen Brief is moved half-way towards
    its good neighbours.
    """
    styles = np.array([brief.style for brief in drawn])
    allowed = [name for name in dict.fromkeys(styles.tolist()) if name not in avoid] or list(dict.fromkeys(styles))
    tops = [
        np.flatnonzero(styles == name)[np.argsort(-value[styles == name], kind="stable")][:BEST] for name in allowed
    ]
    of_style = _soft(np.array([value[top[0]] for top in tops]), STYLE_SOFTNESS * (1 + 3 * novelty))
    within = [_soft(value[top], SOFTNESS) for top in tops]
    style = int(rng.choice(len(allowed), p=of_style))
    pick = int(rng.choice(tops[style], p=within[style]))
    chosen = _toward_neighbours(drawn[pick], [drawn[int(i)] for i in tops[style]], within[style])
    shares = np.concatenate([share * inner for share, inner in zip(of_style, within, strict=True)])
    options = np.concatenate(tops)
    likely = np.argsort(-shares, kind="stable")
    return Choice(
        chosen, pick, tuple(int(options[i]) for i in likely), tuple(float(shares[i]) for i in likely)
    )  # fmt: skip


def overheard(recent: Sequence[str]) -> frozenset[str]:
    """Styles of the last pieces, newest first, that a listener has had enough of: all, when they are too few."""
    found = frozenset(recent)
    return found if len(recent) >= FLOOR_AFTER and len(found) < FLOOR_STYLES else frozenset()


def _soft(value: Array, softness: float) -> Array:
    weights = np.exp((value - value.max()) / softness)
    return np.asarray(weights / weights.sum())


def _toward_neighbours(chosen: Brief, good: Sequence[Brief], weights: Array) -> Brief:
    """Half-way to the weighted mean of the good candidates of the same style and mode."""
    mode = chosen.key.split()[1]
    alike = [
        (brief, float(weight)) for brief, weight in zip(good, weights, strict=True) if brief.key.split()[1] == mode
    ]
    total = sum(weight for _, weight in alike)

    def half_way(name: str, digits: int) -> float:
        mean = sum(weight * float(getattr(brief, name)) for brief, weight in alike) / total
        return round(0.5 * float(getattr(chosen, name)) + 0.5 * mean, digits)

    return replace(
        chosen,
        tempo_bpm=half_way("tempo_bpm", 1),
        density=half_way("density", 4),
        complexity=half_way("complexity", 4),
        brightness=half_way("brightness", 4),
        acousticness=half_way("acousticness", 4),
    )
