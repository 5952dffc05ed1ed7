"""The tune and the voices around it: the lead, its doublings and harmony, guide tones, and answers in its rests."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from generator.arrange.harmony import Outline
from generator.arrange.style import PartStyle, Style
from generator.score import CHORD_TONES, PPQ, Note, Section

_GRACE = PPQ // 8
_REST = PPQ + PPQ // 2  # a rest as long as this asks for an answer


def play_lead(
    outline: Outline, sections: Sequence[Section], part: PartStyle, style: Style, rng: np.random.Generator
) -> list[Note]:
    """The composer's tune, as long and as ornamented as the style wants it."""
    length = style.melody.stretch * part.gate * min(1.0, outline.feeling.gate)
    notes: list[Note] = []
    for note in _sung(outline, sections):
        played = replace(note, velocity=part.velocity, duration=max(30, round(note.duration * length)))
        if note.duration >= PPQ and rng.random() < style.melody.ornament * (0.6 + outline.novelty):
            below = _scale_step(note.pitch, -1, outline)
            notes.append(Note(note.onset, _GRACE, below, part.velocity - 12))
            played = replace(played, onset=note.onset + _GRACE, duration=max(30, played.duration - _GRACE))
        notes.append(played)
    return _with_pickups(notes, outline, sections, part, style, rng)


def _with_pickups(
    notes: list[Note], outline: Outline, sections: Sequence[Section], part: PartStyle, style: Style,
    rng: np.random.Generator,
) -> list[Note]:  # fmt: skip
    """Two eighths that step up to the first note of a section, where there was silence before it."""
    found = list(notes)
    for section in sections:
        start = section.start_bar * outline.bar_ticks
        first = next((note for note in notes if note.onset >= start), None)
        silent = not any(start - PPQ < note.end and note.onset < start for note in notes)
        if first is not None and first.onset == start >= PPQ and silent and rng.random() < style.melody.pickup:
            for steps in (2, 1):
                pitch = _scale_step(first.pitch, -steps, outline)
                found.append(Note(start - steps * PPQ // 2, PPQ // 2, pitch, part.velocity - 6))
    return sorted(found, key=lambda note: note.onset)


def play_double(outline: Outline, sections: Sequence[Section], part: PartStyle) -> list[Note]:
    """The tune at `part.interval` scale steps; a `harmony` takes the nearest chord tone under long notes."""
    notes = []
    for note in _sung(outline, sections):
        pitch = _scale_step(note.pitch, part.interval, outline)
        if part.figure == "harmony" and note.duration >= PPQ // 2:
            tones = outline.chord_at(note.onset).pitch_classes
            near = (pitch, pitch - 1, pitch + 1, pitch - 2, pitch + 2)
            pitch = next((p for p in near if p % 12 in tones), pitch)
        if pitch != note.pitch:
            notes.append(Note(note.onset, max(30, round(note.duration * part.gate)), pitch, part.velocity))
    return notes


def play_guide(outline: Outline, sections: Sequence[Section], part: PartStyle) -> list[Note]:
    """A second voice of thirds and sevenths that moves by the smallest step from chord to chord."""
    notes: list[Note] = []
    bar_ticks = outline.bar_ticks
    previous = (part.low + part.high) // 2
    for section in sections:
        start = section.start_bar * bar_ticks
        for chord in outline.chords_in(start, start + section.bars * bar_ticks):
            guides = [(chord.root + tone) % 12 for tone in CHORD_TONES[chord.quality][1:] if tone != 7]
            wanted = guides or list(chord.pitch_classes)
            inside = [pitch for pitch in range(part.low, part.high + 1) if pitch % 12 in wanted]
            # Off the tune's own tone, so that it is another voice.
            tune = {n.pitch % 12 for n in _between(outline, chord.onset, chord.onset + 1)}
            pitch = min(inside, key=lambda p: abs(p - previous) + 3.0 * (p % 12 in tune))
            end = min(chord.end, outline.end - bar_ticks + outline.closing_ticks)
            if end <= chord.onset:
                continue
            if notes and notes[-1].pitch == pitch and notes[-1].end == chord.onset:
                notes[-1] = replace(notes[-1], duration=end - notes[-1].onset)
            else:
                notes.append(Note(chord.onset, end - chord.onset, pitch, part.velocity))
            previous = pitch
    return [replace(note, duration=max(30, round(note.duration * part.gate))) for note in notes]


def play_answer(outline: Outline, sections: Sequence[Section], part: PartStyle, rng: np.random.Generator) -> list[Note]:
    """Where the tune rests, another voice answers: the rhythm and contour just heard, on the tones of the chord."""
    notes: list[Note] = []
    sung = _sung(outline, sections)
    for index, (note, following) in enumerate(pairwise(sung)):
        rest = following.onset - note.end
        if rest < _REST or rng.random() > 0.8 + outline.novelty:
            continue
        begin = note.end + (-note.end) % (PPQ // 2) + PPQ // 2
        motif = sung[max(0, index - 3) : index + 1]
        for heard in motif:
            onset = begin + heard.onset - motif[0].onset
            if onset + PPQ // 2 > following.onset:
                break
            pitch = _chord_tone_near(heard.pitch - 5, onset, outline, part)
            length = min(heard.duration, following.onset - onset)
            notes.append(Note(onset, max(30, round(length * part.gate)), pitch, part.velocity))
    return notes


def _sung(outline: Outline, sections: Sequence[Section]) -> list[Note]:
    bar_ticks = outline.bar_ticks
    found: list[Note] = []
    for section in sections:
        found += _between(outline, section.start_bar * bar_ticks, (section.start_bar + section.bars) * bar_ticks)
    return found


def _between(outline: Outline, start: int, end: int) -> tuple[Note, ...]:
    """Melody notes that begin in a stretch."""
    first = bisect_left(outline.melody, start, key=lambda note: note.onset)
    return outline.melody[first : bisect_left(outline.melody, end, key=lambda note: note.onset)]


def _scale_step(pitch: int, steps: int, outline: Outline) -> int:
    """So many steps of the scale away; whole octaves keep tones from outside it."""
    octaves, rest = divmod(abs(steps), 7)
    sign = 1 if steps > 0 else -1
    scale = outline.scale()
    for _ in range(rest):
        pitch += sign
        while pitch % 12 not in scale:
            pitch += sign
    return pitch + sign * 12 * octaves


def _chord_tone_near(pitch: int, tick: int, outline: Outline, part: PartStyle) -> int:
    tones = outline.chord_at(tick).pitch_classes
    inside = [p for p in range(part.low, part.high + 1) if p % 12 in tones]
    return min(inside, key=lambda p: abs(p - pitch))
