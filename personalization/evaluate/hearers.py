"""Simulated listeners of finished pieces: their hidden taste is over what is *measured* on a piece, not what was asked.

Like the listeners of `worlds.py` they share a part of their liking (that a piece answers the mood it was asked for) and
for the rest like styles and a place among the attributes of their own, rate with a bias and noise, and use whole stars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generator.brief import STYLES, Attributes, Mood
from personalization.basis import Array

MIDDLE, REACH = 3.1, 0.75  # stars: of a usual piece, and of one deviation of liking
SHARED = 0.25  # of what liking varies by
PLACES = ("tempo", "density", "acousticness", "complexity", "brightness", "minor")


@dataclass(frozen=True, slots=True)
class Hearer:
    """`styles` (14,) leanings; `place` (6,) in [-1, 1] among PLACES, with `attention` (6,) that sums to 6; `centre` and
    `scale` of all this over usual pieces."""

    styles: Array
    place: Array
    attention: Array
    bias: float
    noise: float
    centre: float = 0.0
    scale: float = 1.0

    def liking(self, piece: Attributes, mood: Mood) -> float:
        """Stars without noise and without the scale's ends."""
        own = (self._own(piece) - self.centre) / self.scale
        answer = 1.0 - 1.25 * (abs(piece.valence - mood.valence) + abs(piece.arousal - mood.arousal))
        return MIDDLE + self.bias + REACH * float(np.sqrt(SHARED) * answer + np.sqrt(1 - SHARED) * own)

    def rate(self, piece: Attributes, mood: Mood, rng: np.random.Generator) -> int:
        """The stars they give, 1 to 5."""
        return int(np.clip(np.round(self.liking(piece, mood) + rng.normal(0, self.noise)), 1, 5))

    def _own(self, piece: Attributes) -> float:
        far = float(((_located(piece) - self.place) ** 2 * self.attention).sum())
        leaning = sum(weight * float(self.styles[STYLES.index(name)]) for name, weight in piece.styles)
        return 0.5 * leaning + 2.5 * float(np.exp(-far / 6))


def draw_hearer(rng: np.random.Generator, usual: Sequence[Attributes]) -> Hearer:
    """Somebody, whose liking varies as much over usual pieces as everybody's does."""
    draft = Hearer(
        styles=rng.normal(size=len(STYLES)),
        place=rng.uniform(-0.8, 0.8, len(PLACES)),
        attention=rng.dirichlet(np.full(len(PLACES), 1.5)) * len(PLACES),
        bias=float(rng.normal(0, 0.3)),
        noise=float(rng.uniform(0.55, 0.85)),
    )
    own = [draft._own(piece) for piece in usual]  # noqa: SLF001 - its own kind
    return Hearer(
        draft.styles, draft.place, draft.attention, draft.bias, draft.noise, float(np.mean(own)), float(np.std(own))
    )  # fmt: skip


def _located(piece: Attributes) -> Array:
    tempo = (piece.tempo_bpm - 95.0) / 45.0
    others = (piece.density, piece.acousticness, piece.complexity, piece.brightness, piece.minor)
    return np.array([tempo, *(2 * value - 1 for value in others)])
