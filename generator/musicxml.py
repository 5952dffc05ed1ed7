"""A Score as MusicXML 4.0, for notation programs: parts, chord symbols, section marks, tempo.

What is written is the score on its grid: swing and microtiming are the player's, not the page's. A part's
overlapping notes are cut at every change and tied, so each part is one voice of chords.
"""

from __future__ import annotations

import bisect
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

from generator.brief import Key
from generator.corpus.piece import GRID
from generator.notation import gm_program
from generator.render.instruments import INSTRUMENTS
from generator.score import FLAT_NAMES, PPQ, SHARP_NAMES, Chord, Part, Score

_TICKS = PPQ // GRID
_PLACES = (0, 3, 4, 6, 8, 9, 12)
# Written lengths in grid steps: type, dots, triplet.
_VALUES = {
    48: ("whole", 0, False), 36: ("half", 1, False), 24: ("half", 0, False), 18: ("quarter", 1, False),
    12: ("quarter", 0, False), 9: ("eighth", 1, False), 8: ("quarter", 0, True), 6: ("eighth", 0, False),
    4: ("eighth", 0, True), 3: ("16th", 0, False), 2: ("16th", 0, True), 1: ("32nd", 0, True),
}  # fmt: skip
_KINDS = {
    "": "major", "m": "minor", "7": "dominant", "maj7": "major-seventh", "m7": "minor-seventh", "6": "major-sixth",
    "m6": "minor-sixth", "dim": "diminished", "dim7": "diminished-seventh", "m7b5": "half-diminished",
    "aug": "augmented", "sus4": "suspended-fourth", "7sus4": "suspended-fourth", "add9": "major",
    "9": "dominant-ninth", "maj9": "major-ninth", "m9": "minor-ninth", "13": "dominant-13th",
}  # fmt: skip
# Where General MIDI drums stand on a percussion staff.
_DRUM_LINES = {36: "F4", 37: "C5", 38: "C5", 39: "C5", 42: "G5", 44: "D4", 45: "A4", 46: "G5", 47: "D5", 49: "A5",
               50: "E5", 51: "F5", 54: "B5", 70: "B5"}  # fmt: skip

_Slice = tuple[int, int, frozenset[int], frozenset[int]]
"""(start, end, pitches sounding, pitches that began before) in grid steps."""


def write_musicxml(score: Score, path: Path) -> None:
    root = ET.Element("score-partwise", version="4.0")
    work = ET.SubElement(root, "work")
    ET.SubElement(work, "work-title").text = score.title
    identification = ET.SubElement(root, "identification")
    ET.SubElement(identification, "creator", type="composer").text = "Tunesmith (AI-generated)"
    part_list = ET.SubElement(root, "part-list")
    for index, part in enumerate(score.parts, start=1):
        _list_part(part_list, part, f"P{index}")
    for index, part in enumerate(score.parts, start=1):
        _write_part(root, score, part, f"P{index}", lead=index == 1)
    ET.indent(root)
    header = '<?xml version="1.0" encoding="UTF-8"?>\n'
    path.write_text(header + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def _is_percussion(part: Part) -> bool:
    return part.role in {"drums", "texture"}


def _list_part(part_list: ET.Element, part: Part, identity: str) -> None:
    instrument = INSTRUMENTS[part.instrument]
    entry = ET.SubElement(part_list, "score-part", id=identity)
    ET.SubElement(entry, "part-name").text = f"{part.name.capitalize()} ({instrument.label})"
    sound = ET.SubElement(entry, "score-instrument", id=f"{identity}-I1")
    ET.SubElement(sound, "instrument-name").text = instrument.label
    midi = ET.SubElement(entry, "midi-instrument", id=f"{identity}-I1")
    ET.SubElement(midi, "midi-channel").text = "10" if _is_percussion(part) else "1"
    ET.SubElement(midi, "midi-program").text = str(gm_program(part.instrument) + 1)


def _write_part(root: ET.Element, score: Score, part: Part, identity: str, *, lead: bool) -> None:
    element = ET.SubElement(root, "part", id=identity)
    steps = score.meter.bar_ticks // _TICKS
    slices = _slices(part, score.bars * steps)
    low = not _is_percussion(part) and sum(n.pitch for n in part.notes) / max(1, len(part.notes)) < 55
    for bar in range(score.bars):
        measure = ET.SubElement(element, "measure", number=str(bar + 1))
        if bar == 0:
            _write_attributes(measure, score, part, low=low)
        if lead:
            _write_directions(measure, score, bar)
        start = bar * steps
        for begin, end, pitches, continued in _cut(slices, start, start + steps):
            if lead:
                _write_harmony(measure, score, begin, end)
            _write_chord(measure, score.key, part, end - begin, pitches, continued, _goes_on(slices, end, pitches))


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
    sign, line = ("percussion", None) if _is_percussion(part) else ("F", "4") if low else ("G", "2")
    ET.SubElement(clef, "sign").text = sign
    if line:
        ET.SubElement(clef, "line").text = line


def _write_directions(measure: ET.Element, score: Score, bar: int) -> None:
    for section in score.sections:
        if section.start_bar == bar:
            direction = ET.SubElement(measure, "direction", placement="above")
            ET.SubElement(ET.SubElement(direction, "direction-type"), "rehearsal").text = section.name
    if bar == 0:
        direction = ET.SubElement(measure, "direction", placement="above")
        metronome = ET.SubElement(ET.SubElement(direction, "direction-type"), "metronome")
        ET.SubElement(metronome, "beat-unit").text = "quarter"
        ET.SubElement(metronome, "per-minute").text = f"{score.tempo_bpm:g}"
        ET.SubElement(direction, "sound", tempo=f"{score.tempo_bpm:g}")


def _write_harmony(measure: ET.Element, score: Score, begin: int, end: int) -> None:
    """Chord symbols stand before the note under which they begin."""
    for chord in score.chords:
        onset = chord.onset // _TICKS
        if begin <= onset < end:
            harmony = ET.SubElement(measure, "harmony")
            _write_step(ET.SubElement(harmony, "root"), "root", chord.root, score.key)
            kind = ET.SubElement(harmony, "kind", text=chord.quality)
            kind.text = _KINDS[chord.quality]
            if chord.bass is not None:
                _write_step(ET.SubElement(harmony, "bass"), "bass", chord.bass, score.key)
            if chord.quality in {"add9", "7sus4"}:
                _write_degree(harmony, chord)
            if onset > begin:
                ET.SubElement(harmony, "offset").text = str(onset - begin)


def _write_degree(harmony: ET.Element, chord: Chord) -> None:
    degree = ET.SubElement(harmony, "degree")
    ET.SubElement(degree, "degree-value").text = "9" if chord.quality == "add9" else "7"
    ET.SubElement(degree, "degree-alter").text = "0" if chord.quality == "add9" else "-1"
    ET.SubElement(degree, "degree-type").text = "add"


def _write_step(parent: ET.Element, prefix: str, pitch_class: int, key: Key) -> None:
    name = (FLAT_NAMES if key.fifths < 0 else SHARP_NAMES)[pitch_class]
    ET.SubElement(parent, f"{prefix}-step").text = name[0]
    if len(name) > 1:
        ET.SubElement(parent, f"{prefix}-alter").text = "1" if name[1] == "#" else "-1"


def _snap(tick: int) -> int:
    beat, rest = divmod(round(tick / _TICKS), GRID)
    return beat * GRID + min(_PLACES, key=lambda place: abs(place - rest))


def _slices(part: Part, end: int) -> list[_Slice]:
    """Cut the part at every onset and release; each slice knows what sounds and what is tied into it."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for note in part.notes:
        begin = _snap(note.onset)
        if begin < end:
            spans.setdefault(note.pitch, []).append((begin, min(end, max(begin + 3, _snap(note.end)))))
    events: list[tuple[int, int, int]] = []
    for pitch, intervals in spans.items():
        intervals.sort()
        for (begin, stop), (following, _) in pairwise([*intervals, (end + 1, 0)]):
            if min(stop, following) > begin:
                events.append((begin, min(stop, following), pitch))
    times = sorted({0, end, *(t for begin, stop, _ in events for t in (begin, stop))})
    sounding: list[set[int]] = [set() for _ in times]
    carried: list[set[int]] = [set() for _ in times]
    for begin, stop, pitch in events:
        for index in range(bisect.bisect_left(times, begin), bisect.bisect_left(times, stop)):
            sounding[index].add(pitch)
            if times[index] > begin:
                carried[index].add(pitch)
    return [
        (begin, stop, frozenset(sounding[index]), frozenset(carried[index]))
        for index, (begin, stop) in enumerate(pairwise(times))
    ]


def _cut(slices: list[_Slice], start: int, end: int) -> list[_Slice]:
    """The slices of one bar, split into lengths that can be written; later pieces are tied to the first."""
    found: list[_Slice] = []
    first = max(0, bisect.bisect_right(slices, start, key=lambda s: s[0]) - 1)
    for begin, stop, pitches, continued in slices[first:]:
        if begin >= end:
            break
        at, until = max(begin, start), min(stop, end)
        tied = continued if at == begin else pitches
        while at < until:
            length = _written_length(at - start, until - at)
            found.append((at, at + length, pitches, tied))
            at += length
            tied = pitches
    return found


def _written_length(place: int, length: int) -> int:
    """The longest writable value from a place in the bar; off the beat it does not cross into the next beat."""
    room = length if place % GRID == 0 else min(length, GRID - place % GRID)
    return next(value for value in _VALUES if value <= room)


def _goes_on(slices: list[_Slice], at: int, pitches: frozenset[int]) -> frozenset[int]:
    """Which of the pitches are tied over a point in time."""
    index = bisect.bisect_right(slices, at, key=lambda s: s[0]) - 1
    if index < 0 or at >= slices[index][1]:
        return frozenset()
    begin, _, sounding, continued = slices[index]
    return pitches & (continued if begin == at else sounding)


def _write_chord(
    measure: ET.Element,
    key: Key,
    part: Part,
    length: int,
    pitches: frozenset[int],
    continued: frozenset[int],
    goes_on: frozenset[int],
) -> None:
    name, dots, triplet = _VALUES[length]
    for index, pitch in enumerate(sorted(pitches) or [None]):
        note = ET.SubElement(measure, "note")
        if index:
            ET.SubElement(note, "chord")
        if pitch is None:
            ET.SubElement(note, "rest")
        else:
            _write_pitch(note, key, part, pitch)
        ET.SubElement(note, "duration").text = str(length)
        ties = [t for t, present in (("stop", pitch in continued), ("start", pitch in goes_on)) if present]
        for tie in ties:
            ET.SubElement(note, "tie", type=tie)
        ET.SubElement(note, "voice").text = "1"
        ET.SubElement(note, "type").text = name
        for _ in range(dots):
            ET.SubElement(note, "dot")
        if triplet:
            modification = ET.SubElement(note, "time-modification")
            ET.SubElement(modification, "actual-notes").text = "3"
            ET.SubElement(modification, "normal-notes").text = "2"
        if ties:
            notations = ET.SubElement(note, "notations")
            for tie in ties:
                ET.SubElement(notations, "tied", type=tie)


def _write_pitch(note: ET.Element, key: Key, part: Part, pitch: int) -> None:
    if _is_percussion(part):
        line = _DRUM_LINES.get(pitch, "C5")
        unpitched = ET.SubElement(note, "unpitched")
        ET.SubElement(unpitched, "display-step").text = line[0]
        ET.SubElement(unpitched, "display-octave").text = line[1]
        return
    name = (FLAT_NAMES if key.fifths < 0 else SHARP_NAMES)[pitch % 12]
    element = ET.SubElement(note, "pitch")
    ET.SubElement(element, "step").text = name[0]
    if len(name) > 1:
        ET.SubElement(element, "alter").text = "1" if name[1] == "#" else "-1"
    ET.SubElement(element, "octave").text = str(pitch // 12 - 1)
