"""Metres: how many sixteenths a bar has, how its beats are grouped, and how a pattern of common time is felt in it.

A style states patterns for the metres it is at home in. For any other metre they are worked out beat by beat: every
beat of the metre plays what one beat of 4/4 plays, chosen so that the backbeat stays a backbeat (3/4 = beats 1 2 4,
5/4 = 3 + 2, 7/8 = 2 + 2 + 3 eighths); compound beats play it as a shuffle.
"""

from __future__ import annotations

from functools import cache

STEPS = {"4/4": 16, "3/4": 12, "2/4": 8, "6/8": 12, "5/4": 20, "7/8": 14, "12/8": 24}
"""Sixteenths in a bar of every metre of a Brief."""

COMPOUND = frozenset({"6/8", "12/8"})

# The beats of every metre: (length in sixteenths, the beat of 4/4 that it plays).
_BEATS: dict[str, tuple[tuple[int, int], ...]] = {
    "4/4": ((4, 0), (4, 1), (4, 2), (4, 3)),
    "3/4": ((4, 0), (4, 1), (4, 3)),
    "2/4": ((4, 0), (4, 1)),
    "6/8": ((6, 0), (6, 1)),
    "5/4": ((4, 0), (4, 1), (4, 3), (4, 2), (4, 3)),
    "7/8": ((4, 0), (4, 1), (6, 2)),
    "12/8": ((6, 0), (6, 1), (6, 2), (6, 3)),
}
_SHUFFLE = (0, None, 1, None, 2, 3)
_LONG = (0, 1, 2, 3, 4, 5)


@cache
def sources(meter: str) -> tuple[int | None, ...]:
    """For every sixteenth of a bar, the sixteenth of 4/4 that it plays, or None."""
    found: list[int | None] = []
    for length, beat in _BEATS[meter]:
        offsets = (_SHUFFLE if meter in COMPOUND else _LONG) if length == 6 else (0, 1, 2, 3)
        found += [None if offset is None else beat * 4 + offset for offset in offsets]
    return tuple(found)


def beats(meter: str) -> tuple[int, ...]:
    """Where the beats begin, in sixteenths: (0, 4, 8) in 3/4, (0, 4, 8) in 7/8, (0, 6) in 6/8."""
    lengths = [length for length, _ in _BEATS[meter]]
    return tuple(sum(lengths[:index]) for index in range(len(lengths)))


def pulse(meter: str) -> tuple[int, ...]:
    """Where a walking bass steps, in sixteenths: on the beats; in compound metres long and short, as a shuffle."""
    if meter in COMPOUND:
        return tuple(step for beat in beats(meter) for step in (beat, beat + 4))
    return tuple(range(0, STEPS[meter], 4))


def derive_row(row: str, meter: str) -> str:
    """A drum row of one or more bars of 4/4 in another metre."""
    bars = [row[start : start + 16] for start in range(0, len(row), 16)]
    return "".join("-" if source is None else bar[source] for bar in bars for source in sources(meter))
