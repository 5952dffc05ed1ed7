"""Score finished takes for one listener, in a process that knows nothing else of them.

The ranker is a plain dictionary that travels with the job: the listener's expected rating is a polynomial of the
features, so its coefficients are all that is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from generator.brief import Attributes, Mood
from personalization.features import SIZE, features
from personalization.taste import Taste


def make_ranker(tastes: Sequence[Taste], mood: Mood) -> dict[str, Any]:
    """JSON values that `load_ranker` turns into a scoring function: what all these listeners expect on average."""
    each = [taste.polynomial(SIZE) for taste in tastes]
    slopes = np.mean([slopes for slopes, _, _ in each], axis=0)
    curves = np.mean([curves for _, curves, _ in each], axis=0)
    constant = float(np.mean([constant for _, _, constant in each]))
    return {
        "weights": [round(float(w), 6) for w in slopes], "curves": [round(float(w), 6) for w in curves],
        "bias": constant, "mood": [mood.valence, mood.arousal],
    }  # fmt: skip


def load_ranker(state: dict[str, Any]) -> Callable[[Sequence[Attributes]], list[float]]:
    """A function from measured attributes of takes to this listener's expected ratings."""
    weights, bias = np.asarray(state["weights"], dtype=np.float64), float(state["bias"])
    curves = np.asarray(state.get("curves", np.zeros(SIZE)), dtype=np.float64)  # jobs of an older version have none
    mood = Mood(*state["mood"])

    def rank(takes: Sequence[Attributes]) -> list[float]:
        seen = np.array([features(take, mood) for take in takes])
        return [float(value) for value in seen @ weights + seen**2 @ curves + bias]

    return rank
