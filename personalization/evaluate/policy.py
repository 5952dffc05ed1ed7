"""What another way of choosing would have earned, estimated from the log of the choices that were made.

* SNIPS, self-normalised inverse propensity (Swaminathan & Joachims 2015): stars weighted by how much likelier the other
  way makes each choice; weights are cut at 10.
* DR, doubly robust (Dudík, Langford & Li 2011): a model's guess, corrected by what it got wrong where we know better.

Both are silent below an effective sample size of 50 (Kish: (Σw)² / Σw²): then a few choices would speak for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from personalization.basis import Array
from personalization.choice import SOFTNESS
from personalization.features import SIZE
from personalization.population import PopulationModel
from personalization.propose import prior

CUT = 10.0
LEAST_SAMPLE = 50.0


@dataclass(frozen=True, slots=True)
class Logged:
    """One choice: features of what could have been chosen (k, d), how probably each (k,), which was, and its stars."""

    features: Array
    shares: Array
    taken: int
    stars: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Stars a piece: as served, and as the other way would have served (± standard error); `sample` is effective."""

    served: float
    snips: float
    doubly_robust: float
    error: float
    sample: float
    choices: int


Policy = Callable[[Array], Array]
"""From features (k, d) of candidates to the probability of choosing each (k,)."""


def estimate(log: Sequence[Logged], policy: Policy, model: PopulationModel) -> Estimate | None:
    """What `policy` would have earned, `model` guessing stars for DR; None where the log says too little."""
    if not log:
        return None
    weights, stars = np.zeros(len(log)), np.array([choice.stars for choice in log], dtype=np.float64)
    guessed, expected = np.zeros(len(log)), np.zeros(len(log))
    for index, choice in enumerate(log):
        wanted = policy(choice.features)
        weights[index] = min(CUT, float(wanted[choice.taken] / choice.shares[choice.taken]))
        guesses = np.clip(model.predict(choice.features), 1.0, 5.0)
        guessed[index], expected[index] = guesses[choice.taken], float(wanted @ guesses)
    if weights.sum() <= 0:
        return None
    sample = float(weights.sum() ** 2 / (weights**2).sum())
    if sample < LEAST_SAMPLE:
        return None
    robust = expected + weights * (stars - guessed)
    return Estimate(
        float(stars.mean()),
        float((weights * stars).sum() / weights.sum()),
        float(robust.mean()),
        float(robust.std(ddof=1) / math.sqrt(len(log))),
        sample,
        len(log),
    )


def soft(model: PopulationModel, softness: float = SOFTNESS) -> Policy:
    """Choose as we do, by what this model expects of everybody."""

    def policy(features: Array) -> Array:
        value = model.predict(features)
        weights = np.exp((value - value.max()) / softness)
        return np.asarray(weights / weights.sum())

    return policy


def logged_choices(rows: Iterable[tuple[Mapping[str, Any] | None, float]]) -> list[Logged]:
    """Proposals as the store keeps them, with stars; those of versions that logged no choice are left out.

    Shares are made to sum to 1 over the candidates that were kept: the choice given that it fell on one of them.
    """
    found = []
    for proposal, stars in rows:
        choice = (proposal or {}).get("choice")
        if choice and len(choice["features"][0]) == SIZE:
            shares = np.maximum(np.asarray(choice["shares"], dtype=np.float64), 1e-6)
            features = np.asarray(choice["features"], dtype=np.float64)
            found.append(Logged(features, shares / shares.sum(), int(choice["taken"]), float(stars)))
    return found


def without_taste(log: Sequence[Logged]) -> Estimate | None:
    """What the built-in taste, the same for everybody, would have earned."""
    return estimate(log, soft(prior()), prior())
