"""Changes that need no new music: another key, tempo, instrument, length, fewer players.

Pure functions from Score to Score. What is not named in a change is the same object afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from generator.brief import TEMPO_RANGE_BPM, Key
from generator.edit.lead import bars_at
from generator.errors import EditError
from generator.render.instruments import INSTRUMENTS
from generator.score import Chord, Control, Note, Part, Score, Section, TempoChange

MOST_SEMITONES = 24


def transpose(score: Score, semitones: int) -> Score:
    """Move key, chords and pitched notes; a note that would leave its instrument's range moves by octaves back in."""
    if not -MOST_SEMITONES <= semitones <= MOST_SEMITONES:
        raise EditError(f"Music moves by at most {MOST_SEMITONES} semitones up or down, not {semitones}.")
    parts = tuple(part if _unpitched(part) else _moved(part, semitones) if semitones else part for part in score.parts)
    chords = tuple(
        replace(
            chord, root=(chord.root + semitones) % 12,
            bass=None if chord.bass is None else (chord.bass + semitones) % 12,
        )
        for chord in score.chords
    )  # fmt: skip
    return replace(score, key=Key((score.key.tonic + semitones) % 12, score.key.mode), chords=chords, parts=parts)


def _unpitched(part: Part) -> bool:
    return part.role in {"drums", "texture"}


def _moved(part: Part, semitones: int) -> Part:
    instrument = INSTRUMENTS[part.instrument]
    notes = (
        replace(note, pitch=_inside(note.pitch + semitones, instrument.low, instrument.high)) for note in part.notes
    )
    return replace(part, notes=_one_at_a_time(list(notes)))


def _inside(pitch: int, low: int, high: int) -> int:
    while pitch < low:
        pitch += 12
    while pitch > high and pitch - 12 >= low:
        pitch -= 12
    return pitch


def _one_at_a_time(notes: Sequence[Note]) -> tuple[Note, ...]:
    """In order; of two notes of one pitch at one onset the longer stays."""
    found = {(note.onset, note.pitch): note for note in sorted(notes, key=lambda note: note.duration)}
    return tuple(found[place] for place in sorted(found))


def change_tempo(score: Score, bpm: float) -> Score:
    """Play at another tempo; every tempo change keeps its proportion."""
    low, high = TEMPO_RANGE_BPM
    if not low <= bpm <= high:
        raise EditError(f"The tempo must be from {low:g} to {high:g} beats per minute, not {bpm:g}.")
    ratio = bpm / score.tempo_bpm
    return replace(
        score, tempos=tuple(TempoChange(change.tick, round(change.bpm * ratio, 2)) for change in score.tempos)
    )


def find_part(score: Score, name: str) -> Part:
    """A part by name, or the only one of a role. Raises EditError, listing what there is."""
    named = [part for part in score.parts if part.name == name] or [part for part in score.parts if part.role == name]
    if len(named) == 1:
        return named[0]
    there = ", ".join(part.name for part in score.parts)
    if named:
        raise EditError(f"Several parts play {name}: {', '.join(p.name for p in named)}; name one of them.")
    near = get_close_matches(name, [part.name for part in score.parts], n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise EditError(f"There is no part “{name}”; the piece has {there}{hint}")


def mute(score: Score, name: str) -> Score:
    """Leave a part out. Raises EditError when nothing would be heard without it."""
    part = find_part(score, name)
    others = tuple(other for other in score.parts if other is not part)
    if not any(other.notes and other.role != "texture" for other in others):
        raise EditError(f"Nothing would be left to hear without {part.name}; keep at least one part.")
    return replace(score, parts=others)


def change_instrument(score: Score, name: str, instrument: str) -> Score:
    """Give a part to another instrument; the part moves by octaves where the new one cannot reach."""
    part = find_part(score, name)
    if instrument not in INSTRUMENTS:
        near = get_close_matches(instrument, INSTRUMENTS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(INSTRUMENTS)}."
        raise EditError(f"There is no instrument “{instrument}”{hint}")
    entry = INSTRUMENTS[instrument]
    if entry.kit != (part.role == "drums") or (entry.family == "texture") != (part.role == "texture"):
        raise EditError(
            f"{entry.label} cannot play the part {part.name}: drums are for kits, and notes for the others."
        )
    changed = replace(part, instrument=instrument)
    if not _unpitched(part):
        changed = _moved(changed, _octaves(part.notes, entry.low, entry.high))
    return replace(score, parts=tuple(changed if other is part else other for other in score.parts))


def _octaves(notes: Sequence[Note], low: int, high: int) -> int:
    """By how many whole octaves, in semitones, a part moves so that most of it lies in a range."""

    def outside(shift: int) -> int:
        return sum(not low <= note.pitch + shift <= high for note in notes)

    return min((0, 12, -12, 24, -24), key=lambda shift: (outside(shift), abs(shift)))


def shorten(score: Score, bars: int) -> Score:
    """Take `bars` bars out: whole sections where that fits, else bars before the last section."""
    if not 1 <= bars < score.bars:
        raise EditError(f"The piece has {score.bars} bars; from 1 to {score.bars - 1} can be taken out, not {bars}.")
    return cut(score, *_least_missed(score, bars))


def _least_missed(score: Score, bars: int) -> tuple[int, int]:
    """First and last bar (from 1) of the stretch that goes."""
    inner = score.sections[1:-1]
    for end in range(len(inner), 0, -1):
        for begin in range(end - 1, -1, -1):
            if sum(section.bars for section in inner[begin:end]) == bars:
                first = inner[begin].start_bar + 1
                return first, first + bars - 1
    last = (
        score.sections[-1].start_bar if len(score.sections) > 1 and score.sections[-1].start_bar > bars else score.bars
    )
    return last - bars + 1, last


def cut(score: Score, first: int, last: int) -> Score:
    """Take out bars `first` to `last` (from 1) and close the gap; notes that ring into it end there."""
    start, end = bars_at(score, first, last)
    if last - first + 1 == score.bars:
        raise EditError("A piece keeps at least one bar.")
    gap = end - start
    parts = tuple(
        replace(part, notes=_close(part.notes, start, end), controls=_moves_without(part.controls, start, end))
        for part in score.parts
    )
    chords: list[Chord] = []
    for chord in score.chords:
        if chord.onset < start:
            chords.append(chord if chord.end <= start else replace(chord, duration=start - chord.onset))
        elif chord.end > end:
            onset = max(chord.onset, end)
            chords.append(replace(chord, onset=onset - gap, duration=chord.end - onset))
    return replace(
        score, bars=score.bars - (last - first + 1), parts=parts, chords=tuple(chords),
        sections=_sections_without(score.sections, first - 1, last), tempos=_tempos_without(score.tempos, start, end),
    )  # fmt: skip


def _close(notes: Sequence[Note], start: int, end: int) -> tuple[Note, ...]:
    kept = []
    for note in notes:
        if note.onset < start:
            kept.append(note if note.end <= start else replace(note, duration=start - note.onset))
        elif note.onset >= end:
            kept.append(replace(note, onset=note.onset - (end - start)))
    return tuple(kept)


def _closed(tick: int, start: int, end: int) -> int:
    """Where a change stands once the stretch from `start` to `end` is gone: what was in it, at its place."""
    return tick if tick <= start else max(start, tick - (end - start))


def _moves_without(controls: Sequence[Control], start: int, end: int) -> tuple[Control, ...]:
    """Where the gap was, controllers stand as they stood at its end."""
    placed: dict[tuple[int, str], Control] = {}
    for control in controls:
        tick = _closed(control.tick, start, end)
        placed[tick, control.kind] = replace(control, tick=tick)
    return tuple(sorted(placed.values(), key=lambda control: control.tick))


def _sections_without(sections: Sequence[Section], first: int, end: int) -> tuple[Section, ...]:
    """Sections without bars `first` … `end` - 1 (from 0)."""
    left = []
    for section in sections:
        stop = section.start_bar + section.bars
        lost = max(0, min(stop, end) - max(section.start_bar, first))
        before = max(0, min(section.start_bar, end) - first)
        if lost < section.bars:
            left.append(replace(section, start_bar=section.start_bar - before, bars=section.bars - lost))
    return tuple(left)


def _tempos_without(tempos: Sequence[TempoChange], start: int, end: int) -> tuple[TempoChange, ...]:
    placed: dict[int, TempoChange] = {}
    for change in tempos:
        tick = _closed(change.tick, start, end)
        placed[tick] = replace(change, tick=tick)
    return tuple(placed[tick] for tick in sorted(placed))


def open_gap(score: Score, bar: int, bars: int, section: Section) -> Score:
    """Make room for `bars` empty bars before bar `bar` (from 0), as a section of their own."""
    start, gap = bar * score.meter.bar_ticks, bars * score.meter.bar_ticks
    parts = tuple(
        replace(
            part,
            notes=tuple(n if n.onset < start else replace(n, onset=n.onset + gap) for n in part.notes),
            controls=tuple(c if c.tick < start else replace(c, tick=c.tick + gap) for c in part.controls),
        )
        for part in score.parts
    )
    chords: list[Chord] = []
    for chord in score.chords:
        if chord.onset >= start:
            chords.append(replace(chord, onset=chord.onset + gap))
        elif chord.end <= start:
            chords.append(chord)
        else:  # it goes on behind the gap
            chords.append(replace(chord, duration=start - chord.onset))
            chords.append(replace(chord, onset=start + gap, duration=chord.end - start))
    tempos = tuple(t if t.tick < start or t.tick == 0 else replace(t, tick=t.tick + gap) for t in score.tempos)
    before = [s for s in score.sections if s.start_bar < bar]
    after = [replace(s, start_bar=s.start_bar + bars) for s in score.sections if s.start_bar >= bar]
    return replace(
        score,
        bars=score.bars + bars,
        parts=parts,
        chords=tuple(chords),
        tempos=tempos,
        sections=(*before, section, *after),
    )
