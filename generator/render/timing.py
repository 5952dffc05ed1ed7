"""From ticks to samples: a part's notes as events on the sample clock. Knows nothing of sound."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.errors import SoundError
from generator.render.bend import Bend, Bender
from generator.score import PPQ, Part, Score

SAMPLE_RATE = 44100
TAIL_S = 1.25
"""Seconds after the last bar in which releases and the room ring out; fixed, so that a plan knows its length."""
MOST_VOICES = 64
"""Notes of one part that sound at once; what comes on top is left out."""
_SHORTEST_VOICE = SAMPLE_RATE // 20


@dataclass(frozen=True, slots=True)
class Event:
    """One note as played: `start` and `length` in samples; `bend` where its pitch moves."""

    start: int
    length: int
    pitch: int
    velocity: int
    bend: Bend | None = None


def total_samples(score: Score) -> int:
    """Length of every stem of a score: its bars and the tail. A piece that stops a beat or more before its last bar is
    over ends there, so that nobody waits for silence. Raises SoundError for a tempo that is none."""
    if not all(math.isfinite(change.bpm) and change.bpm > 0 for change in score.tempos):
        raise SoundError("The score has a tempo that is no number above 0.")
    last = max((note.end + note.micro for part in score.parts for note in part.notes), default=score.end_tick)
    end = score.end_tick if score.end_tick - last < PPQ else last
    return round((score.seconds_at(end) + TAIL_S) * SAMPLE_RATE)


def events(score: Score, part: Part) -> tuple[Event, ...]:
    """The part's notes in order of time, microtiming applied; nothing starts before 0 or lasts under 10 ms, and no
    more than `MOST_VOICES` sound at once."""
    return _within_voices(_events(score, part))


def left_out(score: Score, part: Part) -> int:
    """How many of the part's notes are not played because too many sound at once."""
    return len(part.notes) - len(events(score, part))


def _within_voices(played: Iterable[Event]) -> tuple[Event, ...]:
    """Events in order of time, without those that begin while all voices sound. However short it is written, a note
    takes its voice for 50 ms: strokes of drums ring longer than they are written."""
    ends: list[int] = []
    kept = []
    for event in played:
        while ends and ends[0] <= event.start:
            heapq.heappop(ends)
        if len(ends) < MOST_VOICES:
            heapq.heappush(ends, event.start + max(event.length, _SHORTEST_VOICE))
            kept.append(event)
    return tuple(kept)


def _events(score: Score, part: Part) -> tuple[Event, ...]:
    if not part.notes:
        return ()
    onsets = np.array([note.onset + note.micro for note in part.notes], dtype=np.float64)
    ends = np.array([note.end + note.micro for note in part.notes], dtype=np.float64)
    starts = np.maximum(_seconds(score, onsets), 0.0)
    lengths = np.maximum(_seconds(score, ends) - starts, 0.01)
    bender = Bender(score, part, SAMPLE_RATE)
    played = []
    for start_s, length_s, note in zip(starts.tolist(), lengths.tolist(), part.notes, strict=True):
        start, length = round(start_s * SAMPLE_RATE), round(length_s * SAMPLE_RATE)
        loudness = min(max(note.velocity, 1), 127)
        played.append(Event(start, length, note.pitch, loudness, bender.of(note, start, length)))
    return tuple(sorted(played, key=lambda event: (event.start, event.pitch)))


def _seconds(score: Score, ticks: NDArray[np.float64]) -> NDArray[np.float64]:
    """`score.seconds_at` for many ticks: straight lines between the tempo changes."""
    last = score.tempos[-1].tick
    knots = [float(change.tick) for change in score.tempos] + [float(max(score.end_tick, last) + 1_000_000)]
    seconds = [score.seconds_at(knot) for knot in knots]
    return np.interp(ticks, knots, seconds)
