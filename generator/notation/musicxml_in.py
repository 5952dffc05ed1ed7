"""MusicXML, plain or zipped (.mxl), as a Score: ours exactly, other programs' as they sound.

Voices and staves of a part become one part, transposing instruments sound as they do, repeats and endings are played
out. Grace and cue notes are dropped; jumps (D.C., D.S.) are refused.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from generator.errors import NotationError
from generator.notation.cast import Player
from generator.notation.musicxml import DRUM_LINES, FORTE
from generator.notation.sheet import Sheet, Staff, Written, sounding_key, to_score
from generator.notation.symbols import Symbol, nearest_quality, pitch_class, read_part, read_section, refuse_chord
from generator.notation.tidy import check_bars, check_meter, check_tempo
from generator.score import PPQ, Score

MAX_BYTES = 20_000_000
"""The largest score that is opened, unzipped."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DRUM_AT = {line: pitch for pitch, line in reversed(DRUM_LINES.items())}
_QUARTERS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
_FORBIDDEN = re.compile(rb"<!ENTITY", re.IGNORECASE)  # entities can blow up; no score program writes them
_JUMPS = ("dacapo", "dalsegno", "tocoda")


def read_musicxml(path: Path) -> Score:
    """A file of `write_musicxml` gives `written(score)`. Raises NotationError."""
    root = _parse(path)
    if root.tag != "score-partwise":
        raise NotationError(f"{path.name} is not a partwise MusicXML score; export it as MusicXML once more.")
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    sheet = Sheet(path.name, title.strip())
    fields = {
        f.get("name", ""): f.text or "" for f in root.iterfind("identification/miscellaneous/miscellaneous-field")
    }
    described = [read_section(text, 0) for name, text in fields.items() if name.startswith("section ")]
    sheet.sections = [section for section in described if section is not None]
    try:
        for element in root.iterfind("part"):
            _PartReader(sheet, _about(root, element.get("id")), fields).read(element)
        return to_score(sheet)
    except (ValueError, OverflowError, KeyError) as error:
        raise NotationError(f"{path.name} is not valid MusicXML: {error}.") from error


def _parse(path: Path) -> ET.Element:
    try:
        data = _unzipped(path) if zipfile.is_zipfile(path) else path.read_bytes()[: MAX_BYTES + 1]
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError) as error:
        raise NotationError(f"{path.name} cannot be read: {error}.") from error
    if len(data) > MAX_BYTES:
        raise NotationError(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; that is more than one piece.")
    if _FORBIDDEN.search(data):
        raise NotationError(f"{path.name} declares XML entities, which no score needs.")
    try:
        return ET.parse(io.BytesIO(data)).getroot()  # noqa: S314 - size bounded, no entities
    except (ET.ParseError, ValueError, LookupError) as error:
        raise NotationError(f"{path.name} is broken XML: {error}.") from error


def _unzipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        scores = [entry for entry in archive.infolist() if re.search(r"\.(musicxml|xml)$", entry.filename)]
        scores = [entry for entry in scores if not entry.filename.startswith("META-INF")]
        if not scores:
            raise NotationError(f"{path.name} holds no score.")
        with archive.open(scores[0]) as file:
            return file.read(MAX_BYTES + 1)


def _about(root: ET.Element, identity: str | None) -> ET.Element:
    for entry in root.iterfind("part-list/score-part"):
        if entry.get("id") == identity:
            return entry
    return ET.Element("score-part")


def _number(text: str | None, usual: float = 0.0) -> float:
    return float(text) if text and text.strip() else usual


@dataclass
class _PartReader:
    """Walks the measures of a part; divisions, transposition and loudness carry over."""

    sheet: Sheet
    about: ET.Element
    fields: dict[str, str]
    divisions: float = 1.0
    transpose: int = 0  # semitones from the written to the sounding pitch
    velocity: int = 80
    endings: tuple[int, ...] = ()
    drums: dict[str, int] = field(default_factory=dict)  # instrument id -> pitch

    def read(self, element: ET.Element) -> None:
        label = (self.about.findtext("part-name") or "").strip()
        program = self.about.findtext("midi-instrument/midi-program")
        for midi in self.about.iterfind("midi-instrument"):
            if unpitched := midi.findtext("midi-unpitched"):
                self.drums[midi.get("id", "")] = int(unpitched) - 1
        known = read_part(self.fields.get(f"part {label}", ""))
        player = Player(label, int(_number(program, 1)) - 1 if program else None, known=known)
        if player.program is not None and not 0 <= player.program <= 127:
            player.program = None
        self.staff = Staff(player)
        for index, measure in enumerate(element.iterfind("measure")):
            self._measure(index, measure)
        player.drums = player.drums or self.about.findtext("midi-instrument/midi-channel") == "10"
        if self.staff.notes or known:
            self.sheet.staves.append(self.staff)

    def _measure(self, index: int, measure: ET.Element) -> None:
        cursor = onset = longest = 0
        check_bars(index + 1, self.sheet.source)
        shared = self.sheet.measure(index)
        for element in measure:
            match element.tag:
                case "note" if element.find("grace") is None and element.find("cue") is None:
                    duration = self._ticks(element.findtext("duration"))
                    if element.find("chord") is None:
                        onset, cursor = cursor, cursor + duration
                    self._note(index, element, onset, duration)
                case "backup":
                    cursor = max(0, cursor - self._ticks(element.findtext("duration")))
                case "forward":
                    cursor += self._ticks(element.findtext("duration"))
                case _:
                    self._mark(index, element, cursor)
            longest = max(longest, cursor)
        shared.length = max(shared.length, longest)
        if self.endings:
            shared.endings = self.endings
        if any(ending.get("type") in {"stop", "discontinue"} for ending in measure.iterfind("barline/ending")):
            self.endings = ()

    def _mark(self, index: int, element: ET.Element, cursor: int) -> None:
        """What stands between the notes."""
        match element.tag:
            case "attributes":
                self._attributes(element)
            case "harmony":
                self._harmony(index, element, cursor)
            case "direction" | "sound":
                self._direction(index, element, cursor)
            case "barline":
                self._barline(index, element)

    def _ticks(self, text: str | None) -> int:
        return round(_number(text) * PPQ / self.divisions)

    def _attributes(self, element: ET.Element) -> None:
        self.divisions = max(1.0, _number(element.findtext("divisions"), self.divisions))
        time = element.find("time")
        beats, unit = (time.findtext("beats"), time.findtext("beat-type")) if time is not None else (None, None)
        if beats and unit:
            self.sheet.set_meter(check_meter(sum(map(int, beats.split("+"))), int(unit), self.sheet.source))
        if (shift := element.find("transpose")) is not None:
            self.transpose = round(_number(shift.findtext("chromatic")))
            self.transpose += 12 * int(_number(shift.findtext("octave-change")))
        fifths = element.findtext("key/fifths")
        if fifths and self.sheet.signature is None:
            self.sheet.signature = sounding_key(int(fifths), self.transpose)
            self.sheet.mode = element.findtext("key/mode") or ""

    def _direction(self, index: int, element: ET.Element, cursor: int) -> None:
        shared = self.sheet.measure(index)
        at = max(0, cursor + self._ticks(element.findtext("offset")))
        sound = element if element.tag == "sound" else element.find("sound")
        if sound is not None:
            if any(sound.get(jump) for jump in _JUMPS):
                raise NotationError(
                    f"{self.sheet.source} jumps (D.C., D.S. or coda) in bar {index + 1}; write the bars out instead."
                )
            if dynamics := sound.get("dynamics"):
                self.velocity = _velocity(float(dynamics))
        tempo = _tempo(element, sound)
        if tempo is not None:
            shared.tempos[at] = check_tempo(tempo, self.sheet.source)
        mark = element.findtext("direction-type/rehearsal")
        if mark and mark.strip():
            shared.section = mark.strip()[:60]

    def _harmony(self, index: int, element: ET.Element, cursor: int) -> None:
        kind = element.find("kind")
        step = element.findtext("root/root-step")
        if kind is None or step is None:
            return
        at = max(0, cursor + self._ticks(element.findtext("offset")))
        self.sheet.measure(index).chords[at] = None if kind.text == "none" else self._symbol(index, element, kind)

    def _symbol(self, index: int, element: ET.Element, kind: ET.Element) -> Symbol:
        """The printed text says more than the kind where both are given ("7sus4" under "suspended-fourth")."""
        printed, named = kind.get("text"), (kind.text or "").strip()
        quality = None if printed is None else nearest_quality(printed)
        quality = nearest_quality(named) if quality is None else quality
        if quality is None:
            raise refuse_chord(printed or named, index)
        bass = element.findtext("bass/bass-step")
        return Symbol(self._class(element, "root"), quality, None if bass is None else self._class(element, "bass"))

    def _class(self, element: ET.Element, which: str) -> int:
        step = element.findtext(f"{which}/{which}-step") or "C"
        return (pitch_class(step) + round(_number(element.findtext(f"{which}/{which}-alter"))) + self.transpose) % 12

    def _barline(self, index: int, element: ET.Element) -> None:
        shared = self.sheet.measure(index)
        repeat, ending = element.find("repeat"), element.find("ending")
        if repeat is not None and repeat.get("direction") == "forward":
            shared.forward = True
        elif repeat is not None:
            shared.again = min(16, max(2, int(_number(repeat.get("times"), 2))))
        if ending is not None and ending.get("type") == "start":
            self.endings = tuple(int(n) for n in re.findall(r"\d+", ending.get("number", ""))[:16]) or (1,)

    def _note(self, index: int, element: ET.Element, onset: int, duration: int) -> None:
        pitch = self._pitch(element)
        if pitch is None or duration <= 0:
            return
        ties = {tie.get("type") for tie in element.iterfind("tie")}
        loud = element.get("dynamics")
        self.staff.add(index, Written(
            onset, duration, pitch, _velocity(float(loud)) if loud else self.velocity, self._lyric(element),
            "stop" in ties, "start" in ties,
        ))  # fmt: skip

    def _pitch(self, element: ET.Element) -> int | None:
        """The sounding pitch; None for a rest or what lies outside MIDI's range."""
        if (unpitched := element.find("unpitched")) is not None:
            self.staff.player.drums = True
            instrument = element.find("instrument")
            line = f"{unpitched.findtext('display-step')}{unpitched.findtext('display-octave')}"
            usual = next(iter(self.drums.values())) if len(self.drums) == 1 else _DRUM_AT.get(line, 38)
            number = usual if instrument is None else self.drums.get(instrument.get("id", ""), usual)
        elif (pitch := element.find("pitch")) is not None:
            number = 12 * (int(_number(pitch.findtext("octave"), 4)) + 1) + _STEPS[pitch.findtext("step") or "C"]
            number += round(_number(pitch.findtext("alter"))) + self.transpose
        else:
            return None
        return number if 0 <= number <= 127 else None

    def _lyric(self, element: ET.Element) -> str:
        """The syllable of the first verse."""
        for lyric in element.iterfind("lyric"):
            number = lyric.get("number") or "1"
            text = "".join(t.text or "" for t in lyric.iterfind("text")).strip()
            if text and (number == "1" or number.endswith("verse1")):
                more = lyric.findtext("syllabic") in {"begin", "middle"}
                return text + "-" if more else text
        return ""


def _velocity(percent: float) -> int:
    return max(1, min(127, round(percent * FORTE / 100)))


def _tempo(direction: ET.Element, sound: ET.Element | None) -> float | None:
    """Quarter notes a minute: what is to be heard, else what the metronome mark shows."""
    if sound is not None and sound.get("tempo"):
        return float(sound.get("tempo", ""))
    mark = direction.find("direction-type/metronome")
    unit, number = (None, None) if mark is None else (mark.findtext("beat-unit"), mark.findtext("per-minute"))
    if mark is None or unit not in _QUARTERS or not re.fullmatch(r"\d+(\.\d+)?", (number or "").strip()):
        return None  # "per minute" may be a range or words
    return float(number or 0) * _QUARTERS[unit] * (1.5 if mark.find("beat-unit-dot") is not None else 1.0)
