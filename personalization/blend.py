"""One piece for several listeners: what each would think of candidates, made into one value, with match percentages.

* mean: the greatest pleasure of all together (Jameson & Smyth 2007, additive utilitarian)
* least misery: as good as it is for whoever likes it least (Masthoff 2004)
* fair mean: the mean less a share of how far the members differ

Members are compared by what a piece is worth beside the other candidates, so that who rates kindly counts no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from personalization.basis import Array
from personalization.request import MOST_MEMBERS, Rule
from personalization.taste import Taste

LEAST_MEMBERS = 2
FAIRNESS = 0.5
"""Of a standard deviation between members, taken off a fair mean."""
_SPREAD = 0.25  # stars: candidates that differ less than this together are all alike to a member


@dataclass(frozen=True, slots=True)
class Blend:
    """What each member thinks of candidates: `each` (members, n) in [0, 1], 1 for their favourite among them."""

    each: Array

    def values(self, rule: Rule) -> Array:
        """The group's value of each candidate (n,), about 0 to 1."""
        if rule == "mean":
            return np.asarray(self.each.mean(axis=0))
        if rule == "least misery":
            return np.asarray(self.each.min(axis=0))
        return np.asarray(self.each.mean(axis=0) - FAIRNESS * self.each.std(axis=0))

    def match(self, candidate: int) -> tuple[int, ...]:
        """How well a candidate suits each member, in whole percent: 100 is the best there was for them."""
        return tuple(round(100 * float(share)) for share in self.each[:, candidate])


def blend(tastes: Sequence[Taste], features: Array) -> Blend:
    """What members think of candidates (n, d). Raises ValueError for fewer than 2 or more than 10 members."""
    if not LEAST_MEMBERS <= len(tastes) <= MOST_MEMBERS:
        raise ValueError(f"A blend is for {LEAST_MEMBERS} to {MOST_MEMBERS} listeners, not {len(tastes)}.")
    stars = np.stack([taste.predict(features)[0] for taste in tastes])
    low, high = stars.min(axis=1, keepdims=True), stars.max(axis=1, keepdims=True)
    # Whoever finds all candidates alike is content with any of them.
    return Blend(1.0 - (high - stars) / np.maximum(high - low, _SPREAD))
