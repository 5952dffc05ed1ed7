"""Memory that the C library keeps for later, given back between the stages of a piece."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return freed memory to the system where the C library can (glibc keeps that of each thread apart): stages need
    it in pieces of other sizes."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
