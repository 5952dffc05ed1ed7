"""One listener's taste: the population model plus a small Bayesian linear residual, and a guard between them.

Residual weights have the prior N(0, 0.03) each, the personal bias N(0, 0.1); a rating has noise 0.7 (people give
the same piece the same star less than half of the time). Before every update both models predict the coming
rating; if the personal one has predicted worse so far, its say is reduced, so it cannot serve worse for long.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from personalization.population import Array, PopulationModel

WEIGHT_VARIANCE = 0.03
BIAS_VARIANCE = 0.1
RATING_NOISE = 0.7
MEMORY = 0.9
SURPRISE = 1.5  # nats that one rating can add to or take from the evidence


class Taste:
    """Posterior over one listener's residual. Build with `start`, feed with `update`."""

    def __init__(self, population: PopulationModel) -> None:
        self.population = population
        self.mean: Array = np.zeros(0)  # (d + 1,), the bias last
        self.covariance: Array = np.zeros((0, 0))
        self.evidence = 0.0  # recent log-likelihood of the personal model minus the population's, one step ahead
        self.ratings = 0

    @classmethod
    def start(cls, prior: PopulationModel) -> Taste:
        """A listener of whom nothing is known yet."""
        return cls(prior)

    @property
    def trust(self) -> float:
        """How much of the residual is served: 1 while it predicts at least as well as the population model."""
        return min(1.0, 2.0 / (1.0 + math.exp(min(50.0, -self.evidence))))

    def update(self, features: ArrayLike, rating: float, noise: float | None = None) -> Taste:
        """Learn from one rating (1 to 5) of features (d,); `noise` is its standard deviation. Returns self.

        Raises:
            ValueError: features of another size than before, or not finite.
        """
        x = self._with_bias(np.asarray(features, dtype=np.float64))
        if not (np.isfinite(x).all() and math.isfinite(rating)):
            raise ValueError("features and rating must be finite")
        sigma = RATING_NOISE if noise is None else noise
        residual = rating - float(self.population.predict(x[:-1])[0])
        spread = self.covariance @ x
        variance = float(x @ spread) + sigma**2
        error = residual - float(x @ self.mean)
        if self.ratings:
            prior_variance = float(x[:-1] @ x[:-1]) * WEIGHT_VARIANCE + BIAS_VARIANCE + sigma**2
            lead = _log_normal(error, variance) - _log_normal(residual, prior_variance)
            # Recent ratings count most, and one surprise is not a verdict.
            self.evidence = MEMORY * self.evidence + min(SURPRISE, max(-SURPRISE, lead))
        gain = spread / variance
        self.mean = self.mean + gain * error
        self.covariance = self.covariance - np.outer(gain, spread)
        self.ratings += 1
        return self

    def predict(self, features: ArrayLike) -> tuple[Array, Array]:
        """Expected ratings and their standard deviations, (m,) each, of features (m, d)."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        base = self.population.predict(x)
        full = np.hstack([x, np.ones((len(x), 1))])
        if self.mean.size == 0:
            variance = WEIGHT_VARIANCE * (x**2).sum(axis=1) + BIAS_VARIANCE
            return base, np.sqrt(variance)
        variance = np.einsum("ij,jk,ik->i", full, self.covariance, full)
        return base + self.trust * (full @ self.mean), np.sqrt(np.maximum(variance, 0.0))

    def explain(self, features: ArrayLike) -> Array:
        """What each feature (d,) adds to or takes from this listener's rating, beyond what everybody thinks."""
        x = np.asarray(features, dtype=np.float64)
        return np.zeros(len(x)) if self.mean.size == 0 else self.trust * self.mean[:-1] * x

    def _with_bias(self, x: Array) -> Array:
        if x.ndim != 1:
            raise ValueError("update takes the features of one piece, shape (d,)")
        if self.mean.size == 0:
            self.mean = np.zeros(len(x) + 1)
            self.covariance = np.diag([*np.full(len(x), WEIGHT_VARIANCE), BIAS_VARIANCE])
        if len(x) + 1 != len(self.mean):
            raise ValueError(f"this taste knows {len(self.mean) - 1} features, not {len(x)}")
        return np.append(x, 1.0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "population": self.population.to_dict(), "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(), "evidence": self.evidence, "ratings": self.ratings,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Taste:
        taste = cls(PopulationModel.from_dict(data["population"]))
        taste.mean = np.asarray(data["mean"], dtype=np.float64)
        taste.covariance = np.asarray(data["covariance"], dtype=np.float64)
        taste.evidence, taste.ratings = data["evidence"], data["ratings"]
        return taste


def _log_normal(error: float, variance: float) -> float:
    return -0.5 * (math.log(2 * math.pi * variance) + error**2 / variance)
