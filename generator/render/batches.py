"""Notes of similar length are computed together, as many as memory bears."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")


def batches(ordered: Iterable[_Item], length: Callable[[_Item], int], most: int) -> Iterator[list[_Item]]:
    """Items in order of their length, in batches of at most `most` samples in all when each has the length of the last
    and longest one; an item that is longer than that alone.
    """
    batch: list[_Item] = []
    for item in ordered:
        if batch and (len(batch) + 1) * length(item) > most:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
