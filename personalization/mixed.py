"""A mixed linear model: weights that everybody shares, own weights of each listener, and noise.

Empirical Bayes by expectation maximisation (Laird & Ware 1982): given the variances, the shared weights follow by
generalised least squares and everybody's own weights have a Gaussian posterior; given those, the variances follow in
closed form. The doubt about the shared weights is kept: few listeners know little of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from personalization.basis import Array

PSEUDO_LISTENERS = 5.0  # that speak for the usual variances; few real ones must not overrule them
SHARED_VARIANCE, _PSEUDO_WEIGHTS = 0.01, 5.0
"""Of a shared weight, before the others say how large shared weights are here; and how much that counts."""
_LEAST_NOISE = 0.5
_FLAT = 1e-3  # precision of the constant, which nothing is known of


@dataclass(frozen=True, slots=True)
class Crowd:
    """Listeners who gave equally many ratings: columns (g, n, p) with the ones last, ratings less their mean (g, n)."""

    z: Array
    ratings: Array


@dataclass(frozen=True, slots=True)
class Fit:
    """`shared` weights (p,) with the constant last and their `doubt` (p, p), a covariance; `variances` (p,) of own
    weights; `noise` as a variance."""

    shared: Array
    doubt: Array
    variances: Array
    noise: float

    @property
    def prior(self) -> Array:
        """Covariance (p, p) of the weights of a listener of whom nothing is known, around the shared ones."""
        return np.diag(self.variances) + self.doubt


def crowds(z: Array, ratings: Array, index: np.ndarray, chosen: np.ndarray) -> list[Crowd]:
    """Rows (n, p) of listeners numbered by `index` (n,), those in `chosen` only, as one Crowd for each count."""
    counts = np.bincount(index)
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    found = []
    for count in np.unique(counts[chosen]):
        rows = np.stack([order[starts[i] : starts[i + 1]] for i in chosen if counts[i] == count])
        found.append(Crowd(z[rows], ratings[rows]))
    return found


def fit(groups: Sequence[Crowd], usual: Array, noise: float, *, rounds: int) -> Fit:
    """Expectation maximisation from the usual variances of own weights (p,) and a noise variance."""
    listeners = sum(len(one.z) for one in groups)
    ratings = sum(one.ratings.size for one in groups)
    variances, size = usual, SHARED_VARIANCE
    for _ in range(rounds):
        shared, doubt = _shared(groups, variances, noise, size)
        expected = [_expected(one, shared, variances, noise) for one in groups]
        second = sum((seconds for seconds, _ in expected), np.zeros(len(usual)))
        variances = (second + PSEUDO_LISTENERS * usual) / (listeners + PSEUDO_LISTENERS)
        noise = max(_LEAST_NOISE**2, sum(errors for _, errors in expected) / ratings)
        squares = float((shared[:-1] ** 2 + np.diag(doubt)[:-1]).sum())
        size = (squares + _PSEUDO_WEIGHTS * SHARED_VARIANCE) / (len(usual) - 1 + _PSEUDO_WEIGHTS)
    return Fit(shared, doubt, variances, noise)


def _shared(groups: Sequence[Crowd], variances: Array, noise: float, size: float) -> tuple[Array, Array]:
    """Mean (p,) and covariance (p, p) of the shared weights, own ones integrated out; `size` is their variance."""
    precision = np.diag(np.append(np.full(len(variances) - 1, 1.0 / size), _FLAT))
    right = np.zeros(len(variances))
    for one in groups:
        covariance = (one.z * variances) @ one.z.transpose(0, 2, 1) + noise * np.eye(one.ratings.shape[1])
        solved = np.linalg.solve(covariance, one.z)
        precision += np.einsum("gni,gnj->ij", one.z, solved, optimize=True)
        right += np.einsum("gni,gn->i", solved, one.ratings)
    doubt = np.linalg.inv(precision)
    return doubt @ right, doubt


def _expected(crowd: Crowd, shared: Array, variances: Array, noise: float) -> tuple[Array, float]:
    """The expected squares of own weights (p,) and of errors, each summed over the crowd."""
    residual = crowd.ratings - crowd.z @ shared
    spread = crowd.z * variances  # (g, n, p)
    fitted = spread @ crowd.z.transpose(0, 2, 1)  # (g, n, n)
    covariance = fitted + noise * np.eye(fitted.shape[1])
    inverse = np.linalg.inv(covariance)
    solved = np.einsum("gij,gj->gi", inverse, residual)
    mean = np.einsum("gni,gn->gi", spread, solved)
    gains = inverse @ spread
    squares = (mean**2).sum(axis=0) + len(mean) * variances - (spread * gains).sum(axis=(0, 1))
    # Errors are noise · inverse · residual, and their variances noise - noise² · inverse.
    errors = noise**2 * float((solved**2).sum()) + noise * crowd.ratings.size
    return squares, errors - noise**2 * float(np.einsum("gii->", inverse))


def likelihood(groups: Sequence[Crowd], found: Fit) -> float:
    """Log-likelihood of listeners who were not in the fit, all their ratings together (nats, without constants)."""
    total = 0.0
    for one in groups:
        covariance = _covariance(one, found)
        residual = one.ratings - one.z @ found.shared
        solved = np.linalg.solve(covariance, residual[..., None])[..., 0]
        total -= 0.5 * float(np.linalg.slogdet(covariance)[1].sum() + (residual * solved).sum())
    return total


def left_out(crowd: Crowd, found: Fit) -> Array:
    """Log-likelihood (g,) of each listener's ratings, every rating predicted from all the others of theirs.

    Leave-one-out errors and variances of a Gaussian model: Rasmussen & Williams 2006, eq. 5.10-5.12.
    """
    inverse = np.linalg.inv(_covariance(crowd, found))
    spread = 1.0 / np.einsum("gii->gi", inverse)
    error = np.einsum("gij,gj->gi", inverse, crowd.ratings - crowd.z @ found.shared) * spread
    return np.asarray(-0.5 * (np.log(spread) + error**2 / spread).sum(axis=1))


def _covariance(crowd: Crowd, found: Fit) -> Array:
    noise = found.noise * np.eye(crowd.ratings.shape[1])
    return np.asarray(crowd.z @ found.prior @ crowd.z.transpose(0, 2, 1) + noise)
