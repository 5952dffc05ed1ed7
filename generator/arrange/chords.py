"""Players of chords: blocks, arpeggios, broken chords, strums and sustained pads, from a style's patterns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.arrange.harmony import Outline
from generator.arrange.style import PartStyle
from generator.arrange.voicing import voice
from generator.score import PPQ, Chord, Note, Section

SIXTEENTH = PPQ // 4


def play_chords(outline: Outline, sections: Sequence[Section], part: PartStyle, rng: np.random.Generator) -> list[Note]:
    """Notes of a chord player in its sections. One pattern per section, another one now and then."""
    bar_ticks = outline.plan.meter.bar_ticks
    notes: list[Note] = []
    for section in sections:
        first, last = section.start_bar * bar_ticks, (section.start_bar + section.bars) * bar_ticks
        chords = outline.chords_in(first, last)
        voicings = voice(chords, part.low, part.high, part.voices)
        if part.figure == "sustain" or section.start_bar + section.bars == 1:
            notes += _sustain(chords, voicings, part)
            continue
        patterns = part.patterns.get(str(outline.plan.meter), ())
        usual = patterns[int(rng.integers(len(patterns)))] if patterns else ""
        for start in range(first, last, bar_ticks):
            pattern = usual
            if len(patterns) > 1 and rng.random() < 0.2:
                pattern = patterns[int(rng.integers(len(patterns)))]
            if start == (outline.plan.bars - 1) * bar_ticks or not pattern:
                pattern = f"0:{bar_ticks // SIXTEENTH}"  # the last bar rings
            notes += _bar(start, bar_ticks, pattern, chords, voicings, part, rng)
    return notes


def _sustain(chords: Sequence[Chord], voicings: Sequence[tuple[int, ...]], part: PartStyle) -> list[Note]:
    """Long tones; a pitch common to neighbouring chords is held, not struck again."""
    notes: list[Note] = []
    held: dict[int, int] = {}  # pitch -> index of its note
    for chord, pitches in zip(chords, voicings, strict=True):
        now: dict[int, int] = {}
        for pitch in pitches:
            if pitch in held:
                index = held[pitch]
                old = notes[index]
                notes[index] = Note(old.onset, chord.end - old.onset, pitch, part.velocity)
                now[pitch] = index
            else:
                now[pitch] = len(notes)
                notes.append(Note(chord.onset, chord.duration, pitch, part.velocity))
        held = now
    return notes


def _bar(
    start: int,
    bar_ticks: int,
    pattern: str,
    chords: Sequence[Chord],
    voicings: Sequence[tuple[int, ...]],
    part: PartStyle,
    rng: np.random.Generator,
) -> list[Note]:
    """One bar of a rhythm pattern "pos:length …" on the chords that sound in it."""
    notes: list[Note] = []
    direction = 0
    for item in pattern.split():
        pos, length = (int(number) * SIXTEENTH for number in item.split(":")[:2])
        if pos >= bar_ticks:
            continue
        onset = start + pos
        index = max(i for i, chord in enumerate(chords) if chord.onset <= onset)
        end = min(onset + length, chords[index].end, start + bar_ticks)
        pitches = voicings[index]
        accent = 8 if pos == 0 else 0
        if part.figure in {"arpeggio", "broken"}:
            order = _arpeggio_order(len(pitches), part.figure)
            # Arpeggios ring on to the end of their chord: the pedal is down.
            notes.append(
                Note(onset, min(chords[index].end, onset + 2 * length) - onset, pitches[order[direction % len(order)]],
                     part.velocity + accent)
            )  # fmt: skip
            direction += 1
        else:
            spread = 14 if part.figure == "strum" else 0
            notes += [
                Note(
                    onset,
                    end - onset,
                    pitch,
                    part.velocity + accent - int(rng.integers(0, 5)),
                    micro=voice_index * spread,
                )
                for voice_index, pitch in enumerate(pitches)
            ]
    return notes


def _arpeggio_order(count: int, figure: str) -> list[int]:
    """Up and down without repeating the turning points; broken chords alternate low, high, middle, high."""
    if figure == "broken" and count >= 3:
        return [0, count - 1, 1, count - 1]
    return [*range(count), *range(count - 2, 0, -1)]
