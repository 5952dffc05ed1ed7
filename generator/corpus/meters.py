"""Metres restated in the few that the composer knows, and the stretches of a piece in one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from generator.corpus.music import Music
from generator.score import PPQ, Meter

MIN_BARS = 4
"""A stretch below this teaches nothing."""
MAX_BARS = 4000
"""A longer file is no music; the longest opera act has a quarter of it."""
STRETCH_BARS = 16
"""Every stretch of at least this many bars becomes a piece of its own; else the longest of a file."""

# The same bar written with other note values: (beats, unit) -> metre, and what a written duration is multiplied by.
# Longer measures than the metre hold a whole number of its bars (6/4 is two bars of 3/4).
_SAME = Fraction(1)
_RESTATED: dict[tuple[int, int], tuple[str, Fraction]] = {
    (4, 4): ("4/4", _SAME), (3, 4): ("3/4", _SAME), (2, 4): ("2/4", _SAME), (6, 8): ("6/8", _SAME),
    (3, 8): ("3/8", _SAME), (9, 8): ("9/8", _SAME), (12, 8): ("12/8", _SAME), (5, 4): ("5/4", _SAME),
    (7, 8): ("7/8", _SAME),
    (2, 2): ("4/4", _SAME), (8, 8): ("4/4", _SAME), (8, 4): ("4/4", _SAME), (1, 1): ("4/4", _SAME),
    (1, 4): ("2/4", Fraction(2)), (1, 2): ("2/4", _SAME), (4, 8): ("2/4", _SAME), (2, 8): ("2/4", Fraction(2)),
    (6, 4): ("3/4", _SAME), (9, 4): ("3/4", _SAME), (6, 2): ("3/4", Fraction(1, 2)), (3, 2): ("3/4", Fraction(1, 2)),
    (9, 2): ("3/4", Fraction(1, 2)), (12, 4): ("3/4", _SAME), (3, 1): ("3/4", Fraction(1, 4)),
    (6, 1): ("3/4", Fraction(1, 4)),
    (4, 2): ("4/4", Fraction(1, 2)), (2, 1): ("4/4", Fraction(1, 2)), (4, 1): ("4/4", Fraction(1, 4)),
    (8, 2): ("4/4", Fraction(1, 2)), (16, 4): ("4/4", _SAME), (4, 16): ("2/4", Fraction(2)),
    (8, 16): ("2/4", _SAME),
    (5, 8): ("5/4", Fraction(2)), (5, 2): ("5/4", Fraction(1, 2)), (7, 4): ("7/8", Fraction(1, 2)),
    (10, 8): ("5/4", _SAME),
    (3, 16): ("3/8", Fraction(2)), (6, 16): ("6/8", Fraction(2)), (9, 16): ("9/8", Fraction(2)),
    (12, 16): ("12/8", Fraction(2)), (24, 16): ("12/8", _SAME), (18, 16): ("9/8", _SAME), (18, 8): ("9/8", _SAME),
    (24, 8): ("12/8", _SAME),
}  # fmt: skip


class Stretch(NamedTuple):
    """Ticks `start` to `end` of a file in one metre; `scale` restates its durations."""

    start: int
    end: int
    meter: Meter
    scale: Fraction

    @property
    def bar(self) -> int:
        """Ticks of one written bar of the metre."""
        return int(self.meter.bar_ticks / self.scale)

    @property
    def bars(self) -> float:
        return (self.end - self.start) / self.bar


def restate(beats: int, unit: int) -> tuple[Meter, Fraction] | None:
    """The metre we write this one in and the factor on durations; None when we have none for it."""
    found = _RESTATED.get((beats, unit))
    return None if found is None else (Meter.parse(found[0]), found[1])


def stretches(music: Music) -> list[Stretch]:
    """The stretches of one metre, in order; neighbours that restate alike are one. A metre we do not know ends one."""
    end = music.end
    changes = [change for change in music.meters if change.tick < end]
    found: list[Stretch] = []
    for index, change in enumerate(changes):
        until = changes[index + 1].tick if index + 1 < len(changes) else end
        known = restate(change.beats, change.unit)
        if known is None or until <= change.tick:
            continue
        last = found[-1] if found else None
        if last is not None and last.end == change.tick and (last.meter, last.scale) == known:
            found[-1] = last._replace(end=until)
        else:
            found.append(Stretch(change.tick, until, *known))
    return found


def usable(music: Music) -> list[Stretch]:
    """Every stretch long enough to be a piece; else the longest, when it has MIN_BARS."""
    found = stretches(music)
    long = [stretch for stretch in found if stretch.bars >= STRETCH_BARS]
    if long:
        return long
    best = max(found, key=lambda stretch: stretch.bars, default=None)
    return [best] if best is not None and best.bars > MIN_BARS - 1 else []


def meter_of(lengths: Sequence[int]) -> tuple[int, int]:
    """Beats and unit of the commonest measure (in ticks) that is a metre, for scores that do not write one."""
    for length, _ in Counter(lengths).most_common():
        quarters, rest = divmod(length, PPQ)
        if rest == 0 and quarters > 1 and restate(quarters, 4) is not None:
            return quarters, 4
    return 4, 4


def fill_measures(lengths: list[int], nominal: list[int]) -> tuple[list[int], int]:
    """Place written measures so that bar lines stay regular.

    A short first measure is a pickup and moves right; two short measures that make a whole one stay together
    (a repeat sign within a bar); any other short measure is filled up with silence.

    Args:
        lengths: ticks that each measure holds.
        nominal: ticks that its metre asks for.

    Returns:
        The tick at which each measure starts, and the length of the pickup's silence.
    """
    starts: list[int] = []
    cursor, index, pickup = 0, 0, 0
    while index < len(lengths):
        held, full = lengths[index], nominal[index]
        if index == 0 and 0 < held < full:
            pickup = full - held
            starts.append(pickup)
            cursor = full
        elif held < full and index + 1 < len(lengths) and nominal[index + 1] == full == held + lengths[index + 1]:
            starts += [cursor, cursor + held]
            cursor += full
            index += 1
        else:
            starts.append(cursor)
            cursor += full * max(1, -(-held // full))
        index += 1
    return starts, pickup
