"""Lay the lead's bars out over the form: one chord symbol timeline and the melody, in ticks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from generator.arrange.mood import Feeling, feeling_of
from generator.arrange.roman import draw_progression, parse_roman
from generator.arrange.style import Style
from generator.arrange.substitution import substitute, tint
from generator.brief import Brief, Key
from generator.compose import Lead, colour
from generator.corpus.piece import GRID, Bar, GridChord
from generator.errors import ArrangeError
from generator.plan import HIT_TICKS, Plan
from generator.score import CHORD_TONES, PPQ, Chord, Note, Section
from generator.seeds import stream

TICKS = PPQ // GRID
"""Ticks of one grid step."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The piece before it is given to players."""

    key: Key
    plan: Plan
    chords: tuple[Chord, ...]
    melody: tuple[Note, ...]
    feeling: Feeling
    novelty: float
    ending: str
    """The kind of `style.Ending`."""
    onsets: tuple[int, ...]
    """Onsets of the chords, for looking them up."""

    @property
    def end(self) -> int:
        return self.plan.bars * self.plan.meter.bar_ticks

    @property
    def bar_ticks(self) -> int:
        return self.plan.meter.bar_ticks

    def closes(self, bar: int) -> bool:
        """Whether everybody plays the last chord in this bar; a loop and a fade just go on."""
        return bar == self.plan.last_bar and self.ending != "fade"

    @property
    def closing_ticks(self) -> int:
        """How long the last chord is held."""
        return HIT_TICKS if self.ending == "hit" else self.bar_ticks

    @property
    def leading(self) -> int:
        """Pitch class of the leading tone."""
        return (self.key.tonic - 1) % 12

    def chord_at(self, tick: int) -> Chord:
        """The chord sounding at a tick; after the end of a loop its beginning, of a piece its last one."""
        if tick >= self.end:
            tick = tick % self.end if self.plan.loop else self.end - 1
        return self.chords[max(0, bisect_right(self.onsets, tick) - 1)]

    def chords_in(self, start: int, end: int) -> list[Chord]:
        """The chords of a stretch, cut to it."""
        first = max(0, bisect_right(self.onsets, start) - 1)
        last = bisect_right(self.onsets, end - 1)
        found = []
        for chord in self.chords[first:last]:
            left, right = max(chord.onset, start), min(chord.end, end)
            if left < right:
                found.append(replace(chord, onset=left, duration=right - left))
        return found

    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the key; natural minor."""
        steps = (0, 2, 3, 5, 7, 8, 10) if self.key.mode == "minor" else (0, 2, 4, 5, 7, 9, 11)
        return tuple((self.key.tonic + step) % 12 for step in steps)


def lay_out(lead: Lead, plan: Plan, brief: Brief, style: Style, seed: int) -> Outline:
    """Write out every section from its material. Sections that return (A') have their own variation, and ornament it;
    frame sections (intro, break, outro) keep only the harmony; the piece ends on the tonic, unless it is a loop.

    Raises ArrangeError: the lead lacks a material of the plan, or has a chord we do not know.
    """
    bar_ticks = plan.meter.bar_ticks
    rng = stream(seed, "layout")
    own = _own_chords(lead.key, brief, style, bar_ticks // TICKS, seed)
    chords: list[Chord] = []
    melody: list[Note] = []
    for section in plan.sections:
        bars = _bars_of(lead, section)
        tune: list[Note] = []
        for index, place in enumerate(_places(section, len(style.harmony.phrases))):
            start = (section.start_bar + index) * bar_ticks
            bar = bars[style.harmony.phrases[place] % len(bars)]
            chords += _bar_chords(own[place] if own else bar.chords, start, bar_ticks, lead.key)
            if not section.name.islower():
                tune += _bar_melody(bar, start, swung=style.playing.swing_unit == 8 and style.playing.swing > 0.3)
        melody += _vary(tune, section, style, rng)
    tune = _one_voice(melody, plan, lead.key)
    feeling = feeling_of(brief)
    closed = chords if plan.loop else _end_on_tonic(chords, lead.key, plan, style)
    chosen = substitute(_merge(closed), tune, lead.key, plan, brief, style, rng)
    tinted = tuple(tint(chord, index, tune, style, feeling.dissonance) for index, chord in enumerate(chosen))
    onsets = tuple(chord.onset for chord in tinted)
    return Outline(lead.key, plan, tinted, tuple(tune), feeling, brief.novelty, style.ending.kind, onsets)


def _bars_of(lead: Lead, section: Section) -> tuple[Bar, ...]:
    bars = lead.materials.get(section.name) or lead.materials.get(section.material)
    if not bars:
        raise ArrangeError(f"The lead sheet has no music for section {section.name}; it needs {section.material}.")
    return bars


def _own_chords(key: Key, brief: Brief, style: Style, steps: int, seed: int) -> list[tuple[GridChord, ...]]:
    """The chords of a form that belongs to the style (a twelve-bar blues), in its colours; empty where it has none."""
    bars = draw_progression(style.harmony.progressions.get(key.mode, ()), seed)  # type: ignore[call-overload]
    written = []
    for bar in bars:
        half = steps // 2 // GRID * GRID
        places = [index * half for index in range(len(bar))]
        written.append(tuple(
            colour(GridChord(place, (key.tonic + root) % 12, quality), key.tonic, style, brief.complexity)
            for place, (root, quality) in zip(places, bar, strict=True)
        ))  # fmt: skip
    return written


def _places(section: Section, count: int) -> list[int]:
    """Which bars of a chorus of `count` bars a section plays.

    Whole choruses, then the last bars again as a tag; a section shorter than a chorus its beginning, a short return
    and a frame of a long form the beginning and the cadence.
    """
    full, rest = divmod(section.bars, count)
    if full:
        return [*list(range(count)) * full, *range(count - rest, count)]
    if rest >= 4 and ("'" in section.name or count > 8):
        return [*range(rest - 2), count - 2, count - 1]
    return list(range(rest))


def _bar_chords(written: Sequence[GridChord], start: int, bar_ticks: int, key: Key) -> list[Chord]:
    for chord in written:
        if chord.quality not in CHORD_TONES:
            known = ", ".join(filter(None, CHORD_TONES))
            raise ArrangeError(f"I do not know the chord quality “{chord.quality}”; known are {known}.")
    if not written:
        return [Chord(start, bar_ticks, key.tonic, "m" if key.mode == "minor" else "")]
    onsets = [0, *(chord.pos * TICKS for chord in written[1:])]
    ends = [*onsets[1:], bar_ticks]
    return [
        Chord(start + onset, end - onset, chord.root % 12, chord.quality)
        for chord, onset, end in zip(written, onsets, ends, strict=True)
        if onset < end <= bar_ticks
    ]


def _bar_melody(bar: Bar, start: int, *, swung: bool) -> list[Note]:
    """The bar's notes in ticks. Old lead sheets write swing as dotted pairs; a swung style makes them even eighths,
    which the player then swings."""
    places = {note.pos for note in bar.melody}
    notes = []
    for note in bar.melody:
        early = GRID // 4 if swung and note.pos % GRID == 9 and note.pos - 3 not in places else 0
        notes.append(Note(start + (note.pos - early) * TICKS, (note.dur + early) * TICKS, note.pitch))
    return notes


def _vary(tune: list[Note], section: Section, style: Style, rng: np.random.Generator) -> list[Note]:
    """Thin out weak short notes as the style asks, and ornament a returning section (one prime, one degree more)."""
    returns = section.name.count("'")
    kept: list[Note] = []
    for note in tune:
        weak = note.onset % PPQ != 0 and note.duration <= PPQ // 2
        if weak and rng.random() < style.melody.thin:
            continue
        if returns and note.duration >= PPQ and rng.random() < 0.18 * returns:
            kept += _anticipate(note)
        else:
            kept.append(note)
    return kept


def _anticipate(note: Note) -> list[Note]:
    """Play a long note an eighth early: the plainest way a singer varies a line."""
    if note.onset < PPQ // 2:
        return [note]
    return [replace(note, onset=note.onset - PPQ // 2, duration=note.duration + PPQ // 2)]


def _one_voice(melody: list[Note], plan: Plan, key: Key) -> list[Note]:
    """Notes in order, none over the next one or over the end; the last one of a piece rests on the tonic chord."""
    end = plan.bars * plan.meter.bar_ticks
    ordered = sorted({n.onset: n for n in melody if 0 <= n.onset < end}.values(), key=lambda note: note.onset)
    voice = []
    for note, following in zip(ordered, [*(n.onset for n in ordered[1:]), end], strict=False):
        voice.append(replace(note, duration=max(PPQ // 8, min(note.duration, following - note.onset))))
    if voice and not plan.loop:
        last = voice[-1]
        tonic_triad = {(key.tonic + step) % 12 for step in ((0, 3, 7) if key.mode == "minor" else (0, 4, 7))}
        pitch = min(
            range(last.pitch - 4, last.pitch + 5), key=lambda p: (p % 12 not in tonic_triad, abs(p - last.pitch))
        )
        voice[-1] = replace(last, pitch=pitch)
    return voice


def _end_on_tonic(chords: list[Chord], key: Key, plan: Plan, style: Style) -> list[Chord]:
    """The last bar is the tonic, in the style's colour; where no tune is in the way, its cadence leads there."""
    bar_ticks = plan.meter.bar_ticks
    last_bar = (plan.bars - 1) * bar_ticks
    before = [chord for chord in chords if chord.onset < last_bar]
    cadence = style.ending.cadence
    if plan.sections[-1].name.islower() and plan.sections[-1].bars >= 2:
        half = bar_ticks // 2 // PPQ * PPQ if len(cadence) == 1 and style.harmony.bars_per_chord == 1 else 0
        turn = last_bar - (half or bar_ticks)
        before = [replace(c, duration=min(c.end, turn) - c.onset) for c in before if c.onset < turn]
        step = (last_bar - turn) // len(cadence) // (PPQ // 2) * (PPQ // 2)
        for index, numeral in enumerate(cadence):
            semitones, quality = parse_roman(numeral)
            onset = turn + index * step
            end = last_bar if index == len(cadence) - 1 else onset + step
            before.append(Chord(onset, end - onset, (key.tonic + semitones) % 12, quality))
    palette = style.harmony.minor if key.mode == "minor" else style.harmony.major
    return [*before, Chord(last_bar, bar_ticks, key.tonic, palette[-1])]


def _merge(chords: list[Chord]) -> list[Chord]:
    """One symbol for a chord that goes on; new symbols only at section starts and changes."""
    merged: list[Chord] = []
    for chord in chords:
        previous = merged[-1] if merged else None
        if previous and (previous.root, previous.quality) == (chord.root, chord.quality):
            merged[-1] = replace(previous, duration=chord.end - previous.onset)
        else:
            merged.append(chord)
    return merged
