"""MusicXML scores, plain or zipped (.mxl), as Music. Repeats are not played out; grace and cue notes are dropped."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from generator.corpus.chords import quality_of
from generator.corpus.meters import fill_measures, meter_of
from generator.corpus.music import KeyChange, MeterChange, Music, RawChord, RawNote, Track, Unusable, Word
from generator.score import PPQ

MAX_BYTES = 60_000_000
"""The largest score we open, unzipped."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FORBIDDEN = re.compile(rb"<!ENTITY", re.IGNORECASE)  # entities can blow up; no score program writes them


@dataclass
class _Voice:
    """The notes and words of one staff of one part, by measure, in ticks from the measure's start."""

    notes: list[tuple[int, RawNote]] = field(default_factory=list)
    words: list[tuple[int, Word]] = field(default_factory=list)


@dataclass
class _Part:
    """One part as read: measure lengths, staves, and what stands above them."""

    name: str
    program: int | None
    lengths: list[int] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # measure, beats, unit
    keys: list[tuple[int, int, str]] = field(default_factory=list)  # measure, fifths, mode
    tempos: list[tuple[int, float]] = field(default_factory=list)
    chords: list[tuple[int, RawChord]] = field(default_factory=list)
    staves: dict[str, _Voice] = field(default_factory=dict)


def read_musicxml(path: Path) -> Music:
    """One Track for each staff that has notes, in score order. Raises Unusable."""
    root = _parse(path)
    if root.tag != "score-partwise":
        raise Unusable("not a partwise score")
    parts = [_read_part(element, root) for element in root.iterfind("part")]
    if not parts or not any(part.lengths for part in parts):
        raise Unusable("no notes")
    return _music(parts)


def title_of(path: Path) -> str:
    """The title inside a score, empty when there is none."""
    root = _parse(path)
    return (root.findtext("work/work-title") or root.findtext("movement-title") or "").strip()


def _parse(path: Path) -> ET.Element:
    try:
        data = _unzipped(path) if path.suffix == ".mxl" else path.read_bytes()
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise Unusable("not a readable score file") from error
    if len(data) > MAX_BYTES:
        raise Unusable("file too large")
    if _FORBIDDEN.search(data[:4096]):
        raise Unusable("entities in the XML")
    try:
        return ET.parse(io.BytesIO(data)).getroot()  # noqa: S314 - size bounded, no entities
    except ET.ParseError as error:
        raise Unusable("broken XML") from error


def _unzipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        scores = [
            i for i in archive.infolist() if i.filename.endswith(("xml", "musicxml")) and "META" not in i.filename
        ]
        if not scores or scores[0].file_size > MAX_BYTES:
            raise Unusable("no score in the archive" if not scores else "file too large")
        return archive.read(scores[0])


def _read_part(element: ET.Element, root: ET.Element) -> _Part:
    about = root.find(f"part-list/score-part[@id='{element.get('id')}']")
    program = about.findtext("midi-instrument/midi-program") if about is not None else None
    name = (about.findtext("part-name") or "").strip() if about is not None else ""
    part = _Part(name, int(program) - 1 if program and program.isdigit() else None)
    reader = _MeasureReader(part)
    for index, measure in enumerate(element.iterfind("measure")):
        reader.read(index, measure)
    return part


class _MeasureReader:
    """Walks the measures of a part; the divisions and open ties carry over."""

    def __init__(self, part: _Part) -> None:
        self.part = part
        self.divisions = 1
        self.transpose = 0  # semitones from the written to the sounding pitch
        self.tied: dict[tuple[str, int], int] = {}  # (staff, pitch) -> index of the note it goes on with

    def read(self, index: int, measure: ET.Element) -> None:
        cursor = onset = longest = 0
        for element in measure:
            tag = element.tag
            if tag == "note":
                if element.find("grace") is not None or element.find("cue") is not None:
                    continue
                duration = self._ticks(element)
                if element.find("chord") is None:
                    onset, cursor = cursor, cursor + duration
                self._note(index, element, onset, duration)
            elif tag == "backup":
                cursor = max(0, cursor - self._ticks(element))
            elif tag == "forward":
                cursor += self._ticks(element)
            elif tag == "attributes":
                self._attributes(index, element)
            elif tag == "harmony":
                self._harmony(index, element, cursor)
            elif tag in {"direction", "sound"}:
                self._tempo(index, element)
            longest = max(longest, cursor)
        self.part.lengths.append(longest)

    def _ticks(self, element: ET.Element) -> int:
        return round(float(element.findtext("duration") or 0) * PPQ / self.divisions)

    def _attributes(self, index: int, element: ET.Element) -> None:
        divisions = element.findtext("divisions")
        if divisions:
            self.divisions = max(1, int(float(divisions)))
        time = element.find("time")
        beats, unit = (time.findtext("beats"), time.findtext("beat-type")) if time is not None else (None, None)
        if beats and unit and unit.isdigit() and re.fullmatch(r"[\d+ ]+", beats):
            self.part.meters.append((index, sum(int(n) for n in beats.split("+")), int(unit)))
        if (shift := element.find("transpose")) is not None:
            self.transpose = round(float(shift.findtext("chromatic") or 0))
            self.transpose += 12 * int(shift.findtext("octave-change") or 0)
        fifths = element.findtext("key/fifths")
        if fifths:
            self.part.keys.append((index, int(fifths), _believed(element.findtext("key/mode"))))

    def _tempo(self, index: int, element: ET.Element) -> None:
        sound = element if element.tag == "sound" else element.find("sound")
        tempo = sound.get("tempo") if sound is not None else None
        if tempo and float(tempo) > 0:
            self.part.tempos.append((index, float(tempo)))

    def _harmony(self, index: int, element: ET.Element, cursor: int) -> None:
        step = element.findtext("root/root-step")
        kind = element.find("kind")
        if step not in _STEPS or kind is None:
            return
        # The printed text says more than the kind where both are given ("7sus4" under "suspended-fourth").
        quality = quality_of(kind.get("text") or "") if kind.get("text") else None
        quality = quality_of(kind.text or "") if quality is None else quality
        if quality is not None:
            root = (_STEPS[step] + round(float(element.findtext("root/root-alter") or 0))) % 12
            offset = round(float(element.findtext("offset") or 0) * PPQ / self.divisions)
            self.part.chords.append((index, RawChord(max(0, cursor + offset), root, quality)))

    def _note(self, index: int, element: ET.Element, onset: int, duration: int) -> None:
        pitch = element.find("pitch")
        if pitch is None or duration <= 0:
            return
        staff = element.findtext("staff") or "1"
        voice = self.part.staves.setdefault(staff, _Voice())
        number = 12 * (int(pitch.findtext("octave") or 4) + 1) + _STEPS[pitch.findtext("step") or "C"]
        number += round(float(pitch.findtext("alter") or 0)) + self.transpose
        if not 0 <= number <= 127:
            return
        ties = {tie.get("type") for tie in element.iterfind("tie")}
        key = (staff, number)
        if "stop" in ties and key in self.tied:
            place = self.tied[key]
            measure, note = voice.notes[place]
            voice.notes[place] = (measure, note._replace(duration=note.duration + duration))
        else:
            voice.notes.append((index, RawNote(onset, duration, number)))
            self.tied[key] = len(voice.notes) - 1
        if "start" not in ties:
            self.tied.pop(key, None)
        if "stop" not in ties:
            voice.words += [(index, word) for word in _words(element, onset)]


def _believed(mode: str | None) -> str:
    """Only a minor says something: programs write "major" where nobody chose."""
    return "minor" if mode == "minor" else ""


def _words(note: ET.Element, onset: int) -> Iterator[Word]:
    """The syllable of the first verse."""
    for lyric in note.iterfind("lyric"):
        number = lyric.get("number") or "1"
        text = "".join(t.text or "" for t in lyric.iterfind("text")).strip()
        if text and (number == "1" or number.endswith("verse1")):
            syllabic = lyric.findtext("syllabic") or "single"
            text = re.sub(r"^\d+\.\s*", "", text.replace("\xa0", " ")).strip(" -") or text
            yield Word(onset, text, syllabic in {"middle", "end"})
            return


def _music(parts: list[_Part]) -> Music:
    count = max(len(part.lengths) for part in parts)
    lengths = [max(p.lengths[i] if i < len(p.lengths) else 0 for p in parts) for i in range(count)]
    first = next((part for part in parts if part.meters), None)
    nominal = []
    changes = {index: (beats, unit) for index, beats, unit in first.meters} if first else {0: meter_of(lengths)}
    current = changes.get(0) or next(iter(changes.values()))
    for index in range(count):
        current = changes.get(index, current)
        nominal.append(current[0] * PPQ * 4 // current[1])
    starts, pickup = fill_measures(lengths, nominal)
    bars = [0 if pickup and i == 0 else start for i, start in enumerate(starts)]
    meters = [MeterChange(bars[index], *changes[index]) for index in sorted(changes)]
    meters[0] = meters[0]._replace(tick=0)
    keyed = next((part for part in parts if part.keys), None)
    keys = [KeyChange(bars[i], fifths, mode) for i, fifths, mode in keyed.keys] if keyed else []
    tracks = []
    for part in parts:
        for voice in part.staves.values():
            notes = sorted(note._replace(onset=note.onset + starts[i]) for i, note in voice.notes)
            words = tuple(word._replace(onset=word.onset + starts[i]) for i, word in voice.words)
            tracks.append(Track(part.name, tuple(notes), part.program, words=tuple(sorted(words))))
    chords = sorted(c._replace(onset=c.onset + starts[i]) for part in parts for i, c in part.chords)
    tempos = sorted({bars[index]: tempo for part in reversed(parts) for index, tempo in part.tempos}.items())
    return Music(
        tuple(tracks), tuple(meters), tuple(keys), tuple(tempos), tuple(chords),
        barred=True, pickup=pickup,
    )  # fmt: skip
