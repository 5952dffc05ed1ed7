"""A Score as MusicXML 4.0, for notation programs: parts, chord symbols, section marks, tempo, words.

What is written is the score on its grid (`page.written`). What the page cannot show of sections and parts stands in
the file's miscellaneous fields, which programs keep; `musicxml_in` reads all of it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from generator.brief import Key
from generator.corpus.piece import GRID
from generator.notation.beams import Beams, beams
from generator.notation.cast import gm_program
from generator.notation.page import TICKS, VALUES, Slice, bar_slices, goes_on, is_percussion, slices, written
from generator.notation.symbols import (
    NO_CHORD,
    alteration,
    chord_marks,
    describe_part,
    describe_section,
    octave_of,
    read_symbol,
    signature,
    spelled,
)
from generator.render.instruments import INSTRUMENTS
from generator.score import Note, Part, Score, TempoChange

_KINDS = {
    "": "major", "m": "minor", "7": "dominant", "maj7": "major-seventh", "m7": "minor-seventh", "6": "major-sixth",
    "m6": "minor-sixth", "dim": "diminished", "dim7": "diminished-seventh", "m7b5": "half-diminished",
    "aug": "augmented", "sus4": "suspended-fourth", "7sus4": "suspended-fourth", "add9": "major",
    "9": "dominant-ninth", "maj9": "major-ninth", "m9": "minor-ninth", "13": "dominant-13th",
}  # fmt: skip
# Where General MIDI drums stand on a percussion staff.
DRUM_LINES = {36: "F4", 37: "C5", 38: "C5", 39: "C5", 42: "G5", 44: "D4", 45: "A4", 46: "G5", 47: "D5", 49: "A5",
              50: "E5", 51: "F5", 54: "B5", 70: "B5"}  # fmt: skip
FORTE = 90
"""The velocity that MusicXML counts as 100 %."""


def write_musicxml(score: Score, path: Path) -> None:
    score = written(score)
    root = ET.Element("score-partwise", version="4.0")
    work = ET.SubElement(root, "work")
    ET.SubElement(work, "work-title").text = score.title
    _identify(root, score)
    part_list = ET.SubElement(root, "part-list")
    for index, part in enumerate(score.parts, start=1):
        _list_part(part_list, part, f"P{index}")
    for index, part in enumerate(score.parts, start=1):
        _write_part(root, score, part, f"P{index}", lead=index == 1)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    _print(root, "", lines)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _print(element: ET.Element, indent: str, lines: list[str]) -> None:
    """As `ET.indent` and `ET.tostring`, in a third of the time: an element of ours has a text or children."""
    given = "".join([f" {name}={quoteattr(value)}" for name, value in element.items()])
    if len(element):
        lines.append(f"{indent}<{element.tag}{given}>")
        for child in element:
            _print(child, indent + "  ", lines)
        lines.append(f"{indent}</{element.tag}>")
    elif element.text:
        lines.append(f"{indent}<{element.tag}{given}>{escape(element.text)}</{element.tag}>")
    else:
        lines.append(f"{indent}<{element.tag}{given} />")


def part_label(part: Part) -> str:
    """The part's name on the page."""
    return f"{part.name.capitalize()} ({INSTRUMENTS[part.instrument].label})"


def _identify(root: ET.Element, score: Score) -> None:
    identification = ET.SubElement(root, "identification")
    ET.SubElement(identification, "creator", type="composer").text = "Tunesmith (AI-generated)"
    more = ET.SubElement(identification, "miscellaneous")
    for number, section in enumerate(score.sections, start=1):
        ET.SubElement(more, "miscellaneous-field", name=f"section {number}").text = describe_section(section)
    for part in score.parts:
        described = describe_part(part.name, part.role, part.instrument)
        ET.SubElement(more, "miscellaneous-field", name=f"part {part_label(part)}").text = described


def _list_part(part_list: ET.Element, part: Part, identity: str) -> None:
    """A percussion part names every drum, so that a program knows which one a note strikes."""
    label = INSTRUMENTS[part.instrument].label
    entry = ET.SubElement(part_list, "score-part", id=identity)
    ET.SubElement(entry, "part-name").text = part_label(part)
    drums = sorted({note.pitch for note in part.notes}) if is_percussion(part) else []
    sounds: list[tuple[str, int | None]] = [(f"{identity}-I{pitch + 1}", pitch) for pitch in drums]
    sounds = sounds or [(f"{identity}-I1", None)]
    for sound, pitch in sounds:
        about = ET.SubElement(entry, "score-instrument", id=sound)
        ET.SubElement(about, "instrument-name").text = label if pitch is None else f"{label} {pitch}"
    for sound, pitch in sounds:
        midi = ET.SubElement(entry, "midi-instrument", id=sound)
        ET.SubElement(midi, "midi-channel").text = "10" if is_percussion(part) else "1"
        ET.SubElement(midi, "midi-program").text = str(gm_program(part.instrument) + 1)
        if pitch is not None:
            ET.SubElement(midi, "midi-unpitched").text = str(pitch + 1)


def _write_part(root: ET.Element, score: Score, part: Part, identity: str, *, lead: bool) -> None:
    element = ET.SubElement(root, "part", id=identity)
    steps = score.meter.bar_ticks // TICKS
    whole = slices(part, score.bars * steps)
    marks = [(tick // TICKS, text) for tick, text in chord_marks(score.chords, score.end_tick, score.key)]
    slowing = _slowing(score.tempos, score.meter.bar_ticks)
    syllables = _syllabic(part)
    low = not is_percussion(part) and sum(n.pitch for n in part.notes) / max(1, len(part.notes)) < 55
    for bar in range(score.bars):
        measure = ET.SubElement(element, "measure", number=str(bar + 1))
        if bar == 0:
            _write_attributes(measure, score, part, low=low)
        if lead:
            _write_sections(measure, score, bar)
        pieces = bar_slices(whole, bar, steps)
        in_force: dict[tuple[str, int], int] = {}
        for piece, beam in zip(pieces, beams(pieces, bar * steps, score.meter), strict=True):
            if lead:
                _write_tempos(measure, score, slowing, piece)
                _write_harmony(measure, marks, piece)
            _write_chord(measure, score.key, part, piece, syllables, identity, beam, in_force)
        if bar == score.bars - 1:
            ET.SubElement(ET.SubElement(measure, "barline", location="right"), "bar-style").text = "light-heavy"


def _write_attributes(measure: ET.Element, score: Score, part: Part, *, low: bool) -> None:
    """Key, time and clef stand inside the first measure; readers look nowhere else."""
    attributes = ET.SubElement(measure, "attributes")
    ET.SubElement(attributes, "divisions").text = str(GRID)
    key = ET.SubElement(attributes, "key")
    ET.SubElement(key, "fifths").text = str(score.key.fifths)
    ET.SubElement(key, "mode").text = score.key.mode
    time = ET.SubElement(attributes, "time")
    ET.SubElement(time, "beats").text = str(score.meter.beats)
    ET.SubElement(time, "beat-type").text = str(score.meter.beat_unit)
    clef = ET.SubElement(attributes, "clef")
    sign, line = ("percussion", None) if is_percussion(part) else ("F", "4") if low else ("G", "2")
    ET.SubElement(clef, "sign").text = sign
    if line:
        ET.SubElement(clef, "line").text = line


def _write_sections(measure: ET.Element, score: Score, bar: int) -> None:
    for section in score.sections:
        if section.start_bar == bar:
            direction = ET.SubElement(measure, "direction", placement="above")
            ET.SubElement(ET.SubElement(direction, "direction-type"), "rehearsal").text = section.name


def _write_tempos(measure: ET.Element, score: Score, slowing: Mapping[int, bool], piece: Slice) -> None:
    """Tempo marks; where the music slows down step by step the page says "rit." once, and programs hear every step."""
    for change in score.tempos:
        step = change.tick // TICKS
        if not piece.start <= step < piece.end:
            continue
        first = slowing.get(change.tick)
        if first is False:
            sound = ET.SubElement(measure, "sound", tempo=f"{change.bpm:g}")
            _write_offset(sound, step - piece.start)
            continue
        direction = ET.SubElement(measure, "direction", placement="above")
        shown = ET.SubElement(direction, "direction-type")
        if first:
            ET.SubElement(shown, "words", {"font-style": "italic"}).text = "rit."
        else:
            metronome = ET.SubElement(shown, "metronome")
            ET.SubElement(metronome, "beat-unit").text = "quarter"
            ET.SubElement(metronome, "per-minute").text = f"{change.bpm:.0f}"
        _write_offset(direction, step - piece.start)
        ET.SubElement(direction, "sound", tempo=f"{change.bpm:g}")


def _slowing(tempos: Sequence[TempoChange], bar_ticks: int) -> dict[int, bool]:
    """Every step by which the music slows down, by tick, where several follow within a bar of each other; True for the
    first."""
    steps = [
        (after.tick, after.bpm < before.bpm, after.tick - before.tick <= bar_ticks)
        for before, after in pairwise(tempos)
    ]  # fmt: skip
    found: dict[int, bool] = {}
    going = False
    for (tick, slower, near), (_, then_slower, then_near) in zip(steps, [*steps[1:], (0, False, False)], strict=False):
        going, begins = going and slower and near, slower and then_slower and then_near
        if going or begins:
            found[tick] = not going
        going = going or begins
    return found


def _write_offset(element: ET.Element, steps: int) -> None:
    if steps:
        ET.SubElement(element, "offset").text = str(steps)


def _write_harmony(measure: ET.Element, marks: Sequence[tuple[int, str]], piece: Slice) -> None:
    """Chord symbols, as (step, text), stand before the note under which they begin."""
    for step, text in marks:
        if not piece.start <= step < piece.end:
            continue
        harmony = ET.SubElement(measure, "harmony")
        symbol = read_symbol(text)
        _write_step(ET.SubElement(harmony, "root"), "root", text if symbol else "C")
        kind = ET.SubElement(harmony, "kind", text=symbol.quality if symbol else NO_CHORD)
        kind.text = _KINDS[symbol.quality] if symbol else "none"
        if symbol and symbol.bass is not None:
            _write_step(ET.SubElement(harmony, "bass"), "bass", text.rpartition("/")[2])
        if symbol and symbol.quality in {"add9", "7sus4"}:
            _write_degree(harmony, symbol.quality)
        _write_offset(harmony, step - piece.start)


def _write_degree(harmony: ET.Element, quality: str) -> None:
    degree = ET.SubElement(harmony, "degree", {"print-object": "no"})  # the kind's text says it
    ET.SubElement(degree, "degree-value").text = "9" if quality == "add9" else "7"
    ET.SubElement(degree, "degree-alter").text = "0" if quality == "add9" else "-1"
    ET.SubElement(degree, "degree-type").text = "add"


def _write_step(parent: ET.Element, prefix: str, name: str) -> None:
    """The note name that a text begins with."""
    ET.SubElement(parent, f"{prefix}-step").text = name[0]
    if name[1:2] in {"#", "b"}:
        ET.SubElement(parent, f"{prefix}-alter").text = "1" if name[1] == "#" else "-1"


def _syllabic(part: Part) -> dict[int, tuple[str, str]]:
    """By onset: the syllable without its hyphen and MusicXML's word for its place in the word."""
    found = {}
    inside = False
    for note in part.notes:
        if note.lyric:
            more = note.lyric.endswith("-")
            place = ("middle" if more else "end") if inside else "begin" if more else "single"
            found[note.onset] = (note.lyric[:-1] if more else note.lyric, place)
            inside = more
    return found


def _write_chord(
    measure: ET.Element,
    key: Key,
    part: Part,
    piece: Slice,
    syllables: dict[int, tuple[str, str]],
    identity: str,
    beam: Beams,
    in_force: dict[tuple[str, int], int],
) -> None:
    """A rest, or a note for every pitch that sounds; the first of them carries the beams. `in_force` are the bar's
    accidentals so far, by letter and octave."""
    if not piece.sounding:
        note = ET.SubElement(measure, "note")
        ET.SubElement(note, "rest")
        _write_value(note, piece, [])
    onward = goes_on(piece)
    for index, (pitch, sounding) in enumerate(sorted(piece.sounding.items())):
        note = ET.SubElement(measure, "note", dynamics=f"{sounding.velocity / FORTE * 100:.2f}")
        if index:
            ET.SubElement(note, "chord")
        ties = [tie for tie, present in (("stop", pitch in piece.tied), ("start", pitch in onward)) if present]
        if is_percussion(part):
            _write_drum(note, pitch)
            _write_value(note, piece, ties, instrument=f"{identity}-I{pitch + 1}")
        else:
            name, octave = _write_pitch(note, key, pitch)
            shown = "" if "stop" in ties else _accidental(name, octave, key, in_force)
            _write_value(note, piece, ties, accidental=shown)
        for number, state in enumerate(beam if not index else (), start=1):
            ET.SubElement(note, "beam", number=str(number)).text = state
        if ties:
            notations = ET.SubElement(note, "notations")
            for tie in ties:
                ET.SubElement(notations, "tied", type=tie)
        if sounding.lyric and pitch not in piece.tied:
            _write_lyric(note, sounding, syllables)


def _write_value(
    note: ET.Element, piece: Slice, ties: list[str], *, instrument: str = "", accidental: str = ""
) -> None:  # fmt: skip
    name, dots, triplet = VALUES[piece.length]
    ET.SubElement(note, "duration").text = str(piece.length)
    for tie in ties:
        ET.SubElement(note, "tie", type=tie)
    if instrument:
        ET.SubElement(note, "instrument", id=instrument)
    ET.SubElement(note, "voice").text = "1"
    ET.SubElement(note, "type").text = name
    for _ in range(dots):
        ET.SubElement(note, "dot")
    if accidental:
        ET.SubElement(note, "accidental").text = accidental
    if triplet:
        modification = ET.SubElement(note, "time-modification")
        ET.SubElement(modification, "actual-notes").text = "3"
        ET.SubElement(modification, "normal-notes").text = "2"


def _write_lyric(note: ET.Element, sounding: Note, syllables: dict[int, tuple[str, str]]) -> None:
    text, place = syllables[sounding.onset]
    lyric = ET.SubElement(note, "lyric", number="1")
    ET.SubElement(lyric, "syllabic").text = place
    ET.SubElement(lyric, "text").text = text


def _write_drum(note: ET.Element, pitch: int) -> None:
    line = DRUM_LINES.get(pitch, "C5")
    unpitched = ET.SubElement(note, "unpitched")
    ET.SubElement(unpitched, "display-step").text = line[0]
    ET.SubElement(unpitched, "display-octave").text = line[1]


def _write_pitch(note: ET.Element, key: Key, pitch: int) -> tuple[str, int]:
    """Returns the name and the octave."""
    name = spelled(pitch, key)
    octave = octave_of(pitch, name)
    element = ET.SubElement(note, "pitch")
    ET.SubElement(element, "step").text = name[0]
    if altered := alteration(name):
        ET.SubElement(element, "alter").text = str(altered)
    ET.SubElement(element, "octave").text = str(octave)
    return name, octave


def _accidental(name: str, octave: int, key: Key, in_force: dict[tuple[str, int], int]) -> str:
    """The accidental that a note needs on the page; programs draw none that is not written down."""
    letter, altered = name[0], alteration(name)
    usual = in_force.get((letter, octave), signature(letter, key.fifths))
    in_force[letter, octave] = altered
    return "" if altered == usual else {1: "sharp", -1: "flat", 0: "natural"}[altered]
