"""A Witten-Bell n-gram over token ids: what counting alone reaches, beside which a composer has to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of one order: n-grams and their contexts as sorted packed numbers, how often they occur, and how many
    different tokens follow each context."""

    grams: Ids
    gram_counts: Ids
    contexts: Ids
    context_counts: Ids
    followers: Ids


class NGram:
    """Interpolated after Witten and Bell (1991): p(w|h) = (c(hw) + T(h) p(w|h')) / (c(h) + T(h)), where T(h) counts
    the different tokens seen after h and h' is h without its oldest token; the last resort is uniform."""

    def __init__(self, sequences: Sequence[Sequence[int]], vocabulary: int, order: int) -> None:
        if vocabulary**order >= 2**63:
            raise ValueError(f"{order} tokens out of {vocabulary} do not fit 63 bits")
        self.vocabulary, self.order = vocabulary, order
        arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
        self._levels = [self._count(arrays, length) for length in range(1, order + 1)]

    def nats(self, sequence: Sequence[int], first: int) -> NDArray[np.float64]:
        """-log p of the tokens from index `first` on, each after all that came before it (`order` - 1 are seen)."""
        ids = np.asarray(sequence, dtype=np.int64)
        chance = np.full(len(ids), 1.0 / self.vocabulary)
        for length, level in enumerate(self._levels, start=1):
            packed = self._pack(ids, length)
            times = _look_up(level.grams, level.gram_counts, packed)
            context = packed // self.vocabulary
            seen = _look_up(level.contexts, level.context_counts, context)
            kinds = _look_up(level.contexts, level.followers, context)
            lower = chance[length - 1 :]
            mixed = (times + kinds * lower) / np.maximum(seen + kinds, 1)
            chance[length - 1 :] = np.where(seen > 0, mixed, lower)
        nats: NDArray[np.float64] = -np.log(chance[first:])
        return nats

    def _count(self, arrays: Sequence[Ids], length: int) -> _Counts:
        packed = np.concatenate([self._pack(ids, length) for ids in arrays])
        grams, times = np.unique(packed, return_counts=True)
        contexts, place, followers = np.unique(grams // self.vocabulary, return_inverse=True, return_counts=True)
        return _Counts(grams, times, contexts, np.bincount(place, weights=times).astype(np.int64), followers)

    def _pack(self, ids: Ids, length: int) -> Ids:
        """Every run of `length` tokens as one number, the newest token last."""
        count = max(0, len(ids) - length + 1)
        packed = np.zeros(count, dtype=np.int64)
        for shift in range(length):
            packed = packed * self.vocabulary + ids[shift : shift + count]
        return packed


def _look_up(keys: Ids, values: Ids, wanted: Ids) -> Ids:
    """The value of each wanted key, 0 where it is absent."""
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
