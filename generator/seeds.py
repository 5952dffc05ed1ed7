"""Named random streams: one seed for a piece, an independent generator for every purpose."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Give the stream `name` of `seed`; adding a stream never disturbs the others."""
    return np.random.default_rng([seed & 0xFFFFFFFF, seed >> 32, crc32(name.encode())])
