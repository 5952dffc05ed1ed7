"""Players of the bass line: patterns of chord degrees, walking bass and pedal points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from generator.arrange.harmony import Outline
from generator.arrange.meters import pulse
from generator.arrange.patterns import Stroke, divided, draw_bars, fancies, patterns_in
from generator.arrange.style import PartStyle
from generator.score import CHORD_TONES, PPQ, Chord, Note, Section

SIXTEENTH = PPQ // 4
ADVENTURE = 0.2
_IN_TWO = 0.8  # density below which a walking bass plays half notes
_ROOT = (Stroke(0, 64, "R"),)


def play_bass(outline: Outline, sections: Sequence[Section], part: PartStyle, rng: np.random.Generator) -> list[Note]:
    """Notes of the bass in its sections; it stays in its register and near where it was."""
    bar_ticks = outline.bar_ticks
    meter = str(outline.plan.meter)
    patterns = patterns_in(part.patterns, meter)
    fancied = fancies(patterns, outline.feeling.density, rng)
    # A bass is never sparser than its pattern: it is the ground; an excited one divides its notes.
    figured = divided(max(1.0, outline.feeling.density), meter, rng)
    adventure = ADVENTURE + 0.5 * outline.novelty
    notes: list[Note] = []
    previous = (part.low + part.high) // 2 - 4
    for section in sections:
        bars = draw_bars(fancied, section.energy, section.bars, adventure, rng)
        for bar, strokes in enumerate(bars, start=section.start_bar):
            start = bar * bar_ticks
            if outline.closes(bar):
                written = [_root_note(outline.chord_at(start), start, outline.closing_ticks, part, previous)]
            elif part.figure == "walking":
                written = _walk(outline, start, part, previous, rng)
            elif part.figure == "pedal":
                written = _pedal(outline, start, strokes or _ROOT, part)
            else:
                written = _pattern_bar(outline, start, figured(strokes or _ROOT), part, previous)
            notes += written
            previous = written[-1].pitch if written else previous
    return notes


def _near(pitch_class: int, around: int, part: PartStyle) -> int:
    """The pitch of a class nearest to another, inside the register."""
    lowest = part.low + (pitch_class - part.low) % 12
    inside = range(lowest, part.high + 1, 12)
    return min(inside, key=lambda pitch: (abs(pitch - around), pitch)) if inside else part.low


def _bass_root(chord: Chord) -> int:
    return chord.root if chord.bass is None else chord.bass


def _root_note(chord: Chord, start: int, duration: int, part: PartStyle, previous: int) -> Note:
    return Note(start, duration, _near(_bass_root(chord), min(previous, part.low + 12), part), part.velocity)


def _pattern_bar(outline: Outline, start: int, strokes: Sequence[Stroke], part: PartStyle, previous: int) -> list[Note]:
    """One bar of strokes; a chord that changes under a stroke strikes its own root."""
    written: list[Note] = []
    bar_end = start + outline.bar_ticks
    for stroke in strokes:
        onset = start + stroke.pos * SIXTEENTH
        end = min(onset + stroke.length * SIXTEENTH, bar_end)
        chord = outline.chord_at(onset)
        if part.push and chord.end < bar_end + 1 and chord.end - onset <= PPQ // 2 and onset > chord.onset:
            chord = outline.chord_at(chord.end)
        pitch = _degree(stroke.what, chord, outline.chord_at(bar_end), previous, part)
        change = next((c.onset for c in outline.chords_in(onset + 1, end) if c.onset > onset + 1), None)
        velocity = part.velocity + stroke.weight + (6 if onset == start else 0)
        sounding = max(30, round(((change or end) - onset) * part.gate))
        if stroke.what == "S" and pitch + 12 <= part.high:
            written.append(Note(onset, sounding, pitch, velocity, slide=12))
        else:
            written.append(Note(onset, sounding, pitch, velocity))
        if change is not None:
            written.append(_root_note(outline.chord_at(change), change, end - change, part, pitch))
        previous = pitch
    return written


def _degree(degree: str, chord: Chord, following: Chord, previous: int, part: PartStyle) -> int:
    """The pitch of a degree of the chord, near the root, which itself lies low and near where the bass was."""
    root = _near(_bass_root(chord), min(previous, part.low + 12), part)
    if degree == "A":
        target = _near(_bass_root(following), min(root, part.low + 12), part)
        return max(part.low, target - 1) if target > root else min(part.high, target + 1)
    if degree == "8":
        return root + 12 if root + 12 <= part.high else root
    if degree == "L":
        return _near(chord.root + _fifth(chord), root - 5, part)
    steps = {"3": _third(chord), "5": _fifth(chord), "6": 9, "7": 11 if 11 in CHORD_TONES[chord.quality] else 10}
    return _near(chord.root + steps[degree], root + 4, part) if degree in steps else root


def _third(chord: Chord) -> int:
    tones = CHORD_TONES[chord.quality]
    return 3 if 3 in tones else 4 if 4 in tones else 5


def _fifth(chord: Chord) -> int:
    tones = CHORD_TONES[chord.quality]
    return 7 if 7 in tones or len(tones) < 3 else 6 if 6 in tones else 8 if 8 in tones else 7


def _pedal(outline: Outline, start: int, strokes: Sequence[Stroke], part: PartStyle) -> list[Note]:
    """The tonic under everything it does not hurt, else the root of the chord."""
    written = []
    for stroke in strokes:
        onset = start + stroke.pos * SIXTEENTH
        chord = outline.chord_at(onset)
        clashes = {(outline.key.tonic + step) % 12 for step in (1, 11)} & set(chord.pitch_classes[:3])
        pitch_class = _bass_root(chord) if clashes else outline.key.tonic
        length = min(stroke.length * SIXTEENTH, start + outline.bar_ticks - onset)
        sounding = max(30, round(length * part.gate))
        written.append(Note(onset, sounding, _near(pitch_class, part.low + 5, part), part.velocity + stroke.weight))
    return written


def _walk(outline: Outline, start: int, part: PartStyle, previous: int, rng: np.random.Generator) -> list[Note]:
    """Steps on the pulse: the root where a chord begins, chord tones between, a half step into the next root.
    A calm bass plays in two, an excited one skips an eighth into some of its steps."""
    written: list[Note] = []
    density = outline.feeling.density
    home = part.low + (part.high - part.low) // 3
    bar_end = start + outline.bar_ticks
    places = [start + step * SIXTEENTH for step in pulse(str(outline.plan.meter))]
    places = places[::2] if density < _IN_TWO else places
    for onset, until in zip(places, [*places[1:], bar_end], strict=True):
        chord, following = outline.chord_at(onset), outline.chord_at(until)
        around = round(0.55 * previous + 0.45 * home)  # roots lean home, or the line climbs out of its register
        if onset in {chord.onset, start}:
            pitch = _near(_bass_root(chord), around, part)
            if pitch == previous and chord.onset != onset:
                pitch = _near(chord.root + CHORD_TONES[chord.quality][1], previous, part)
        elif until in {following.onset, bar_end}:
            target = _near(_bass_root(following), around, part)
            step = 1 if rng.random() < 0.6 else -1
            pitch = target + step if part.low <= target + step <= part.high else target - step
        else:
            tones = chord.pitch_classes
            near = [p for p in range(previous - 5, previous + 6) if p % 12 in tones and p != previous]
            inside = [p for p in near if part.low <= p <= part.high] or [_near(chord.root, previous, part)]
            pitch = inside[int(rng.integers(len(inside)))]
        second = (onset - start) % (2 * PPQ) == PPQ
        written.append(Note(onset, round((until - onset) * part.gate), pitch, part.velocity + (5 if second else 0)))
        if until - onset == PPQ and rng.random() < 0.4 * (density - 1.0):
            written[-1] = replace(written[-1], duration=PPQ // 2)
            written.append(Note(onset + PPQ // 2, PPQ // 2, pitch, part.velocity - 18))
        previous = pitch
    return written
