"""What the C library keeps of freed memory: little, so that a worker's memory is that of the music in hand."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's mallopt


@cache
def share() -> None:
    """Let all threads allocate from one heap where the C library can (glibc has one for each, and none gives back what
    another could use). To be called before the first thread is started."""
    option = _function("mallopt")
    if option is not None:
        option(_ARENA_MAX, 1)


def give_back() -> None:
    """Return freed memory to the system where the C library can: stages need it in pieces of other sizes."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
