"""A Score as it stands on paper: on the grid of sixteenths and triplets, one voice of chords for each part.

Swing and microtiming are the player's, not the page's. A part's overlapping notes are cut at every change and tied.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter

from generator.corpus.piece import GRID
from generator.score import PPQ, Note, Part, Score

TICKS = PPQ // GRID
"""Ticks of one grid step."""
_PLACES = (0, 3, 4, 6, 8, 9, 12)
_NEAREST = [min(_PLACES, key=lambda place: abs(place - rest)) for rest in range(GRID)]
VALUES = {
    48: ("whole", 0, False), 36: ("half", 1, False), 24: ("half", 0, False), 18: ("quarter", 1, False),
    12: ("quarter", 0, False), 9: ("eighth", 1, False), 8: ("quarter", 0, True), 6: ("eighth", 0, False),
    4: ("eighth", 0, True), 3: ("16th", 0, False), 2: ("16th", 0, True), 1: ("32nd", 0, True),
}  # fmt: skip
"""Written lengths in grid steps: type, dots, triplet."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch in grid steps in which the same notes sound; `tied` are pitches that began before it."""

    start: int
    end: int
    sounding: dict[int, Note]
    tied: frozenset[int]

    @property
    def length(self) -> int:
        return self.end - self.start


def is_percussion(part: Part) -> bool:
    return part.role in {"drums", "texture"}


def written(score: Score) -> Score:
    """The score as a page keeps it: snapped to the grid, without microtiming, slides and moves of
    controllers, a pitch sounding once at a time.

    A chord's syllable stands on its top note.
    """
    parts = tuple(replace(part, notes=_written_notes(part, score), controls=()) for part in score.parts)
    tempos = {change.tick // TICKS * TICKS: change for change in score.tempos if change.tick < score.end_tick}
    chords = {chord.onset // TICKS * TICKS: chord for chord in score.chords}
    starts = sorted(chords)
    placed = tuple(
        replace(chord, onset=onset, duration=min(max(onset + TICKS, _down(chord.end)), following) - onset)
        for onset, following in zip(starts, [*starts[1:], score.end_tick], strict=False)
        for chord in (chords[onset],)
    )
    changes = tuple(replace(tempos[tick], tick=tick) for tick in sorted(tempos))
    return replace(score, parts=parts, tempos=changes, chords=placed)


def _down(tick: int) -> int:
    return tick // TICKS * TICKS


def _written_notes(part: Part, score: Score) -> tuple[Note, ...]:
    bar, end = score.meter.bar_ticks // TICKS, score.bars * score.meter.bar_ticks // TICKS
    by_pitch: dict[int, dict[int, tuple[int, Note]]] = {}
    for note in part.notes:
        begin = snap(note.onset, bar)
        if begin < end:
            stop = min(end, max(snap(note.end, bar), _least_end(begin, bar)))
            by_pitch.setdefault(note.pitch, {})[begin] = (stop, note)
    notes = []
    for begun in by_pitch.values():
        onsets = sorted(begun)
        for onset, following in zip(onsets, [*onsets[1:], end], strict=True):
            stop, note = begun[onset]
            length = min(stop, following) - onset
            notes.append(Note(onset * TICKS, length * TICKS, note.pitch, note.velocity, lyric=note.lyric))
    return _syllables_on_top(sorted(notes, key=attrgetter("onset", "pitch")))


def snap(tick: int, bar: int) -> int:
    """The nearest place in the bar; beats are counted from each bar line."""
    measure, place = divmod(round(tick / TICKS), bar)
    beat, rest = divmod(place, GRID)
    return measure * bar + min(bar, beat * GRID + _NEAREST[rest])


def _least_end(begin: int, bar: int) -> int:
    """The next place that is at least two steps away."""
    rest = begin % bar % GRID
    return begin - rest + next(place for place in (*_PLACES, 2 * GRID) if place >= rest + 2)


def _syllables_on_top(notes: list[Note]) -> tuple[Note, ...]:
    lyric: dict[int, str] = {}
    top: dict[int, int] = {}
    for note in notes:
        lyric[note.onset] = lyric.get(note.onset) or note.lyric
        top[note.onset] = note.pitch
    placed = []
    for note in notes:
        words = lyric[note.onset] if note.pitch == top[note.onset] else ""
        placed.append(note if note.lyric == words else replace(note, lyric=words))
    return tuple(placed)


def slices(part: Part, steps: int, cuts: Iterable[int] = ()) -> list[Slice]:
    """Cut a written part of `steps` grid steps at every onset and release, and at `cuts`."""
    spans = [(note.onset // TICKS, note.end // TICKS, note) for note in part.notes]
    times = sorted({0, steps, *cuts, *(time for begin, end, _ in spans for time in (begin, end))})
    sounding: list[dict[int, Note]] = [{} for _ in times]
    tied: list[set[int]] = [set() for _ in times]
    for begin, end, note in spans:
        for index in range(bisect.bisect_left(times, begin), bisect.bisect_left(times, end)):
            sounding[index][note.pitch] = note
            if times[index] > begin:
                tied[index].add(note.pitch)
    return [
        Slice(begin, end, sounding[index], frozenset(tied[index])) for index, (begin, end) in enumerate(pairwise(times))
    ]


def bar_slices(whole: list[Slice], bar: int, bar_steps: int) -> list[Slice]:
    """The slices of one bar, split into lengths that can be written; later pieces are tied to the first."""
    start, end = bar * bar_steps, (bar + 1) * bar_steps
    first = max(0, bisect.bisect_right(whole, start, key=lambda s: s.start) - 1)
    found: list[Slice] = []
    for piece in whole[first:]:
        if piece.start >= end:
            break
        at, until = max(piece.start, start), min(piece.end, end)
        tied = piece.tied if at == piece.start else frozenset(piece.sounding)
        while at < until:
            length = _written_length(at - start, until - at)
            found.append(Slice(at, at + length, piece.sounding, tied))
            at += length
            tied = frozenset(piece.sounding)
    return found


def _written_length(place: int, length: int) -> int:
    """The longest writable value from a place in the bar; off the beat it does not cross into the next beat."""
    room = length if place % GRID == 0 else min(length, GRID - place % GRID)
    return next(value for value in VALUES if value <= room)


def goes_on(piece: Slice) -> frozenset[int]:
    """Which of a slice's pitches are tied to what follows it."""
    return frozenset(pitch for pitch, note in piece.sounding.items() if note.end // TICKS > piece.end)
