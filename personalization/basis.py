"""How features look to a taste model: standardised, and bent where listeners have a favourite place rather than a
direction.

A weight on a feature says "the faster the better"; a weight on its square says "about this fast". Squares are taken of
standardised features that have more than two values, and are standardised themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_LEAST_SPREAD = 1e-9  # a feature that never varies is left as it is


@dataclass(frozen=True, slots=True)
class Basis:
    """From features (m, d) to columns (m, d + k): `(x - centre) / scale`, then the squares of `bent` ones.

    `bent` (k,) are column numbers; `bend` (k,) is the spread of their squares.
    """

    centre: Array
    scale: Array
    bent: NDArray[np.int64]
    bend: Array

    @classmethod
    def plain(cls, size: int, scale: Array | None = None) -> Basis:
        """Features as they are, or divided by a scale (d,)."""
        return cls(np.zeros(size), np.ones(size) if scale is None else scale, np.zeros(0, np.int64), np.zeros(0))

    @classmethod
    def of(cls, features: Array, *, bent: bool) -> Basis:
        """Standardising features (n, d), with squares or without."""
        centre, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale < _LEAST_SPREAD, 1.0, scale)
        columns = [j for j in range(features.shape[1]) if bent and len(np.unique(features[:, j])) > 2]
        bend = (((features[:, columns] - centre[columns]) / scale[columns]) ** 2).std(axis=0)
        kept = bend > _LEAST_SPREAD
        return cls(centre, scale, np.asarray(columns, np.int64)[kept], bend[kept])

    @property
    def features(self) -> int:
        return len(self.centre)

    @property
    def size(self) -> int:
        return len(self.centre) + len(self.bent)

    def expand(self, features: ArrayLike) -> Array:
        """(m, d) or (d,) -> (m, d + k). Raises ValueError for another number of features."""
        x = np.atleast_2d(np.asarray(features, dtype=np.float64))
        if x.shape[1] != self.features:
            raise ValueError(f"this taste knows {self.features} features, not {x.shape[1]}")
        z = (x - self.centre) / self.scale
        return np.hstack([z, (z[:, self.bent] ** 2 - 1.0) / self.bend])

    def folded(self, columns: Array) -> Array:
        """Values of columns (d + k,), such as contributions, summed for each feature (d,)."""
        total = columns[: self.features].copy()
        total[self.bent] += columns[self.features :]
        return np.asarray(total)

    def polynomial(self, weights: Array) -> tuple[Array, Array, float]:
        """`expand(x) @ weights` as `x @ slopes + x² @ curves + constant` of plain features."""
        slopes, curves = weights[: self.features] / self.scale, np.zeros(self.features)
        constant = -float(slopes @ self.centre)
        bent = weights[self.features :] / self.bend
        centre, scale = self.centre[self.bent], self.scale[self.bent]
        curves[self.bent] = bent / scale**2
        slopes[self.bent] -= 2 * bent * centre / scale**2
        return slopes, curves, constant + float(bent @ (centre**2 / scale**2 - 1.0))

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name).tolist() for name in ("centre", "scale", "bent", "bend")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Basis:
        floats = {name: np.asarray(data[name], dtype=np.float64) for name in ("centre", "scale", "bend")}
        return cls(bent=np.asarray(data["bent"], dtype=np.int64), **floats)
