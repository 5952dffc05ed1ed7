"""Lay the lead's bars out over the form: one chord symbol timeline and the melody, in ticks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from generator.arrange.style import Style
from generator.brief import Key
from generator.compose import Lead
from generator.corpus.piece import GRID, Bar
from generator.plan import Plan
from generator.score import PPQ, Chord, Note, Section

TICKS = PPQ // GRID
"""Ticks of one grid step."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The piece before it is given to players."""

    key: Key
    plan: Plan
    chords: tuple[Chord, ...]
    melody: tuple[Note, ...]

    def chord_at(self, tick: int) -> Chord:
        """The chord sounding at a tick; the last one after the end."""
        index = int(np.searchsorted([chord.onset for chord in self.chords], tick, side="right")) - 1
        return self.chords[max(0, index)]

    def chords_in(self, start: int, end: int) -> list[Chord]:
        """The chords of a stretch, cut to it."""
        found = []
        for chord in self.chords:
            left, right = max(chord.onset, start), min(chord.end, end)
            if left < right:
                found.append(replace(chord, onset=left, duration=right - left))
        return found


def lay_out(lead: Lead, plan: Plan, style: Style, rng: np.random.Generator) -> Outline:
    """Write out every section from its material. Sections that return (A') have their own variation, and ornament it;
    frame sections (intro, break, outro) keep only the harmony; the piece ends on the tonic."""
    bar_ticks = plan.meter.bar_ticks
    chords: list[Chord] = []
    melody: list[Note] = []
    for section in plan.sections:
        bars = lead.materials.get(section.name) or lead.materials[section.material]
        tune: list[Note] = []
        for index, source in enumerate(_bar_order(section, len(bars))):
            start = (section.start_bar + index) * bar_ticks
            bar = bars[source]
            chords += _bar_chords(bar, start, bar_ticks)
            if not section.name.islower():
                tune += _bar_melody(bar, start, swung=style.playing.swing_unit == 8 and style.playing.swing > 0.3)
        melody += _vary(tune, section, style, rng)
    chords = _merge(_end_on_tonic(chords, lead.key, plan, style))
    return Outline(lead.key, plan, tuple(chords), tuple(_one_voice(melody, plan, lead.key)))


def _bar_order(section: Section, material_bars: int) -> list[int]:
    """Which bars of its material a section plays: round and round; a short return keeps the opening and the cadence."""
    if "'" in section.name and 4 <= section.bars < material_bars:
        return [*range(section.bars - 2), material_bars - 2, material_bars - 1]
    return [index % material_bars for index in range(section.bars)]


def _bar_chords(bar: Bar, start: int, bar_ticks: int) -> list[Chord]:
    onsets = [chord.pos * TICKS for chord in bar.chords]
    ends = [*onsets[1:], bar_ticks]
    return [
        Chord(start + onset, end - onset, chord.root, chord.quality)
        for chord, onset, end in zip(bar.chords, onsets, ends, strict=True)
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
    """Notes in order, none over the next one or over the end; the last one rests on the tonic chord."""
    ordered = sorted({note.onset: note for note in melody}.values(), key=lambda note: note.onset)
    end = plan.bars * plan.meter.bar_ticks
    voice = []
    for note, following in zip(ordered, [*(n.onset for n in ordered[1:]), end], strict=False):
        voice.append(replace(note, duration=max(PPQ // 8, min(note.duration, following - note.onset))))
    if voice:
        last = voice[-1]
        tonic_triad = {(key.tonic + step) % 12 for step in ((0, 3, 7) if key.mode == "minor" else (0, 4, 7))}
        pitch = min(
            range(last.pitch - 4, last.pitch + 5), key=lambda p: (p % 12 not in tonic_triad, abs(p - last.pitch))
        )
        voice[-1] = replace(last, pitch=pitch)
    return voice


def _end_on_tonic(chords: list[Chord], key: Key, plan: Plan, style: Style) -> list[Chord]:
    """The last bar is the tonic, in the style's colour; where no tune is in the way, its dominant leads there."""
    bar_ticks = plan.meter.bar_ticks
    last_bar = (plan.bars - 1) * bar_ticks
    before = [chord for chord in chords if chord.onset < last_bar]
    if plan.sections[-1].name.islower() and plan.sections[-1].bars >= 2:
        turn = last_bar - bar_ticks // (2 if plan.meter.beats % 2 == 0 and style.harmony.bars_per_chord == 1 else 1)
        before = [replace(c, duration=min(c.end, turn) - c.onset) for c in before if c.onset < turn]
        before.append(Chord(turn, last_bar - turn, (key.tonic + 7) % 12, style.harmony.dominant[0]))
    quality = (style.harmony.minor if key.mode == "minor" else style.harmony.major)[-1]
    return [*before, Chord(last_bar, bar_ticks, key.tonic, quality)]


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
