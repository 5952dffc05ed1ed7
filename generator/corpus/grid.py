"""From ticks to the grid: the places that the composer's model can say, and what to do with what lies between."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from generator.corpus.music import RawChord, RawNote
from generator.corpus.piece import GRID, GridChord, GridNote
from generator.score import PPQ, Meter

TICKS = PPQ // GRID
"""Ticks of one grid step."""
PLACES = (0, 3, 4, 6, 8, 9)
"""Grid steps within a quarter note: sixteenths and triplet eighths."""

_NEAREST = tuple(min((*PLACES, GRID), key=lambda place: (abs(place * TICKS - tick), place % 3)) for tick in range(PPQ))
_FAST = 2 * TICKS  # chords nearer together than this are too fast
_RIGHT = 15  # ticks that count as right on a place


def snap(tick: int, steps: int) -> int:
    """The nearest place, in grid steps from tick 0, when a bar has `steps`; places count from the bar line."""
    bar, inside = divmod(tick, steps * TICKS)
    beat, rest = divmod(inside, PPQ)
    return bar * steps + min(steps, beat * GRID + _NEAREST[rest])


def beat_steps(meter: Meter) -> int:
    """Grid steps of what is felt as a beat: dotted quarters in compound metres."""
    return GRID * 3 // 2 if meter.beat_unit == 8 and meter.beats % 3 == 0 else GRID


def snap_notes(notes: Sequence[RawNote], steps: int) -> list[RawNote]:
    """Notes of a track on the grid, in grid steps.

    In runs too fast for the grid only what is right on a place stays. Where two onsets still fall on one place the
    nearer stays with all its notes; of equal pitches the longest.
    """
    chords = _chords(notes)
    moments = sorted(set(chords.values()))
    nearest: dict[int, tuple[int, int]] = {}
    for before, moment, after in zip([-PPQ, *moments], moments, [*moments[1:], sys.maxsize], strict=False):
        step = snap(moment, steps)
        distance = abs(moment - step * TICKS)
        if distance <= _RIGHT or min(moment - before, after - moment) >= _FAST:
            nearest[step] = min(nearest.get(step, (PPQ, 0)), (distance, moment))
    chosen: dict[tuple[int, int], RawNote] = {}
    for note in notes:
        step = snap(chords[note.onset], steps)
        if nearest.get(step, (0, -1))[1] != chords[note.onset]:
            continue
        duration = max(3, snap(note.onset + note.duration, steps) - step)
        known = chosen.get((step, note.pitch))
        if known is None or known.duration < duration:
            chosen[step, note.pitch] = RawNote(step, duration, note.pitch, note.velocity)
    return sorted(chosen.values())


def _chords(notes: Iterable[RawNote]) -> dict[int, int]:
    """For each onset that of its chord: what begins within a grid step is struck together."""
    found: dict[int, int] = {}
    start = -TICKS
    for onset in sorted({note.onset for note in notes}):
        start = onset if onset - start >= TICKS else start
        found[onset] = start
    return found


def skyline(notes: Sequence[RawNote]) -> list[RawNote]:
    """One voice out of many: the highest note of each onset that no higher, longer note covers; cut where the next
    begins. `notes` are sorted by onset."""
    tops: list[RawNote] = []
    for note in notes:
        if tops and note.onset == tops[-1].onset:
            if note.pitch > tops[-1].pitch:
                tops[-1] = note
        elif tops and note.pitch < tops[-1].pitch - 7 and note.onset < tops[-1].onset + tops[-1].duration:
            continue  # an inner voice moves under a held note
        else:
            tops.append(note)
    voice = []
    for index, note in enumerate(tops):
        until = tops[index + 1].onset if index + 1 < len(tops) else note.onset + note.duration
        voice.append(note._replace(duration=max(3, min(note.duration, until - note.onset))))
    return voice


def by_bar(notes: Iterable[RawNote], steps: int, count: int) -> list[tuple[GridNote, ...]]:
    """Notes in grid steps, dealt out to `count` bars of `steps`, unisons once."""
    bars: list[dict[tuple[int, int], GridNote]] = [{} for _ in range(count)]
    for note in notes:
        index, pos = divmod(note.onset, steps)
        if 0 <= index < count:
            known = bars[index].get((pos, note.pitch))
            if known is None or known.dur < note.duration:
                bars[index][pos, note.pitch] = GridNote(pos, note.duration, note.pitch)
    return [tuple(bar[key] for key in sorted(bar)) for bar in bars]


def chords_by_bar(chords: Iterable[RawChord], meter: Meter, count: int) -> list[tuple[GridChord, ...]]:
    """One chord at most on each beat, immediate repetitions dropped; the sounding chord is restated at every bar,
    so that a bar can be read alone. `chords` have onsets in ticks."""
    steps, width = meter.bar_ticks // TICKS, beat_steps(meter)
    bars: list[dict[int, GridChord]] = [{} for _ in range(count)]
    for raw in chords:
        index, pos = divmod(snap(raw.onset, steps), steps)
        beat = (pos + width // 2) // width * width
        if beat >= steps:
            index, beat = index + 1, 0
        if 0 <= index < count:
            bars[index].setdefault(beat, GridChord(beat, raw.root, raw.quality))
    result = []
    sounding: GridChord | None = None
    for bar in bars:
        kept: list[GridChord] = []
        if sounding is not None and 0 not in bar:
            bar[0] = GridChord(0, sounding.root, sounding.quality)
        for _, chord in sorted(bar.items()):
            if not kept or (chord.root, chord.quality) != (kept[-1].root, kept[-1].quality):
                kept.append(chord)
        sounding = kept[-1] if kept else sounding
        result.append(tuple(kept))
    return result
