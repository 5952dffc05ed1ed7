"""Bent pitch: what bends, vibrato and slides of a part mean for each of its notes.

A note's bend is a curve in cents on a coarse grid from its start. Samplers read their waves along it; synthesised
voices are computed straight and read along it afterwards (`voices`), as a tape whose speed is turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.score import SLIDE_TICKS, Note, Part, Score

STEP = 16
"""Samples between the points of a bend."""
MOST_CENTS = 2400.0
_SMOOTHED = 23  # points, 8 ms: controllers move in steps that would click
_VIBRATO_HZ, _VIBRATO_CENTS = 5.5, 50.0  # at full modulation, the depth of SoundFont's default modulator
_RING_S = 1.0  # a bend goes on moving so long after the note is let go

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """Cents at every `STEP` samples from the start of a note; the last value holds."""

    cents: Curve

    def at(self, count: int) -> Curve:
        """Cents at the first `count` points."""
        return np.pad(self.cents[:count], (0, max(count - len(self.cents), 0)), mode="edge")

    def advance(self, count: int) -> Curve:
        """Samples of straight sound that the bent one has read at its first `count` points."""
        speed = STEP * 2.0 ** (np.clip(self.at(count), -MOST_CENTS, MOST_CENTS) / 1200.0)
        read: Curve = np.cumsum(speed) - speed
        return read

    def straight(self, length: int) -> int:
        """How many samples of straight sound `length` samples of the bent one need."""
        return int(np.ceil(self.advance(-(-length // STEP) + 1)[-1]))


class Bender:
    """The moves of one part's bend and modulation, for any of its notes."""

    def __init__(self, score: Score, part: Part, rate: int) -> None:
        self._score, self._rate = score, rate
        self._bend = self._moves(part, "bend")
        self._modulation = self._moves(part, "modulation")
        self.idle = not (len(self._bend[0]) or len(self._modulation[0]) or any(note.slide for note in part.notes))

    def _moves(self, part: Part, kind: str) -> tuple[Curve, Curve]:
        moves = [control for control in part.controls if control.kind == kind]
        times = [self._score.seconds_at(control.tick) for control in moves]
        return np.array(times, np.float64), np.array([control.value for control in moves], np.float64)

    def of(self, note: Note, start: int, length: int) -> Bend | None:
        """The bend of a note that sounds from sample `start` for `length`; None where it stays straight."""
        if self.idle:
            return None
        count = -(-(length + round(_RING_S * self._rate)) // STEP) + 1
        since: Curve = np.arange(count, dtype=np.float64) * (STEP / self._rate)
        times: Curve = since + start / self._rate
        cents = _smoothed(_at(self._bend, times))
        depth = _smoothed(_at(self._modulation, times)) / 127.0
        cents = cents + _VIBRATO_CENTS * depth * np.sin(2 * np.pi * _VIBRATO_HZ * since)
        if note.slide:
            slide_s = self._score.seconds_at(note.onset + SLIDE_TICKS) - self._score.seconds_at(note.onset)
            cents = cents + 100.0 * note.slide * slide_left(np.clip(since / slide_s, 0.0, 1.0))
        return Bend(cents) if np.abs(cents).max() >= 0.5 else None


def slide_left(gone: Curve) -> Curve:
    """How much of a slide is left, 1 … 0, when these shares of its time are gone: it moves slowly at both ends."""
    left = 1.0 - gone
    return left * left * (3.0 - 2.0 * left)


def _at(moves: tuple[Curve, Curve], times: Curve) -> Curve:
    """The value that stands at each time; 0 before the first move."""
    if not len(moves[0]):
        return np.zeros(len(times))
    place = np.searchsorted(moves[0], times, side="right")
    return np.concatenate([[0.0], moves[1]])[place]


def _smoothed(curve: Curve) -> Curve:
    if not curve.any():
        return curve
    padded = np.pad(curve, _SMOOTHED // 2, mode="edge")
    even: Curve = np.convolve(padded, np.full(_SMOOTHED, 1.0 / _SMOOTHED), mode="valid")
    return even
