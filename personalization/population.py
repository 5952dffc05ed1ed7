"""What listeners share: one ridge regression over everybody's ratings, the prior mean of every personal taste."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import Ridge

Array = NDArray[np.float64]

NEUTRAL = 3.3
"""Mean rating before anything is known; people are a little kinder than the middle of the scale."""
_BIAS_SHRINKAGE = 3.0  # a listener's own mean counts after about three ratings


class PopulationModel:
    """Rating ≈ mean + weights · features. Works for any number of features.

    Args:
        strength: ridge penalty on standardised features.
    """

    def __init__(self, strength: float = 30.0) -> None:
        self.strength = strength
        self.mean = NEUTRAL
        self.weights: Array = np.zeros(0)

    @classmethod
    def with_weights(cls, weights: ArrayLike, mean: float = NEUTRAL) -> PopulationModel:
        """A hand-made prior."""
        model = cls()
        model.weights, model.mean = np.asarray(weights, dtype=np.float64), mean
        return model

    def fit(self, features: ArrayLike, ratings: ArrayLike, listeners: ArrayLike) -> PopulationModel:
        """Fit on features (n, d), ratings (n,) from 1 to 5 and listener labels (n,).

        Each listener's own mean is taken out first (shrunk), so that kind and strict raters teach the same.

        Raises:
            ValueError: the arrays do not fit together, are empty or hold NaN.
        """
        x, y = np.asarray(features, dtype=np.float64), np.asarray(ratings, dtype=np.float64)
        who = np.asarray(listeners)
        if x.ndim != 2 or y.shape != (len(x),) or who.shape != (len(x),) or len(x) == 0:
            raise ValueError("features must be (n, d), ratings and listeners (n,), with n > 0")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError("features and ratings must be finite")
        self.mean = float(y.mean())
        _, index = np.unique(who, return_inverse=True)
        counts = np.bincount(index)
        bias = np.bincount(index, y - self.mean) / (counts + _BIAS_SHRINKAGE)
        centre, scale = x.mean(axis=0), x.std(axis=0)
        scale[scale < 1e-9] = 1.0
        ridge = Ridge(alpha=self.strength).fit((x - centre) / scale, y - self.mean - bias[index])
        self.weights = ridge.coef_ / scale
        self.mean += float(ridge.intercept_ - centre @ self.weights)
        return self

    def predict(self, features: ArrayLike) -> Array:
        """Expected ratings (m,) of features (m, d), not clipped."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        if self.weights.size == 0:
            return np.full(len(x), self.mean)
        return self.mean + x @ self.weights

    def to_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "weights": self.weights.tolist(), "strength": self.strength}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PopulationModel:
        model = cls(data["strength"])
        model.mean, model.weights = data["mean"], np.asarray(data["weights"], dtype=np.float64)
        return model
