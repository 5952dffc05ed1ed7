"""Work on several things at a time: torch lets go of Python's lock, so threads of one process share the cores.

It pays for long operations: threads that ask for the lock a hundred thousand times are no faster than one. Every piece
of work stands alone and is computed by one thread, so the result does not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # the command line reaches this module through the papers of a piece, and starts without torch
    import torch

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

MOST = 2
"""A server has other work, and every stem in hand needs memory of its own."""


def each(work: Callable[[_Item], _Made], items: Iterable[_Item], device: torch.device | None = None) -> list[_Made]:
    """`work` on every item, the results in the order of the items; what one of them raises is raised here. Without a
    device it is work that torch has no part in.
    """
    count = _count(device)
    if count == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(count, "hand") as pool:
        return list(pool.map(work, items))


def both(
    first: Callable[[], _Item], second: Callable[[], _Made], device: torch.device
) -> tuple[_Item, _Made]:  # fmt: skip
    """What two works make; what one of them raises is raised here."""
    if _count(device) == 1:
        return first(), second()
    with ThreadPoolExecutor(1, "hand") as pool:
        other = pool.submit(second)
        return first(), other.result()


def _count(device: torch.device | None) -> int:
    return min(MOST, os.cpu_count() or 1) if device is None or device.type == "cpu" else 1
