"""What listeners share, and how far they differ: the prior of every personal taste.

A rating is modelled as `mean + (weights + own) · z + bias + noise`, z being standardised features, `own` and `bias` a
listener's. Shared weights, the variance of each own weight and the noise are fitted together by expectation
maximisation (a mixed linear model; Laird & Ware 1982). Features in which people differ much get a wide prior, so a
listener's first ratings move what tends to be personal and leave alone what everybody agrees on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.float64]

NEUTRAL = 3.3
"""Mean rating before anything is known; people are a little kinder than the middle of the scale."""
WEIGHT_VARIANCE = 0.03
BIAS_VARIANCE = 0.1
RATING_NOISE = 0.7
"""Standard deviation; people give the same piece the same star less than half of the time."""

_ROUNDS = 20  # of expectation maximisation
_PSEUDO_LISTENERS = 5.0  # that speak for the variances above; few real ones must not overrule them
_LEAST_NOISE = 0.5
_GATE_RATINGS, _GATE_NATS = 15, -3.0  # see `_unreliable`


@dataclass(frozen=True, slots=True)
class _Rater:
    """One listener's standardised features with a column of ones (n, d + 1), and ratings minus their mean (n,)."""

    z: Array
    ratings: Array


class PopulationModel:
    """Shared taste for any number of features.

    Attributes (in standardised features): `weights`, `variances` of own weights (d,); `bias_variance`; `noise` as a
    standard deviation; `excluded`: listeners whose ratings told nothing.

    Args:
        strength: ridge penalty on the shared weights.
    """

    def __init__(self, strength: float = 30.0) -> None:
        self.strength = strength
        self.mean = NEUTRAL
        self.weights: Array = np.zeros(0)
        self.variances: Array = np.zeros(0)
        self.bias_variance = BIAS_VARIANCE
        self.noise = RATING_NOISE
        self.centre: Array = np.zeros(0)
        self.scale: Array = np.ones(0)
        self.excluded: tuple[Any, ...] = ()

    @classmethod
    def with_weights(cls, weights: ArrayLike, mean: float = NEUTRAL) -> PopulationModel:
        """A hand-made prior on plain features."""
        model = cls()
        model.mean = mean
        model._set_size(np.asarray(weights, dtype=np.float64))
        return model

    def _set_size(self, weights: Array) -> None:
        self.weights = weights
        self.variances = np.full(len(weights), WEIGHT_VARIANCE)
        self.centre, self.scale = np.zeros(len(weights)), np.ones(len(weights))

    def sized(self, features: int) -> PopulationModel:
        """Itself, with a number of features if it had none: the first who asks gives it."""
        if self.weights.size == 0:
            self._set_size(np.zeros(features))
        return self

    def fit(self, features: ArrayLike, ratings: ArrayLike, listeners: ArrayLike) -> PopulationModel:
        """Fit on features (n, d), ratings (n,) from 1 to 5 and listener labels (n,).

        Listeners who seem to answer by dice are left out and named in `excluded`.

        Raises:
            ValueError: the arrays do not fit together, are empty or hold NaN.
        """
        x, y, who = _checked(features, ratings, listeners)
        names, index = np.unique(who, return_inverse=True)
        self.mean = float(y.mean())
        self.centre, self.scale = x.mean(axis=0), x.std(axis=0)
        self.scale[self.scale < 1e-9] = 1.0
        self.weights = np.zeros(x.shape[1])
        z = np.hstack([self.standardised(x), np.ones((len(x), 1))])
        raters = [_Rater(z[index == i], y[index == i] - self.mean) for i in range(len(names))]
        self._maximise(raters)
        self.excluded = ()
        unreliable = [self._unreliable(rater) for rater in raters]
        if any(unreliable) and not all(unreliable):
            self.excluded = tuple(name.item() for name, bad in zip(names, unreliable, strict=True) if bad)
            self._maximise([rater for rater, bad in zip(raters, unreliable, strict=True) if not bad])
        return self

    def _maximise(self, raters: Sequence[_Rater]) -> None:
        """Expectation maximisation: own weights of everybody, then what they have in common."""
        z = np.concatenate([rater.z for rater in raters])
        y = np.concatenate([rater.ratings for rater in raters])
        size = z.shape[1]
        usual = np.append(np.full(size - 1, WEIGHT_VARIANCE), BIAS_VARIANCE)
        variances, noise = usual, RATING_NOISE**2
        penalty = np.append(np.full(size - 1, self.strength), 1e-6)
        ridge = cho_factor(z.T @ z + np.diag(penalty))
        shared = np.zeros(size)
        own = np.zeros(len(y))  # what the listeners' own weights add to each rating
        for _ in range(_ROUNDS):
            shared = cho_solve(ridge, z.T @ (y - own))
            second, squares, at = np.zeros(size), 0.0, 0
            for rater in raters:
                residual = rater.ratings - rater.z @ shared
                mean, spread, doubt = _posterior(rater.z, residual, variances, noise)
                own[at : at + len(residual)] = rater.z @ mean
                second += mean**2 + spread
                squares += float(((residual - rater.z @ mean) ** 2).sum()) + doubt
                at += len(residual)
            count = len(raters) + _PSEUDO_LISTENERS
            variances = (second + _PSEUDO_LISTENERS * usual) / count
            noise = squares / len(y)
        self.weights = shared[:-1]
        self.mean += float(shared[-1])
        for rater in raters:  # ratings stay relative to the mean
            rater.ratings[:] -= shared[-1]
        self.variances, self.bias_variance = variances[:-1], float(variances[-1])
        self.noise = max(_LEAST_NOISE, float(np.sqrt(noise)))

    def _unreliable(self, rater: _Rater) -> bool:
        """Whether the model, told all other ratings of this listener, predicts each one worse than the plain spread
        of the ratings does: there is nothing in them to learn from."""
        if len(rater.ratings) < _GATE_RATINGS:
            return False
        variances = np.append(self.variances, self.bias_variance)
        covariance = (rater.z * variances) @ rater.z.T + self.noise**2 * np.eye(len(rater.ratings))
        inverse = np.linalg.inv(covariance)
        # Leave-one-out errors and variances of a Gaussian model (Rasmussen & Williams 2006, eq. 5.10-5.12).
        spread = 1.0 / np.diag(inverse)
        error = inverse @ (rater.ratings - rater.z[:, :-1] @ self.weights) * spread
        told = -0.5 * (np.log(spread) + error**2 / spread).sum()
        count, variance = len(rater.ratings), float(rater.ratings.var()) + 0.05
        plain = -0.5 * count * (np.log(variance) + 1.0)
        return bool(told - plain < _GATE_NATS)

    def standardised(self, features: ArrayLike) -> Array:
        """Features (m, d) or (d,) -> z (m, d). Raises ValueError for another number of features."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        if x.shape[1] != len(self.centre):
            raise ValueError(f"this taste knows {len(self.centre)} features, not {x.shape[1]}")
        return (x - self.centre) / self.scale

    def predict(self, features: ArrayLike) -> Array:
        """Expected ratings (m,) of features (m, d), not clipped."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        if self.weights.size == 0:
            return np.full(len(x), self.mean)
        return self.mean + self.standardised(x) @ self.weights

    def to_dict(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("weights", "variances", "centre", "scale")}
        return arrays | {
            "mean": self.mean, "bias_variance": self.bias_variance, "noise": self.noise, "strength": self.strength,
            "excluded": list(self.excluded),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PopulationModel:
        model = cls(data["strength"])
        for name in ("weights", "variances", "centre", "scale"):
            setattr(model, name, np.asarray(data[name], dtype=np.float64))
        model.mean, model.bias_variance, model.noise = data["mean"], data["bias_variance"], data["noise"]
        model.excluded = tuple(data["excluded"])
        return model


def _checked(features: ArrayLike, ratings: ArrayLike, listeners: ArrayLike) -> tuple[Array, Array, NDArray[Any]]:
    x, y = np.asarray(features, dtype=np.float64), np.asarray(ratings, dtype=np.float64)
    who = np.asarray(listeners)
    if x.ndim != 2 or y.shape != (len(x),) or who.shape != (len(x),) or len(x) == 0:
        raise ValueError("features must be (n, d), ratings and listeners (n,), with n > 0")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features and ratings must be finite")
    return x, y, who


def _posterior(z: Array, residual: Array, variances: Array, noise: float) -> tuple[Array, Array, float]:
    """Of one listener's own weights: means and variances (d + 1,), and the summed doubt about the fitted ratings."""
    spread = z * variances  # (n, d + 1)
    factor = cho_factor(spread @ z.T + noise * np.eye(len(z)))
    mean = spread.T @ cho_solve(factor, residual)
    gain = cho_solve(factor, spread)  # (n, d + 1)
    left = variances - (spread * gain).sum(axis=0)
    fitted = spread @ z.T
    doubt = float(np.trace(fitted) - np.trace(fitted @ cho_solve(factor, fitted)))
    return mean, left, doubt
