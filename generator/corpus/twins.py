"""Pieces that are the same music in another edition, key or set, and the split that keeps them together.

A fingerprint is the smallest hashes (a bottom-k sketch, Broder 1997) of all windows of the melody as intervals and
durations, so it does not change with the key; where there is no melody, of the chords relative to the key, or of
the drums or the accompaniment. Two pieces are twins when their sketches say that most windows are shared.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from generator.corpus.piece import Piece

SKETCH = 24
"""Hashes kept of a piece; a short piece may have fewer."""
WINDOW = 10
"""Melody notes in a window."""
CHORD_WINDOW = 12
SHARED = 0.5
"""Twins share at least this much of the union of their windows."""
MIN_WINDOWS = 4
_MAX_HOLDERS = 200  # a window that more pieces have is a commonplace (a scale, one repeated note)
VALID_TENTH = 3


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a piece is recognised by: `basis` (melody, chords, drums …) and ascending 64-bit hashes."""

    basis: str
    hashes: tuple[int, ...]


def fingerprint(piece: Piece) -> Fingerprint:
    basis, events, size = _events(piece)
    windows = {_hash(repr(events[i : i + size])) for i in range(max(1, len(events) - size + 1))}
    return Fingerprint(basis, tuple(sorted(windows)[:SKETCH]))


def _events(piece: Piece) -> tuple[str, Sequence[tuple[int, ...]], int]:
    steps = piece.bar_steps
    for part in ("melody", "voices", "accompaniment", "bass"):
        notes = [(i * steps + n.pos, n.pitch) for i, bar in enumerate(piece.bars) for n in getattr(bar, part)]
        if notes:
            notes.sort()
            pairs = pairwise(notes)
            return part, [(b[0] - a[0], b[1] - a[1]) for a, b in pairs] or [(0, 0)], WINDOW
    hits = [(i * steps + h.pos, h.shift_ticks, h.velocity) for i, bar in enumerate(piece.bars) for h in bar.drums]
    if hits:
        return "drums", hits, 10 * WINDOW  # human timing: only the very same take is a twin
    chords = [
        (i * steps + c.pos, (c.root - piece.key.tonic) % 12, _hash(c.quality) & 0xFFFF)
        for i, bar in enumerate(piece.bars)
        for c in bar.chords
    ]
    kept = [chord for i, chord in enumerate(chords) if i == 0 or chord[1:] != chords[i - 1][1:]]
    moves = [(b[0] - a[0], *b[1:]) for a, b in pairwise(kept)]
    # Short progressions are told apart by all they have; charts by windows.
    return "chords", [*kept[:1], *moves], CHORD_WINDOW


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def likeness(one: Fingerprint, other: Fingerprint) -> float:
    """Estimated share of windows in common (Jaccard), 0 … 1."""
    if one.basis != other.basis:
        return 0.0
    a, b = set(one.hashes), set(other.hashes)
    union = sorted(a | b)[:SKETCH]
    return sum(value in a and value in b for value in union) / len(union) if union else 0.0


class Groups:
    """Disjoint sets of numbers 0 … `count` - 1, joined two by two; a set goes by its smallest number."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def of(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._parents[second] = first


def find_twins(prints: Sequence[Fingerprint]) -> list[int]:
    """For each piece the index of the first of its group of twins; a piece without twins stands for itself."""
    groups = Groups(len(prints))
    holders: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, found in enumerate(prints):
        shared = Counter(other for value in found.hashes for other in holders[found.basis, value][:_MAX_HOLDERS])
        for other, count in shared.items():
            few = min(MIN_WINDOWS, len(found.hashes), len(prints[other].hashes))
            if count >= few and likeness(found, prints[other]) >= SHARED:
                groups.join(index, other)
        for value in found.hashes:
            holders[found.basis, value].append(index)
    return [groups.of(index) for index in range(len(prints))]


def split_of(found: Fingerprint) -> str:
    """About a tenth is "valid", by the smallest hash: stable, and the same for twins."""
    smallest = found.hashes[0] if found.hashes else 0
    return "valid" if _hash(f"split {smallest}") % 10 == VALID_TENTH else "train"
