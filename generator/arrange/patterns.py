"""The little language of rhythm patterns in style files.

A pattern is a row of strokes, `pos:length` or `pos:length:what`, in sixteenths from the bar line; `|` begins the next
bar of a pattern of several bars. `@0.6-1` in front says for which energies it is meant. A stroke may end in marks:
`!` accent, `~` ghost note, `?7` a chance of seven in ten.

`what` for chords: nothing (the whole chord), digits (its voices from below, `13` the first and third), `T` (all but
the lowest voice), `B` and `F` (root and fifth below the chord, the thumb or left hand), `P` (root, fifth and octave,
a power chord), `u` (an up-stroke).
`what` for basses: R 3 5 6 7 8 (degrees of the chord), L (the fifth below), A (a step towards the next root),
S (a slide down from the octave).

    "0:4:B 4:3:T 8:4:F 12:3:T"          boom-chick
    "@0.7-1 0:2:R! 3:1:R~ 6:2:8 10:2:5 14:2:A?6"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from generator.arrange.meters import COMPOUND, STEPS, beats, sources

DEGREES = ("R", "3", "5", "6", "7", "8", "L", "A", "S")
_STROKE = re.compile(r"(?P<pos>\d+):(?P<length>\d+)(:(?P<what>[1-9]+|[A-Zu]))?(?P<mark>[!~]?)(\?(?P<chance>[1-9]))?")
_ENERGY = re.compile(r"@(?P<low>[01]?\.?\d+)-(?P<high>[01]?\.?\d+)")
_PREFERENCE = 4.0  # how strongly density chooses among patterns
_TASTE = 2.2  # how far players differ in what they like, a standard deviation of logarithms
_MARKS = {"": 0, "!": 14, "~": -26}


@dataclass(frozen=True, slots=True)
class Stroke:
    """`pos` and `length` in sixteenths, `weight` is added to the velocity, `chance` in [0, 1]."""

    pos: int
    length: int
    what: str = ""
    weight: int = 0
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bars of strokes, meant for energies `low` … `high`."""

    bars: tuple[tuple[Stroke, ...], ...]
    low: float = 0.0
    high: float = 1.0


@cache
def parse_pattern(text: str, meter: str) -> Pattern:
    """Raises ValueError with what is wrong and what is allowed."""
    bars: list[list[Stroke]] = [[]]
    low, high = 0.0, 1.0
    for item in text.split():
        if item == "|":
            bars.append([])
        elif (energy := _ENERGY.fullmatch(item)) is not None:
            low, high = float(energy["low"]), float(energy["high"])
        else:
            bars[-1].append(_parse_stroke(item, meter))
    return Pattern(tuple(tuple(bar) for bar in bars), low, high)


def _parse_stroke(item: str, meter: str) -> Stroke:
    match = _STROKE.fullmatch(item)
    if match is None:
        raise ValueError(f"“{item}” is not a stroke; write pos:length or pos:length:what, for example 0:4 or 8:2:R!")
    pos, length = int(match["pos"]), int(match["length"])
    if pos >= STEPS[meter] or length == 0:
        raise ValueError(f"“{item}” does not fit a bar of {meter} ({STEPS[meter]} sixteenths)")
    chance = int(match["chance"]) / 10 if match["chance"] else 1.0
    return Stroke(pos, length, match["what"] or "", _MARKS[match["mark"]], chance)


@cache
def derive(pattern: Pattern, meter: str) -> Pattern:
    """A pattern of 4/4 in another metre, see `meters.sources`."""
    return replace(pattern, bars=tuple(_derive_bar(bar, meter) for bar in pattern.bars))


def _derive_bar(bar: Sequence[Stroke], meter: str) -> tuple[Stroke, ...]:
    """Strokes move with their beat; one that reached the next stroke (or the bar line) still does."""
    steps = STEPS[meter]
    places = sorted({stroke.pos for stroke in bar})
    reaches = dict(zip(places, [*places[1:], 16], strict=True)) if places else {}
    moved = [
        replace(stroke, pos=step)
        for step, source in enumerate(sources(meter)) for stroke in bar if stroke.pos == source
    ]  # fmt: skip
    onsets = sorted({stroke.pos for stroke in moved})
    found = []
    for stroke in moved:
        following = next((pos for pos in onsets if pos > stroke.pos), steps)
        source = sources(meter)[stroke.pos]
        held = source is not None and source + stroke.length >= reaches[source]
        length = following - stroke.pos if held else round(stroke.length * (1.5 if meter in COMPOUND else 1))
        found.append(replace(stroke, length=max(1, min(length, steps - stroke.pos))))
    return tuple(found)


def patterns_in(patterns: dict[str, tuple[str, ...]], meter: str) -> list[Pattern]:
    """A player's patterns in a metre: its own, or those of 4/4 derived."""
    if meter in patterns:
        return [parse_pattern(text, meter) for text in patterns[meter]]
    return [derive(parse_pattern(text, "4/4"), meter) for text in patterns.get("4/4", ())]


def fitting(patterns: Sequence[Pattern], energy: float) -> list[Pattern]:
    """Those meant for an energy; the nearest one when none is."""
    found = [pattern for pattern in patterns if pattern.low <= energy <= pattern.high]
    nearest = sorted(patterns, key=lambda pattern: min(abs(pattern.low - energy), abs(pattern.high - energy)))
    return found or nearest[:1]


def fancies(patterns: Sequence[Pattern], density: float, rng: np.random.Generator) -> dict[Pattern, float]:
    """How much the player of one piece likes each pattern. Players differ, so that pieces do; a `density` above 1
    prefers busy patterns, below 1 sparse ones."""
    if not patterns:
        return {}
    strokes = np.array([sum(map(len, pattern.bars)) / len(pattern.bars) for pattern in patterns])
    busy = density ** (_PREFERENCE * (strokes / max(1.0, strokes.mean()) - 1.0))
    liking = busy * rng.lognormal(0.0, _TASTE, len(patterns))
    return dict(zip(patterns, liking.tolist(), strict=True))


def draw_bars(
    fancied: dict[Pattern, float], energy: float, bars: int, adventure: float, rng: np.random.Generator
) -> list[tuple[Stroke, ...]]:
    """The strokes of every bar of a section: one pattern, and in its odd rounds, with `adventure`, another one."""
    choices = fitting(list(fancied), energy)
    if not choices:
        return [()] * bars
    weights = np.array([fancied[pattern] for pattern in choices])
    share = weights / weights.sum()
    usual = choices[int(rng.choice(len(choices), p=share))]
    found: list[tuple[Stroke, ...]] = []
    while len(found) < bars:
        odd = len(found) % 4 >= 2 and rng.random() < adventure
        found += (choices[int(rng.choice(len(choices), p=share))] if odd else usual).bars
    return [_drawn(bar, rng) for bar in found[:bars]]


def _drawn(bar: Sequence[Stroke], rng: np.random.Generator) -> tuple[Stroke, ...]:
    return tuple(stroke for stroke in bar if stroke.chance == 1.0 or rng.random() < stroke.chance)


def divided(density: float, meter: str, rng: np.random.Generator) -> Callable[[tuple[Stroke, ...]], tuple[Stroke, ...]]:
    """`busier` as one player does it in one piece: the same bar always in the same way, so that a figure stays one."""
    known: dict[tuple[Stroke, ...], tuple[Stroke, ...]] = {}

    def bar_of(strokes: tuple[Stroke, ...]) -> tuple[Stroke, ...]:
        if strokes not in known:
            known[strokes] = busier(strokes, density, meter, rng)
        return known[strokes]

    return bar_of


def busier(bar: Sequence[Stroke], density: float, meter: str, rng: np.random.Generator) -> tuple[Stroke, ...]:
    """More or fewer strokes: `density` below 1 leaves out strokes off the beat, above 1 divides long ones. Where all
    lie off the beat the longest stays: its player would fall silent."""
    if density < 1.0:
        on = beats(meter)
        kept = tuple(stroke for stroke in bar if stroke.pos in on or rng.random() < (1.0 + density) / 2)
        return kept or tuple(sorted(bar, key=lambda stroke: -stroke.length)[:1])
    found: list[Stroke] = []
    for stroke in bar:
        half = stroke.length // 2
        if stroke.length >= 4 and half % 2 == 0 and rng.random() < density - 1.0:
            found += [replace(stroke, length=half), replace(stroke, pos=stroke.pos + half, length=stroke.length - half)]
        else:
            found.append(stroke)
    return tuple(found)
