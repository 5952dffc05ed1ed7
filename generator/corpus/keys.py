"""The key of a piece, from its signature and its notes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from generator.brief import Key
from generator.corpus.music import RawNote

# Shares of the pitch classes in pieces of known key (Albrecht & Shanahan 2013), from the tonic up.
_MAJOR = np.array((0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081))
_MINOR = np.array((0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052))
_FINAL = 0.1
"""What the last bass note adds to the correlation of the key it is the tonic of: cadences end on the tonic."""


def find_key(notes: Iterable[RawNote], fifths: int | None = None, mode: str = "") -> Key:
    """The key whose profile correlates best with the durations of the pitch classes.

    With a signature (`fifths`, sharps positive) only its major and relative minor compete, with a mode only that.
    """
    weights = np.zeros(12)
    last: tuple[int, int] | None = None
    for note in notes:
        weights[note.pitch % 12] += note.duration
        if last is None or (note.onset, -note.pitch) > last:
            last = (note.onset, -note.pitch)
    final = -last[1] % 12 if last is not None else -1
    majors = range(12) if fifths is None else [fifths * 7 % 12]
    candidates = [Key(tonic, "major") for tonic in majors] + [Key((tonic + 9) % 12, "minor") for tonic in majors]

    def fit(key: Key) -> float:
        profile = _MAJOR if key.mode == "major" else _MINOR
        return _correlation(np.roll(weights, -key.tonic), profile) + (_FINAL if final == key.tonic else 0.0)

    return max((key for key in candidates if mode in {"", key.mode}), key=fit)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0
