"""The bounds of what is read from a file, and the little that files leave open."""

from __future__ import annotations

import re
from collections.abc import Sequence

from generator.errors import NotationError
from generator.score import AT_REST, Control, Meter

MAX_NOTES = 100_000
MAX_CONTROLS = 200_000
MAX_BARS = 2_000
_TEMPOS = (5.0, 1000.0)
_UNITS = (1, 2, 4, 8, 16, 32)


def check_meter(beats: int, unit: int, source: str) -> Meter:
    if unit not in _UNITS or not 1 <= beats <= 32:
        raise NotationError(f"{source} is in {beats}/{unit}, a metre that cannot be played here.")
    return Meter(beats, unit)


def check_tempo(bpm: float, source: str) -> float:
    """Rounded to a hundredth of a beat per minute."""
    low, high = _TEMPOS
    if not low <= bpm <= high:
        raise NotationError(f"{source} asks for {bpm:.4g} beats per minute; {low:g} to {high:g} can be played.")
    return round(bpm, 2)


def check_bars(bars: int, source: str) -> None:
    if bars > MAX_BARS:
        raise NotationError(f"{source} is {bars} bars long; at most {MAX_BARS} can be read.")


def plain_title(text: str) -> str:
    """On one line, without what no page can show."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()[:200]


def plain_controls(controls: Sequence[Control]) -> tuple[Control, ...]:
    """Moves in order of time, the last one of a moment, without those that move nothing."""
    last = {(control.tick, control.kind): control for control in sorted(controls, key=lambda control: control.tick)}
    stands = dict(AT_REST)
    kept = []
    for control in last.values():
        if stands[control.kind] != control.value:
            stands[control.kind] = control.value
            kept.append(control)
    return tuple(sorted(kept, key=lambda control: (control.tick, control.kind)))
