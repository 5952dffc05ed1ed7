"""What listeners share, and how far they differ: the prior of every personal taste.

A rating is modelled as `mean + (weights + own) · z + bias + noise`, z being standardised features (`basis.py`), `own`
and `bias` a listener's; all is fitted together (`mixed.py`). Features in which people differ much get a wide prior, so
a listener's first ratings move what tends to be personal and leave alone what everybody agrees on. Whether squares of
features are among the columns is decided by how likely listeners are who were left out of the fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personalization.basis import Array, Basis
from personalization.mixed import Crowd, Fit, crowds, fit, left_out, likelihood

NEUTRAL = 3.3
"""Mean rating before anything is known; people are a little kinder than the middle of the scale."""
WEIGHT_VARIANCE = 0.03
OWN_VARIANCE = 0.6
"""Of what all own weights together usually make of a rating, in stars²; many features share it."""
BIAS_VARIANCE = 0.1
RATING_NOISE = 0.7
"""Standard deviation; people give the same piece the same star less than half of the time."""

_ROUNDS, _TRIAL_ROUNDS = 20, 8  # of expectation maximisation
_FOLDS = 4  # of listeners, to choose the columns by
_GATE_RATINGS, _GATE_NATS = 15, -3.0  # see `_reliable`


class PopulationModel:
    """Shared taste for any number of features.

    Attributes: `basis`; of its columns `weights` (p,); `spread` (p + 1, p + 1), the covariance of a new listener's
    weights around them, the bias last; `noise` as a standard deviation; `excluded`: listeners whose ratings told
    nothing.
    """

    def __init__(self) -> None:
        self.mean = NEUTRAL
        self.basis = Basis.plain(0)
        self.weights: Array = np.zeros(0)
        self.spread: Array = np.zeros((0, 0))
        self.noise = RATING_NOISE
        self.excluded: tuple[Any, ...] = ()

    @classmethod
    def with_weights(cls, weights: ArrayLike, mean: float = NEUTRAL, scale: ArrayLike | None = None) -> PopulationModel:
        """A hand-made prior: weights of plain features (d,), which usually vary by `scale` (d,), 1 if left out."""
        model = cls()
        model.mean = mean
        model._set_size(np.asarray(weights, dtype=np.float64), scale)
        return model

    def _set_size(self, weights: Array, scale: ArrayLike | None = None) -> None:
        size = len(weights)
        self.basis = Basis.plain(size, np.ones(size) if scale is None else np.asarray(scale, dtype=np.float64))
        self.weights = weights * self.basis.scale
        self.spread = np.diag(np.append(np.full(size, _usual(size)), BIAS_VARIANCE))

    def sized(self, features: int) -> PopulationModel:
        """Itself, with a number of features if it had none: the first who asks gives it."""
        if self.weights.size == 0:
            self._set_size(np.zeros(features))
        return self

    def fit(
        self,
        features: ArrayLike,
        ratings: ArrayLike,
        listeners: ArrayLike,
        *,
        around: PopulationModel | None = None,
    ) -> PopulationModel:
        """Fit on features (n, d), ratings (n,) from 1 to 5 and listener labels (n,).

        Listeners who seem to answer by dice are left out and named in `excluded`. Few ratings leave the weights near 0
        or, when given, near those of `around`, a hand-made prior.

        Raises:
            ValueError: the arrays do not fit together, are empty or hold NaN.
        """
        x, y, who = _checked(features, ratings, listeners)
        if around is not None:
            y = y - around.predict(x)
        names, index = np.unique(who, return_inverse=True)
        everybody = np.arange(len(names))
        self.mean = float(y.mean())
        self.basis = self._chosen_basis(x, y - self.mean, index, len(names))
        z = _columns(self.basis, x)
        found = self._fitted(crowds(z, y - self.mean, index, everybody), _ROUNDS)
        good = _reliable(z, y - self.mean, index, found)
        self.excluded = ()
        if not good.all() and good.any():
            self.excluded = tuple(name.item() for name in names[~good])
            found = self._fitted(crowds(z, y - self.mean, index, everybody[good]), _ROUNDS)
        self.weights, self.spread = found.shared[:-1], found.prior
        self.mean += float(found.shared[-1])
        self.noise = float(np.sqrt(found.noise))
        if around is not None:
            self._add(around)
        return self

    def _add(self, other: PopulationModel) -> None:
        """Add the prediction of a hand-made prior, which is a plain line."""
        slopes, _, constant = other.basis.polynomial(other.weights)
        self.weights[: len(slopes)] += slopes * self.basis.scale
        self.mean += other.mean + constant + float(slopes @ self.basis.centre)

    def _chosen_basis(self, x: Array, y: Array, index: NDArray[np.int64], listeners: int) -> Basis:
        """With squares where they make listeners likelier who were not in the fit."""
        plain, bent = Basis.of(x, bent=False), Basis.of(x, bent=True)
        if not bent.bent.size or listeners < _FOLDS:
            return plain
        everybody = np.arange(listeners)
        scores = []
        for basis in (plain, bent):
            z = _columns(basis, x)
            score = 0.0
            for fold in range(_FOLDS):
                out = everybody % _FOLDS == fold
                found = self._fitted(crowds(z, y, index, everybody[~out]), _TRIAL_ROUNDS)
                score += likelihood(crowds(z, y, index, everybody[out]), found)
            scores.append(score)
        return bent if scores[1] > scores[0] else plain

    @staticmethod
    def _fitted(groups: list[Crowd], rounds: int) -> Fit:
        size = groups[0].z.shape[2] - 1
        usual = np.append(np.full(size, _usual(size)), BIAS_VARIANCE)
        return fit(groups, usual, RATING_NOISE**2, rounds=rounds)

    def predict(self, features: ArrayLike) -> Array:
        """Expected ratings (m,) of features (m, d), not clipped."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        if self.weights.size == 0:
            return np.full(len(x), self.mean)
        return self.mean + self.basis.expand(x) @ self.weights

    def to_dict(self) -> dict[str, Any]:
        return {
            "basis": self.basis.to_dict(), "weights": self.weights.tolist(), "spread": self.spread.tolist(),
            "mean": self.mean, "noise": self.noise, "excluded": list(self.excluded),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PopulationModel:
        model = cls()
        model.basis = Basis.from_dict(data["basis"])
        model.weights, model.spread = (np.asarray(data[name], np.float64) for name in ("weights", "spread"))
        model.mean, model.noise = data["mean"], data["noise"]
        model.excluded = tuple(data["excluded"])
        return model


def _usual(columns: int) -> float:
    """The variance of an own weight before anything else is known of it."""
    return min(WEIGHT_VARIANCE, OWN_VARIANCE / max(1, columns))


def _columns(basis: Basis, x: Array) -> Array:
    return np.hstack([basis.expand(x), np.ones((len(x), 1))])


def _reliable(z: Array, y: Array, index: NDArray[np.int64], found: Fit) -> NDArray[np.bool_]:
    """Whose ratings tell something: the model, told all other ratings of a listener, predicts each one hardly worse
    than the plain spread of their ratings does. Few ratings get the benefit of the doubt."""
    good = np.ones(int(index.max()) + 1, dtype=bool)
    for listener in np.flatnonzero(np.bincount(index) >= _GATE_RATINGS):
        (alone,) = crowds(z, y, index, np.array([listener]))
        plain = -0.5 * alone.ratings.size * (np.log(alone.ratings.var() + 0.05) + 1.0)
        good[listener] = left_out(alone, found)[0] - plain >= _GATE_NATS
    return good


def _checked(features: ArrayLike, ratings: ArrayLike, listeners: ArrayLike) -> tuple[Array, Array, NDArray[Any]]:
    x, y = np.asarray(features, dtype=np.float64), np.asarray(ratings, dtype=np.float64)
    who = np.asarray(listeners)
    if x.ndim != 2 or y.shape != (len(x),) or who.shape != (len(x),) or len(x) == 0:
        raise ValueError("features must be (n, d), ratings and listeners (n,), with n > 0")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features and ratings must be finite")
    return x, y, who
