"""Players of the bass line: style patterns by chord degree, and walking bass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.arrange.harmony import Outline
from generator.arrange.style import PartStyle
from generator.score import CHORD_TONES, PPQ, Chord, Note, Section

SIXTEENTH = PPQ // 4


def play_bass(outline: Outline, sections: Sequence[Section], part: PartStyle, rng: np.random.Generator) -> list[Note]:
    """Notes of the bass in its sections; it stays in its register and near where it was."""
    bar_ticks = outline.plan.meter.bar_ticks
    patterns = part.patterns.get(str(outline.plan.meter), ())
    notes: list[Note] = []
    previous = (part.low + part.high) // 2 - 4
    for section in sections:
        usual = patterns[int(rng.integers(len(patterns)))] if patterns else ""
        for bar in range(section.start_bar, section.start_bar + section.bars):
            start = bar * bar_ticks
            if bar == outline.plan.bars - 1:
                written = [_root_note(outline.chord_at(start), start, bar_ticks, part, previous)]
            elif part.figure == "walking":
                written = _walk(outline, start, bar_ticks, part, previous, rng)
            else:
                pattern = usual
                if len(patterns) > 1 and rng.random() < 0.25:
                    pattern = patterns[int(rng.integers(len(patterns)))]
                written = _pattern_bar(outline, start, bar_ticks, pattern, part, previous)
            notes += written
            previous = written[-1].pitch if written else previous
    return notes


def _near(pitch_class: int, around: int, part: PartStyle) -> int:
    """The pitch of a class nearest to another, inside the register."""
    inside = [p for p in range(part.low, part.high + 1) if p % 12 == pitch_class % 12]
    return min(inside, key=lambda pitch: (abs(pitch - around), pitch)) if inside else part.low


def _bass_root(chord: Chord) -> int:
    return chord.root if chord.bass is None else chord.bass


def _root_note(chord: Chord, start: int, duration: int, part: PartStyle, previous: int) -> Note:
    return Note(start, duration, _near(_bass_root(chord), min(previous, part.low + 12), part), part.velocity)


def _pattern_bar(
    outline: Outline, start: int, bar_ticks: int, pattern: str, part: PartStyle, previous: int
) -> list[Note]:
    """Write one bar from "pos:length:degree" in sixteenths; a chord that changes under the pattern strikes its root."""
    written: list[Note] = []
    items = [item.split(":") for item in pattern.split()] or [["0", str(bar_ticks // SIXTEENTH), "R"]]
    for pos_text, length_text, degree in items:
        onset = start + int(pos_text) * SIXTEENTH
        if onset >= start + bar_ticks:
            continue
        chord = outline.chord_at(onset)
        end = min(onset + int(length_text) * SIXTEENTH, start + bar_ticks)
        pitch = _degree(degree, chord, outline.chord_at(start + bar_ticks), previous, part)
        change = next((c.onset for c in outline.chords_in(onset + 1, end) if c.onset > onset + 1), None)
        written.append(Note(onset, (change or end) - onset, pitch, part.velocity + (6 if onset == start else 0)))
        if change is not None:
            written.append(_root_note(outline.chord_at(change), change, end - change, part, pitch))
        previous = written[-1].pitch
    return written


def _degree(degree: str, chord: Chord, following: Chord, previous: int, part: PartStyle) -> int:  # noqa: PLR0911
    root = _near(_bass_root(chord), min(previous, part.low + 14), part)
    tones = CHORD_TONES[chord.quality]
    match degree:
        case "R":
            return root
        case "8":
            return root + 12 if root + 12 <= part.high else root
        case "A":
            target = _near(_bass_root(following), min(root, part.low + 14), part)
            return max(part.low, target - 1) if target > root else min(part.high, target + 1)
        case "3":
            return _near(chord.root + (3 if 3 in tones else 4 if 4 in tones else 5), root, part)
        case "5":
            return _near(chord.root + (6 if 6 in tones and 7 not in tones else 8 if 8 in tones else 7), root, part)
        case "7":
            return _near(chord.root + (11 if 11 in tones else 10), root, part)
        case _:
            return _near(chord.root + 9, root, part)


def _walk(
    outline: Outline, start: int, bar_ticks: int, part: PartStyle, previous: int, rng: np.random.Generator
) -> list[Note]:
    """Quarter notes: the root where a chord begins, chord and scale tones between, a half step into the next root."""
    written: list[Note] = []
    home = part.low + (part.high - part.low) // 3
    for onset in range(start, start + bar_ticks, PPQ):
        chord = outline.chord_at(onset)
        following = outline.chord_at(onset + PPQ)
        changes = following.onset == onset + PPQ
        if onset in {chord.onset, start}:
            # Roots lean home, or a walking line climbs out of its register.
            pitch = _near(_bass_root(chord), round(0.55 * previous + 0.45 * home), part)
            if pitch == previous and chord.onset != onset:
                pitch = _near(chord.root + CHORD_TONES[chord.quality][1], previous, part)
        elif changes or onset + PPQ == start + bar_ticks:
            target = _near(_bass_root(following), round(0.55 * previous + 0.45 * home), part)
            step = 1 if rng.random() < 0.6 else -1
            pitch = target + step if part.low <= target + step <= part.high else target - step
        else:
            tones = [(chord.root + tone) % 12 for tone in CHORD_TONES[chord.quality]]
            near = [p for p in range(previous - 5, previous + 6) if p % 12 in tones and p != previous]
            inside = [p for p in near if part.low <= p <= part.high] or [_near(chord.root, previous, part)]
            pitch = inside[int(rng.integers(len(inside)))]
        written.append(Note(onset, PPQ, pitch, part.velocity + (5 if (onset - start) % (2 * PPQ) == PPQ else 0)))
        previous = pitch
    return written
