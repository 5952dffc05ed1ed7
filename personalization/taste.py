"""One listener's taste: three views of them, weighted by how well each has predicted their ratings so far.

* shared: they like what everybody likes, more or less kindly
* close: everybody's taste plus an own residual, whose prior the population model gives
* own: nothing of what others like applies; only their own ratings count

All three are Bayesian linear models of the columns of `basis.py`. The five levels of a rating count as equal steps: an
ordered probit served listeners no better (62.1 against 62.6 % of the possible gain at ratings 9–12). Before a rating
is learned, each view says how likely it was; recent verdicts count most. A listener who is like the others, or answers
by dice, is served the shared view; one for whom the prior is wrong (another crowd, another world) escapes from it after
a few ratings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from personalization.basis import Array
from personalization.population import PopulationModel

VIEWS = ("shared", "close", "own")
_FIRST_SAY = np.log([0.15, 0.75, 0.10])
_OWN_VARIANCE, _OWN_TOTAL = 0.06, 3.0  # of a weight, of all, where nothing of others is believed
_BIAS_VARIANCE = 0.15
MEMORY = 0.95
SURPRISE = 1.5  # nats that one rating can add to or take from a view
HEARSAY = 1.0
"""Noise from which on something is hearsay (a listen, a statement): it teaches the views, but does not judge them."""
PREFERENCE, PREFERENCE_NOISE = 0.8, 1.0  # stars that one of two pieces is taken to be better by

Statement = tuple[ArrayLike, float, float]
"""Features (d,), a pseudo-rating 1 to 5 and its noise: "I like jazz" is (jazz features, 4.3, 1.0)."""


class Taste:
    """Posterior over one listener. Build with `start`, feed with `update`."""

    def __init__(self, population: PopulationModel) -> None:
        self.population = population
        self.means: Array = np.zeros((len(VIEWS), 0))  # (views, p + 1) of the basis, the bias last
        self.covariances: Array = np.zeros((len(VIEWS), 0, 0))
        self.evidence: Array = np.zeros(len(VIEWS))  # nats for each view, relative to "close"
        self.ratings = 0

    @classmethod
    def start(cls, prior: PopulationModel, statements: Iterable[Statement] = ()) -> Taste:
        """A listener of whom nothing is known yet but what they say of themselves."""
        taste = cls(prior)
        if prior.weights.size:
            taste._begin(prior.basis.features)
        for features, rating, noise in statements:
            taste.update(features, rating, noise)
        return taste

    def _begin(self, features: int) -> None:
        shared = np.append(self.population.sized(features).weights, 0.0)
        size = len(shared) - 1
        alone = np.zeros(size + 1)
        self.means = np.stack([shared, shared, alone])
        alone_spread = np.append(np.full(size, min(_OWN_VARIANCE, _OWN_TOTAL / max(size, 1))), _BIAS_VARIANCE)
        self.covariances = np.stack(
            [np.diag(np.append(np.zeros(size), _BIAS_VARIANCE)), self.population.spread, np.diag(alone_spread)]
        )

    @property
    def say(self) -> Array:
        """How much each of VIEWS is served; sums to 1."""
        logs = _FIRST_SAY + self.evidence
        weights = np.exp(logs - logs.max())
        return np.asarray(weights / weights.sum())

    def update(self, features: ArrayLike, rating: float, noise: float | None = None) -> Taste:
        """Learn from one rating (1 to 5) of features (d,); `noise` is its standard deviation. Returns self.

        Raises:
            ValueError: features of another size than before, or not finite.
        """
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 1:
            raise ValueError("update takes the features of one piece, shape (d,)")
        if not (np.isfinite(x).all() and math.isfinite(rating)):
            raise ValueError("features and rating must be finite")
        if self.means.shape[1] == 0:
            self._begin(len(x))
        z = np.append(self.population.basis.expand(x)[0], 1.0)
        sigma = self.population.noise if noise is None else noise
        likely = self._learn(z, rating - self.population.mean, sigma)
        if sigma < HEARSAY:
            if self.ratings:  # the first one finds the views all but equal
                lead = np.clip(likely - likely[1], -SURPRISE, SURPRISE)
                self.evidence = MEMORY * self.evidence + lead
            self.ratings += 1
        return self

    def compare(self, better: ArrayLike, worse: ArrayLike) -> Taste:
        """Learn that one piece (d,) was preferred to another. Returns self. Raises ValueError as `update`."""
        pair = np.stack([np.asarray(better, dtype=np.float64), np.asarray(worse, dtype=np.float64)])
        if not np.isfinite(pair).all():
            raise ValueError("features must be finite")
        if self.means.shape[1] == 0:
            self._begin(pair.shape[1])
        first, second = self.population.basis.expand(pair)
        self._learn(np.append(first - second, 0.0), PREFERENCE, PREFERENCE_NOISE)
        return self

    def _learn(self, z: Array, value: float, sigma: float) -> Array:
        """Update every view by one observation of z (p + 1,); the log-likelihood each gave to it comes back."""
        likely = np.zeros(len(VIEWS))
        for view in range(len(VIEWS)):
            spread = self.covariances[view] @ z
            variance = float(z @ spread) + sigma**2
            error = value - float(z @ self.means[view])
            likely[view] = -0.5 * (math.log(variance) + error**2 / variance)
            gain = spread / variance
            self.means[view] += gain * error
            self.covariances[view] -= np.outer(gain, spread)
        return likely

    @property
    def served(self) -> Array:
        """The weights (p + 1,) that are served, of the basis, the bias last."""
        return np.asarray(self.say @ self.means)

    def predict(self, features: ArrayLike) -> tuple[Array, Array]:
        """Expected ratings and their standard deviations, (m,) each, of features (m, d)."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        if self.means.shape[1] == 0:
            self._begin(x.shape[1])
        z = np.hstack([self.population.basis.expand(x), np.ones((len(x), 1))])
        each = z @ self.means.T  # (m, views)
        say = self.say
        mean = each @ say
        variance = ((z @ self.covariances) * z).sum(axis=2).T + (each - mean[:, None]) ** 2
        return self.population.mean + mean, np.sqrt(np.maximum(variance @ say, 0.0))

    @property
    def residual(self) -> Array:
        """What this listener adds to everybody's weights, (d,): the slopes, of standardised features."""
        features = self.population.basis.features
        return self._own()[:features] if self.means.shape[1] else np.zeros(features)

    def _own(self) -> Array:
        return np.asarray(self.served[:-1] - self.population.weights)

    def explain(self, features: ArrayLike) -> Array:
        """What each feature (d,) adds to or takes from this listener's rating, beyond what everybody thinks."""
        x = np.asarray(features, dtype=np.float64)
        if self.means.shape[1] == 0:
            return np.zeros(len(x))
        basis = self.population.basis
        return basis.folded(self._own() * basis.expand(x)[0])

    def polynomial(self, size: int) -> tuple[Array, Array, float]:
        """The served prediction of plain features x (d,) as `x @ slopes + x² @ curves + constant`."""
        if self.means.shape[1] == 0:
            self._begin(size)
        served = self.served
        slopes, curves, constant = self.population.basis.polynomial(served[:-1])
        return slopes, curves, self.population.mean + float(served[-1]) + constant

    def to_dict(self) -> dict[str, Any]:
        return {
            "population": self.population.to_dict(), "means": self.means.tolist(),
            "covariances": self.covariances.tolist(), "evidence": self.evidence.tolist(), "ratings": self.ratings,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Taste:
        taste = cls(PopulationModel.from_dict(data["population"]))
        for name in ("means", "covariances", "evidence"):
            setattr(taste, name, np.asarray(data[name], dtype=np.float64))
        taste.ratings = data["ratings"]
        return taste
