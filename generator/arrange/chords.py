"""Players of chords: comping, strumming, fingerpicking, arpeggios and sustained pads, from a style's patterns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generator.arrange.harmony import Outline
from generator.arrange.patterns import Stroke, divided, draw_bars, fancies, patterns_in
from generator.arrange.style import PartStyle
from generator.arrange.voicing import voice
from generator.score import PPQ, Chord, Note, Section

SIXTEENTH = PPQ // 4
ADVENTURE = 0.15
"""How likely a player takes another pattern in the second half of a phrase; novelty adds to it."""


@dataclass(frozen=True, slots=True)
class _Hands:
    """The chords of a section and how they lie under the player's hands."""

    chords: Sequence[Chord]
    voicings: Sequence[tuple[int, ...]]
    onsets: Sequence[int]

    def at(self, onset: int, end: int, *, push: bool) -> int:
        """Which chord a stroke plays; a pushed one that reaches over a change already the next."""
        index = max(0, bisect_right(self.onsets, onset) - 1)
        chord_end = self.chords[index].end
        early = push and chord_end - onset <= PPQ // 2 and end >= chord_end and onset > self.chords[index].onset
        return index + 1 if early and index + 1 < len(self.chords) else index


def play_chords(outline: Outline, sections: Sequence[Section], part: PartStyle, rng: np.random.Generator) -> list[Note]:
    """Notes of a chord player in its sections. One pattern per section, another one now and then."""
    bar_ticks = outline.bar_ticks
    meter = str(outline.plan.meter)
    patterns = patterns_in(part.patterns, meter)
    fancied = fancies(patterns, outline.feeling.density, rng)
    figured = divided(outline.feeling.density, meter, rng)
    adventure = ADVENTURE + 0.5 * outline.novelty
    notes: list[Note] = []
    for section in sections:
        first, last = section.start_bar * bar_ticks, (section.start_bar + section.bars) * bar_ticks
        chords = outline.chords_in(first, last)
        voicings = voice(chords, part.low, part.high, part.voices, outline.leading)
        hands = _Hands(chords, voicings, [chord.onset for chord in chords])
        if part.figure == "sustain" or not patterns:
            notes += _sustain(outline, hands, part)
            continue
        bars = draw_bars(fancied, section.energy, section.bars, adventure, rng)
        for bar, strokes in enumerate(bars, start=section.start_bar):
            start = bar * bar_ticks
            if outline.closes(bar):
                notes += _closing(outline, hands, part, start)
            elif part.figure == "arpeggio":
                notes += _arpeggio(start, figured(strokes), hands, part, rng)
            else:
                notes += _comping(start, figured(strokes), hands, part, outline)
    return notes


def _closing(outline: Outline, hands: _Hands, part: PartStyle, start: int) -> list[Note]:
    index = hands.at(start, start + 1, push=False)
    strum = _strum_ticks(part, outline, len(hands.voicings[index]))
    return [
        Note(start, outline.closing_ticks, pitch, part.velocity, micro=round(order * strum))
        for order, pitch in enumerate(hands.voicings[index])
    ]


def _sustain(outline: Outline, hands: _Hands, part: PartStyle) -> list[Note]:
    """Long tones; a pitch common to neighbouring chords is held, not struck again."""
    notes: list[Note] = []
    held: dict[int, int] = {}  # pitch -> index of its note
    cut = outline.end - outline.bar_ticks + outline.closing_ticks if outline.ending == "hit" else outline.end
    for chord, pitches in zip(hands.chords, hands.voicings, strict=True):
        now: dict[int, int] = {}
        end = cut if chord.end == outline.end and cut > chord.onset else chord.end
        for pitch in pitches:
            onset = notes[held[pitch]].onset if pitch in held else chord.onset
            now[pitch] = held.get(pitch, len(notes))
            note = Note(onset, end - onset, pitch, part.velocity)
            notes[now[pitch] : now[pitch] + 1] = [note]
        held = now
    return notes


def _comping(start: int, strokes: Sequence[Stroke], hands: _Hands, part: PartStyle, outline: Outline) -> list[Note]:
    """One bar of chords, or of those of their voices that the strokes name."""
    notes: list[Note] = []
    for stroke in strokes:
        onset = start + stroke.pos * SIXTEENTH
        reach = onset + stroke.length * SIXTEENTH
        index = hands.at(onset, reach, push=part.push)
        chord = hands.chords[index]
        limit = chord.end if chord.onset <= onset else reach  # a pushed stroke ties over the bar line
        end = limit if part.pedal else min(reach, limit)
        pitches = _named(stroke.what, chord, hands.voicings[index], part)
        strum = _strum_ticks(part, outline, len(pitches))
        ordered = list(reversed(pitches)) if stroke.what == "u" else pitches
        velocity = part.velocity + stroke.weight + (8 if stroke.pos == 0 else 0) - (8 if stroke.what == "u" else 0)
        notes += [
            Note(onset, max(30, round((end - onset) * part.gate)), pitch, velocity - order, micro=round(order * strum))
            for order, pitch in enumerate(ordered)
        ]
    return notes


def _named(what: str, chord: Chord, voicing: tuple[int, ...], part: PartStyle) -> list[int]:
    if what in {"B", "F"}:
        wanted = (chord.root + (7 if what == "F" else 0)) % 12
        below = [pitch for pitch in range(part.low - 14, voicing[0]) if pitch % 12 == wanted]
        return below[-1:] or [voicing[0]]
    if what == "P":
        root = part.low + (chord.root - part.low) % 12
        return [root, root + 7, root + 12]
    if what == "T":
        return list(voicing[1:] or voicing)
    if what == "u":
        return list(voicing[-4:])
    if what:
        return sorted({voicing[(int(digit) - 1) % len(voicing)] for digit in what})
    return list(voicing)


def _strum_ticks(part: PartStyle, outline: Outline, count: int) -> float:
    """From one string to the next."""
    return part.strum_ms * PPQ * outline.plan.tempo_bpm / 60_000 / max(1, count - 1)


def _arpeggio(
    start: int, strokes: Sequence[Stroke], hands: _Hands, part: PartStyle, rng: np.random.Generator
) -> list[Note]:
    """One bar of single notes in the part's order, begun again with every chord."""
    notes: list[Note] = []
    turn, current = 0, -1
    for stroke in strokes:
        onset = start + stroke.pos * SIXTEENTH
        index = hands.at(onset, onset + stroke.length * SIXTEENTH, push=part.push)
        turn = turn if index == current else 0
        current = index
        voicing = hands.voicings[index]
        order = _order(len(voicing), part.order)
        step = int(rng.integers(len(voicing))) if part.order == "random" else order[turn % len(order)]
        limit = max(hands.chords[index].end, onset + SIXTEENTH)
        length = limit - onset if part.pedal else round(stroke.length * SIXTEENTH * part.gate)
        velocity = part.velocity + stroke.weight + (6 if stroke.pos == 0 else 0)
        notes.append(Note(onset, max(30, min(length, limit - onset)), voicing[step], velocity))
        turn += 1
    return notes


def _order(count: int, name: str) -> list[int]:
    """Up and down without repeating the turning points; broken chords alternate low, high, middle, high."""
    if name == "broken" and count >= 3:
        return [0, count - 1, 1, count - 1]
    if name == "up":
        return list(range(count))
    if name == "down":
        return list(range(count - 1, -1, -1))
    return [*range(count), *range(count - 2, 0, -1)]
