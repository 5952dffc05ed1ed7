"""Which notes of a bar hang on one beam: those of a beat, as singers and players expect to read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from generator.notation.page import TICKS, VALUES, Slice
from generator.score import PPQ, Meter

Beams = tuple[str, ...]
"""MusicXML's words for the beams of one note, the longest beam first; empty for a note with a flag or none."""

_COUNTS = {"eighth": 1, "16th": 2, "32nd": 3}


def beams(pieces: Sequence[Slice], bar_start: int, meter: Meter) -> list[Beams]:
    """The beams of every slice of a bar that begins at grid step `bar_start`."""
    group_steps = _group_ticks(meter) // TICKS
    found: list[Beams] = []
    for _, some in groupby(pieces, lambda piece: (_count(piece) > 0, (piece.start - bar_start) // group_steps)):
        found += _joined([_count(piece) for piece in some])
    return found


def _group_ticks(meter: Meter) -> int:
    """A quarter, or three eighths in meters that count in threes."""
    return PPQ * 3 // 2 if meter.beat_unit == 8 and meter.beats % 3 == 0 else PPQ


def _count(piece: Slice) -> int:
    return _COUNTS.get(VALUES[piece.length][0], 0) if piece.sounding else 0


def _joined(counts: Sequence[int]) -> Iterator[Beams]:
    """Notes that stand together, by how many beams each has; a shorter note among longer ones has hooks."""
    for index, count in enumerate(counts):
        before = counts[index - 1] if index else 0
        after = counts[index + 1] if index + 1 < len(counts) else 0
        if len(counts) == 1:
            yield ()
            continue
        yield tuple(_word(number, before, after) for number in range(1, count + 1))


def _word(number: int, before: int, after: int) -> str:
    joins_before, joins_after = before >= number, after >= number
    if joins_before and joins_after:
        return "continue"
    if joins_before:
        return "end"
    if joins_after:
        return "begin"
    return "backward hook" if before else "forward hook"
