"""The changes of a piece that a chat offers by name, as JSON of `generator.edit.changes.Changes`.

Knows no torch: whether a piece can take a change is found out by the worker that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """`says` is what the new piece is, of “its parent”; `asks` what is done."""

    says: str
    asks: Mapping[str, Any]


CHANGES: Mapping[str, Change] = {
    "subtle": Change("a subtle variation", {"variation": 0.35}),
    "strong": Change("a strong variation", {"variation": 0.85}),
    "longer": Change("a longer version", {"extend": 8}),
    "shorter": Change("a shorter version", {"shorten": 8}),
    "calmer": Change("a calmer version", {"moods": ["calmer"]}),
    "brighter": Change("a brighter version", {"moods": ["brighter"]}),
    "darker": Change("a darker version", {"moods": ["darker"]}),
    "energy": Change("a version with more energy", {"moods": ["more_energetic"]}),
}


def restyled(style: str) -> Change:
    """The same tune and chords in another style."""
    return Change(f"a {style} remix", {"style": style})
