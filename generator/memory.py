"""What the C library does with freed memory."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's mallopt
_KEPT = 512 << 20  # bytes of freed memory, at most
_LARGE = 32 << 20  # bytes from which on memory comes from the system, and goes back to it; glibc allows no more


@cache
def share() -> None:
    """Let all threads allocate from one heap where the C library can (glibc has one for each, and none gives back what
    another could use). To be called before the first thread is started."""
    _set(_ARENA_MAX, 1)


@cache
def keep() -> None:
    """Share, and keep what is freed for the next stage and the next piece, where the C library can.

    A piece uses some hundred megabytes several times over. To get them from the system again and again, page by page,
    takes a tenth of its time; to keep them costs an idle worker a hundred megabytes.
    """
    share()
    _set(_MMAP_THRESHOLD, _LARGE)
    _set(_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Return freed memory to the system where the C library can, for who will not need it soon."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _set(option: int, value: int) -> None:
    change = _function("mallopt")
    if change is not None:
        change(option, value)


def _function(name: str) -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
