"""The lead sheet inside a Score: its tune and chords as bars on the grid, its form as a Plan.

This is what the composer and the arranger start from, so it is also where every change of the music begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from generator.arrange.harmony import Outline
from generator.arrange.mood import feeling_of
from generator.arrange.style import Style
from generator.brief import Brief
from generator.compose import Lead
from generator.corpus.harmony import infer_chords
from generator.corpus.piece import GRID, Bar, GridChord, GridNote
from generator.errors import EditError
from generator.model.tokens import PLACES, POSITIONS
from generator.notation.page import TICKS, snap
from generator.plan import Plan
from generator.score import Chord, Note, Part, Score


def tune_of(score: Score) -> Part:
    """The part that has the melody: by its role, else the highest pitched part. Raises EditError for drums alone."""
    named = [part for part in score.parts if part.role == "melody" and part.notes]
    others = [part for part in score.parts if part.role not in {"drums", "texture", "bass"} and part.notes]
    if not named and not others:
        raise EditError("The piece has no part that could carry a tune.")
    return named[0] if named else max(others, key=lambda part: sum(n.pitch for n in part.notes) / len(part.notes))


def chords_of(score: Score) -> tuple[Chord, ...]:
    """The chord symbols; where there are none, what the notes suggest, a chord to the beat at most."""
    if score.chords:
        return score.chords
    notes = [
        (note.onset // TICKS, max(1, note.duration // TICKS), note.pitch)
        for part in score.parts if part.role not in {"drums", "texture"} for note in part.notes
    ]  # fmt: skip
    beat = GRID * TICKS
    chords: list[Chord] = []
    for index, found in enumerate(infer_chords(notes, score.end_tick // TICKS)):
        if found is None:
            continue
        same = chords and (chords[-1].root, chords[-1].quality) == found
        if same and (index * beat) % score.meter.bar_ticks:
            chords[-1] = replace(chords[-1], duration=(index + 1) * beat - chords[-1].onset)
        else:
            chords.append(Chord(index * beat, min(beat, score.end_tick - index * beat), *found))
    return tuple(chords)


def bars_of(score: Score) -> tuple[Bar, ...]:
    """Tune and chords of every bar, as the composer reads them; of notes at the same time the highest counts."""
    steps = score.meter.bar_ticks // TICKS
    melody: list[dict[int, GridNote]] = [{} for _ in range(score.bars)]
    for note in _voice(tune_of(score).notes):
        bar, pos = divmod(snap(note.onset, steps), steps)
        if bar < score.bars and pos in POSITIONS:
            melody[bar][pos] = GridNote(pos, max(1, round(note.duration / TICKS)), note.pitch)
    harmony: list[dict[int, GridChord]] = [{} for _ in range(score.bars)]
    for chord in chords_of(score):
        bar, place = divmod(chord.onset // TICKS, steps)
        pos = place // GRID * GRID + max(p for p in PLACES if p <= place % GRID)
        harmony[bar][pos] = GridChord(pos, chord.root, chord.quality)
    return tuple(
        Bar(chords=tuple(c for _, c in sorted(chords.items())), melody=tuple(n for _, n in sorted(tune.items())))
        for chords, tune in zip(harmony, melody, strict=True)
    )


def _voice(notes: Sequence[Note]) -> list[Note]:
    """One voice: the top note of each moment, until the next one begins."""
    top = {note.onset: note for note in sorted(notes, key=lambda note: note.pitch)}
    onsets = sorted(top)
    ends = [*onsets[1:], max((note.end for note in notes), default=0)]
    return [
        replace(top[onset], duration=max(1, min(top[onset].duration, end - onset)))
        for onset, end in zip(onsets, ends, strict=True)
    ]


def lead_of(score: Score) -> Lead:
    """The score's lead sheet by section: the bars of the first section of each name and of each material."""
    bars = bars_of(score)
    materials: dict[str, tuple[Bar, ...]] = {}
    for section in score.sections:
        music = bars[section.start_bar : section.start_bar + section.bars]
        if not section.name.islower():
            materials.setdefault(section.material, music)
            materials.setdefault(section.name, music)
    for section in score.sections:  # a frame may be all there is
        materials.setdefault(section.material, bars[section.start_bar : section.start_bar + section.bars])
    return Lead(score.key, materials)


def plan_of(score: Score) -> Plan:
    """The score's form, as if it had been planned."""
    materials = tuple(sorted({section.material for section in score.sections}))
    return Plan(
        score.bars, score.meter, score.tempo_bpm, score.sections, materials, lift=0.0, tempos=score.tempos, loop=False
    )


def outline_of(score: Score, brief: Brief, style: Style) -> Outline:
    """Tune and chords as they stand in the score, ready for another band."""
    tune = _voice([replace(note, micro=0) for note in tune_of(score).notes])
    chords = chords_of(score)
    if not chords:
        raise EditError("The piece has no chords and no notes to hear them from.")
    onsets = tuple(chord.onset for chord in chords)
    return Outline(
        score.key, plan_of(score), chords, tuple(tune), feeling_of(brief), brief.novelty, style.ending.kind, onsets
    )  # fmt: skip


def bars_at(score: Score, first: int, last: int) -> tuple[int, int]:
    """Ticks from bar `first` to the end of bar `last` (from 1). Raises EditError outside the piece."""
    if not 1 <= first <= last <= score.bars:
        raise EditError(f"The piece has bars 1 to {score.bars}; there is no stretch from {first} to {last}.")
    return (first - 1) * score.meter.bar_ticks, last * score.meter.bar_ticks


def section_at(score: Score, bar: int) -> int:
    """Index of the section that holds a bar (from 0)."""
    return max(0, bisect_right([section.start_bar for section in score.sections], bar) - 1)
