"""A Score as ABC notation (standard 2.1): every part a voice, chord symbols, sections, tempo changes and words.

What is written is the score on its grid (`page.written`). Directives, which other programs pass over, say what ABC
has no field for; `abc_in` reads all of it back.
"""

from __future__ import annotations

import re
from pathlib import Path

from generator.brief import Key
from generator.corpus.piece import GRID
from generator.notation.cast import gm_program
from generator.notation.page import TICKS, VALUES, Slice, bar_slices, goes_on, is_percussion, slices, written
from generator.notation.symbols import (
    alteration,
    chord_marks,
    describe_part,
    describe_section,
    octave_of,
    signature,
    spelled,
)
from generator.render.instruments import INSTRUMENTS
from generator.score import Part, Score

UNIT = GRID // 4
"""Grid steps of the unit length, a sixteenth."""
BARS_PER_LINE = 4


def write_abc(score: Score, path: Path) -> None:
    score = written(score)
    lines = [
        "%abc-2.1", "X:1", f"T:{_escaped(score.title)}", "C:Tunesmith (AI-generated)", f"M:{score.meter}", "L:1/16",
        f"Q:1/4={score.tempo_bpm:g}",
    ]  # fmt: skip
    lines += [f"%%tunesmith-section {describe_section(section)}" for section in score.sections]
    lines.append(f"K:{spelled(score.key.tonic, score.key)}{'m' if score.key.mode == 'minor' else ''}")
    for index, part in enumerate(score.parts, start=1):
        lines += _head(part, index)
        lines += _voice(score, part, lead=index == 1)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head(part: Part, index: int) -> list[str]:
    """What stands before a voice's music."""
    label = f"{part.name} ({INSTRUMENTS[part.instrument].label})"
    return [
        f"%%tunesmith-part {index} {describe_part(part.name, part.role, part.instrument)}",
        f'V:{index} name="{label}"{" clef=perc" if is_percussion(part) else ""}',
        "%%MIDI channel 10" if part.role == "drums" else f"%%MIDI program {gm_program(part.instrument)}",
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%")


def _voice(score: Score, part: Part, *, lead: bool) -> list[str]:
    """The music lines of a voice, each followed by its words where it is sung."""
    steps = score.meter.bar_ticks // TICKS
    marks = _marks(score) if lead else {}
    whole = slices(part, score.bars * steps, cuts=marks)
    sung = any(note.lyric for note in part.notes)
    lines = []
    for first in range(0, score.bars, BARS_PER_LINE):
        bars = [bar_slices(whole, bar, steps) for bar in range(first, min(score.bars, first + BARS_PER_LINE))]
        last = first + BARS_PER_LINE >= score.bars
        lines.append(" ".join(f"{_bar(pieces, score.key, marks)} |" for pieces in bars) + ("]" if last else ""))
        if sung:
            lines.append("w: " + " | ".join(_words(pieces) for pieces in bars))
    return lines


def _marks(score: Score) -> dict[int, str]:
    """What stands before the note at a grid step: section, tempo, chord symbol."""
    marks: dict[int, str] = {}
    for section in score.sections:
        step = section.start_bar * score.meter.bar_ticks // TICKS
        marks[step] = marks.get(step, "") + f"[P:{section.name}]"
    for change in score.tempos[1:]:
        marks[change.tick // TICKS] = marks.get(change.tick // TICKS, "") + f"[Q:1/4={change.bpm:g}]"
    for tick, symbol in chord_marks(score.chords, score.end_tick, score.key):
        marks[tick // TICKS] = marks.get(tick // TICKS, "") + f'"{symbol}"'
    return marks


def _bar(pieces: list[Slice], key: Key, marks: dict[int, str]) -> str:
    """Notes of one bar; those that follow each other in triplet values share a tuplet."""
    touched: set[str] = set()  # letters that have had an accidental in this bar
    words = []
    for index, piece in enumerate(pieces):
        triplet = VALUES[piece.length][2]
        text = marks.get(piece.start, "")
        if triplet and not (index and VALUES[pieces[index - 1].length][2]):
            run = next((n for n, p in enumerate(pieces[index:]) if not VALUES[p.length][2]), len(pieces) - index)
            text += f"(3:2:{run}"
        steps = piece.length * 3 // 2 if triplet else piece.length
        half = piece.length * 3 % 2 if triplet else 0
        words.append(text + _sound(piece, key, touched, _length(2 * steps + half)))
    return " ".join(words)


def _length(halves: int) -> str:
    """A length in half grid steps as a multiple of the unit."""
    over, under = halves, 2 * UNIT
    for prime in (2, 3):
        while over % prime == 0 and under % prime == 0:
            over, under = over // prime, under // prime
    return ("" if over == 1 else str(over)) + ("" if under == 1 else f"/{under}")


def _sound(piece: Slice, key: Key, touched: set[str], length: str) -> str:
    onward = goes_on(piece)
    names = [(_pitch(pitch, key, touched), "-" if pitch in onward else "") for pitch in sorted(piece.sounding)]
    if len(names) > 1:
        return f"[{''.join(name + tie for name, tie in names)}]{length}"
    name, tie = names[0] if names else ("z", "")
    return f"{name}{length}{tie}"


def _pitch(pitch: int, key: Key, touched: set[str]) -> str:
    """With an accidental wherever the letter alone could be misread, in whatever way a program carries accidentals."""
    name = spelled(pitch, key)
    letter, altered = name[0], alteration(name)
    accidental = ""
    if altered != signature(letter, key.fifths) or letter in touched:
        accidental = {1: "^", -1: "_", 0: "="}[altered]
        touched.add(letter)
    octave = octave_of(pitch, name) - 4
    return accidental + (letter.lower() + "'" * (octave - 1) if octave > 0 else letter + "," * -octave)


def _words(pieces: list[Slice]) -> str:
    """A syllable, a hold (_) or nothing (*) for every chord that is not a rest."""
    words = []
    for piece in pieces:
        begun = [note for pitch, note in piece.sounding.items() if pitch not in piece.tied]
        if begun:
            lyric = next((note.lyric for note in begun if note.lyric), "")
            words.append(_syllable(lyric) if lyric else "*")
        elif piece.sounding:
            words.append("_")
    return " ".join(words)


def _syllable(lyric: str) -> str:
    text, more = (lyric[:-1], "-") if lyric.endswith("-") else (lyric, "")
    text = re.sub(r"[_*|\\%]", "", text).replace("-", "\\-")
    return re.sub(r"\s+", "~", text.strip()) + more or "*"
