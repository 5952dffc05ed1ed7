"""ABC notation (standard 2.1) as a Score: the first tune of a file, every voice a part.

Repeats and endings are played out, tuplets, broken rhythms, chords and ties are read. Grace notes, decorations and
later verses are dropped. An accidental holds to the bar line, in all octaves, as the standard says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from generator.errors import NotationError
from generator.notation.cast import Player
from generator.notation.sheet import Sheet, Staff, Written, sounding_key, to_score
from generator.notation.symbols import LETTERS, NO_CHORD, alteration, read_part, read_section, read_symbol, signature
from generator.notation.tidy import MAX_BARS, check_bars, check_meter, check_tempo
from generator.score import PPQ, Score

MAX_BYTES = 1_000_000

_WHOLE = 4 * PPQ
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Fifths away from major, and whether the third is minor.
_MODES = {"": (0, ""), "maj": (0, "major"), "ion": (0, "major"), "mix": (-1, ""), "dor": (-2, ""), "m": (-3, "minor"),
          "min": (-3, "minor"), "aeo": (-3, "minor"), "phr": (-4, ""), "lyd": (1, ""), "loc": (-5, "")}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<field>\[[A-Za-z]:[^\]]*\])|\"(?P<text>[^\"]*)\"|(?P<skip>![^!]*!|\+[^+]*\+|\{[^}]*\})"
    r"|(?P<tuplet>\((?P<p>\d)(?::(?P<q>\d?))?(?::(?P<r>\d*))?)"
    r"|(?P<bar>:*\|+\]?:*|\[\||:{2,}|\|?\]|:+\|)|(?P<ending>\[?(?P<turns>\d[\d,\-]*))"
    r"|\[(?P<chord>[^\]|]*)\](?P<clen>\d*/*\d*)|(?P<note>(?:\^\^|\^|__|_|=)?[A-Ga-g][,']*)(?P<len>\d*/*\d*)"
    r"|(?P<rest>[zxZX])(?P<rlen>\d*/*\d*)|(?P<tie>-)|(?P<broken>[<>]+)|(?P<overlay>&)"
)
_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)(\d*/*\d*)(-?)")
_SYLLABLE = re.compile(r"(?:\\-|[^\s\-_*|])+|-|_|\*|\|")
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # so many notes in the time of how many; others take two


@dataclass(slots=True)
class _Sung:
    """A note of the line that a w: field will put words under."""

    measure: int
    place: int  # in the staff's notes of that measure, its top note
    tied: bool


@dataclass(slots=True)
class _Voice:
    """One voice in the making."""

    staff: Staff
    measure: int = 0
    time: Fraction = Fraction(0)  # in ticks, from the measure's start
    line: list[_Sung] = field(default_factory=list)
    line_starts: int = 0  # the measure in which the line begins
    worded: bool = False
    ties: set[int] = field(default_factory=set)  # pitches tied over to the next note
    last: list[int] = field(default_factory=list)  # places of the notes just written
    accidentals: dict[str, int] = field(default_factory=dict)
    endings: tuple[int, ...] = ()
    transpose: int = 0


class _Tune:
    """Reads the lines of one tune into a sheet."""

    def __init__(self, source: str) -> None:
        self.sheet = Sheet(source)
        self.unit: Fraction | None = None
        self.headed = False  # the header ends with its K: field
        self.fifths = 0
        self.parts: dict[str, str] = {}  # our own words for a voice
        self.voices: dict[str, _Voice] = {}
        self.voice = self._of("1")

    def _of(self, name: str) -> _Voice:
        if name not in self.voices:
            known = read_part(self.parts.get(name, ""))
            self.voices[name] = _Voice(Staff(Player("", known=known)))
        return self.voices[name]

    def read(self, line: str) -> None:
        if line.startswith("%%"):
            self._directive(line[2:].strip())
            return
        line = re.sub(r"(?<!\\)%.*$", "", line).strip()
        if match := re.match(r"([A-Za-z]):(.*)", line):
            self._field(match[1], match[2].strip())
        elif line and self.headed:
            self._begin_line()
            self._music(line)

    def _begin_line(self) -> None:
        self.voice.line, self.voice.line_starts, self.voice.worded = [], self.voice.measure, False

    def _directive(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "tunesmith-section" and (section := read_section(rest, 0)):
            self.sheet.sections.append(section)
        elif word == "tunesmith-part":
            name, _, described = rest.partition(" ")
            self.parts[name] = described
            if name in self.voices:
                self.voices[name].staff.player.known = read_part(described)
        elif word == "MIDI" and (match := re.fullmatch(r"program (?:\d+ )?(\d+)", rest)) and int(match[1]) < 128:
            self.voice.staff.player.program = int(match[1])
        elif word == "MIDI" and rest == "channel 10":
            self.voice.staff.player.drums = True

    def _field(self, name: str, text: str) -> None:
        match name:
            case "V":
                self._select(text)
            case "w":
                self._words(text)
            case "M":
                self._meter(text)
            case "L":
                self.unit = Fraction(text)
            case "K":
                self._key(text)
            case "Q":
                self._tempo(text)
            case "T":
                self.sheet.title = self.sheet.title or re.sub(r"\\([%\\])", r"\1", text)
            case "P" if self.headed and text:
                self.sheet.measure(self.voice.measure).section = text[:60]

    def _select(self, text: str) -> None:
        words = text.split(maxsplit=1)
        self.voice = self._of(words[0] if words else "1")
        rest = words[1] if len(words) > 1 else ""
        player = self.voice.staff.player
        if match := re.search(r'\b(?:name|nm)="?([^"]*)"?', rest):
            player.label = match[1]
        if "perc" in rest:
            player.drums = True
        if match := re.search(r"transpose=(-?\d+)", rest):
            self.voice.transpose = int(match[1])

    def _meter(self, text: str) -> None:
        text = {"C": "4/4", "C|": "2/2"}.get(text, text)
        if match := re.fullmatch(r"(\d+)/(\d+)", text):
            self.sheet.set_meter(check_meter(int(match[1]), int(match[2]), self.sheet.source))
        elif text not in {"none", ""}:
            raise NotationError(
                f"{self.sheet.source} has the metre “{text[:20]}”, which I cannot read; write e.g. 3/4."
            )

    def _key(self, text: str) -> None:
        self.headed = True
        match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", text)
        if match is None:
            return  # "none", "HP", or a clef alone
        mode = match[3].lower()
        away, named = _MODES.get(mode[:3], _MODES["m"] if mode == "m" else (0, "major"))
        self.fifths = LETTERS.index(match[1]) - 1 + 7 * alteration(match[2]) + away
        if self.sheet.signature is None:
            self.sheet.signature, self.sheet.mode = sounding_key(self.fifths), named or ("major" if not mode else "")

    def _tempo(self, text: str) -> None:
        if match := re.search(r"(\d+)/(\d+)\s*=\s*(\d+(?:\.\d+)?)", text):
            bpm = float(match[3]) * 4 * int(match[1]) / int(match[2])
        elif match := re.fullmatch(r"(\d+(?:\.\d+)?)", text):
            bpm = float(match[1])
        else:
            return
        tempos = self.sheet.measure(self.voice.measure).tempos
        tempos[round(self.voice.time)] = check_tempo(bpm, self.sheet.source)

    def _music(self, line: str) -> None:
        stretch, left, broken = Fraction(1), 0, Fraction(1)
        for match in _TOKEN.finditer(line):
            if match["tuplet"]:
                size = int(match["p"])
                stretch, left = Fraction(int(match["q"] or _TUPLETS.get(size, 2)), size), int(match["r"] or size)
            elif match["broken"]:
                broken = self._break(match["broken"])
            elif match["note"] or match["chord"] is not None or match["rest"]:
                self._sound(match, stretch * broken)
                broken, left = Fraction(1), left - 1
                stretch = stretch if left > 0 else Fraction(1)
            else:
                self._mark(match)

    def _mark(self, match: re.Match[str]) -> None:
        """What stands between the notes."""
        if match["field"]:
            self._field(match["field"][1], match["field"][3:-1].strip())
        elif match["text"] is not None:
            self._text(match["text"])
        elif match["bar"]:
            self._bar(match["bar"])
        elif match["ending"]:
            self._ending(match["turns"])
        elif match["tie"]:
            self._tie(self.voice.last)
        elif match["overlay"]:
            raise NotationError(f"{self.sheet.source} lays voices over each other with &; give each its own V: field.")

    def _text(self, text: str) -> None:
        """A chord symbol; other words (annotations, playing marks) are passed over."""
        symbol = read_symbol(text)
        if symbol is not None or text == NO_CHORD:
            self.sheet.measure(self.voice.measure).chords[round(self.voice.time)] = symbol

    def _bar(self, mark: str) -> None:
        voice = self.voice
        if voice.time > 0:
            shared = self.sheet.measure(voice.measure)
            shared.length = max(shared.length, round(voice.time))
            shared.endings = voice.endings or shared.endings
            if mark.startswith(":"):
                shared.again = max(2, shared.again)
            self._next_measure()
        voice.accidentals.clear()
        if mark.startswith(":") or "||" in mark or "]" in mark or mark.endswith(":"):
            voice.endings = ()
        if mark.endswith(":"):
            self.sheet.measure(voice.measure).forward = True

    def _ending(self, turns: str) -> None:
        numbers = [int(n) for n in re.findall(r"\d+", turns)]
        if "-" in turns and len(numbers) == 2:
            numbers = list(range(numbers[0], min(numbers[1], 16) + 1))
        self.voice.endings = tuple(numbers)

    def _tie(self, places: list[int]) -> None:
        """Ties what was written last to what follows."""
        notes = self.voice.staff.notes.get(self.voice.measure, [])
        for place in places:
            notes[place] = replace(notes[place], ties=True)
            self.voice.ties.add(notes[place].pitch)

    def _break(self, mark: str) -> Fraction:
        """Dotted rhythm: lengthen or shorten what was written last, return the factor for what follows."""
        small = Fraction(1, 2 ** min(3, len(mark)))
        last, following = (2 - small, small) if mark[0] == ">" else (small, 2 - small)
        notes = self.voice.staff.notes.get(self.voice.measure, [])
        for place in self.voice.last:
            note = notes[place]
            notes[place] = replace(note, duration=max(1, round(note.duration * last)))
            self.voice.time = Fraction(notes[place].onset + notes[place].duration)
        return following

    def _sound(self, match: re.Match[str], stretch: Fraction) -> None:
        voice = self.voice
        unit = self._unit() * _WHOLE
        if match["rest"]:
            self._rest(match["rest"], _length(match["rlen"]), unit * stretch)
            return
        inner = _NOTE.findall(match["chord"] if match["chord"] is not None else match["note"])
        if not inner:
            return
        length = _length(match["clen"] or match["len"] or "") * _length(inner[0][3]) * unit * stretch
        onset, end = round(voice.time), round(voice.time + length)
        there = voice.staff.notes.get(voice.measure, [])
        held, voice.ties, voice.last = voice.ties, set(), []
        tied = True
        for accidental, letter, octave, _, tie in inner:
            pitch = self._pitch(accidental, letter, octave)
            if end > onset and 0 <= pitch <= 127:
                voice.last.append(len(voice.staff.notes.get(voice.measure, there)))
                note = Written(onset, end - onset, pitch, tied=pitch in held, ties=bool(tie))
                voice.staff.add(voice.measure, note)
                tied = tied and note.tied
                if tie:
                    voice.ties.add(pitch)
        if voice.last:
            notes = voice.staff.notes[voice.measure]
            top = max((place for place in voice.last if not notes[place].tied), default=voice.last[0],
                      key=lambda place: notes[place].pitch)  # fmt: skip
            voice.line.append(_Sung(voice.measure, top, tied))
        voice.time += length

    def _rest(self, kind: str, length: Fraction, unit: Fraction) -> None:
        voice = self.voice
        voice.ties, voice.last = set(), []
        if kind in "zx":
            voice.time += length * unit
            return
        meter = self.sheet.meter
        for _ in range(min(MAX_BARS, int(length))):  # Z4 is four bars of silence
            shared = self.sheet.measure(voice.measure)
            shared.length = max(shared.length, meter.bar_ticks if meter else _WHOLE)
            self._next_measure()

    def _next_measure(self) -> None:
        voice = self.voice
        voice.measure, voice.time, voice.last = voice.measure + 1, Fraction(0), []
        check_bars(voice.measure, self.sheet.source)

    def _unit(self) -> Fraction:
        """A sixteenth in metres under 3/4, else an eighth, where L: does not say."""
        meter = self.sheet.meter
        short = meter is not None and Fraction(meter.beats, meter.beat_unit) < Fraction(3, 4)
        return self.unit or Fraction(1, 16 if short else 8)

    def _pitch(self, accidental: str, name: str, octave: str) -> int:
        letter = name.upper()
        natural = 60 + _STEPS[letter] + (12 if name.islower() else 0) + 12 * (octave.count("'") - octave.count(","))
        natural += self.voice.transpose
        if accidental:
            self.voice.accidentals[letter] = accidental.count("^") - accidental.count("_")
        if letter in self.voice.accidentals:
            return natural + self.voice.accidentals[letter]
        return natural + signature(letter, self.fifths)

    def _words(self, text: str) -> None:
        voice = self.voice
        if voice.worded:
            return  # a later verse
        voice.worded = True
        measure, place = voice.line_starts, 0
        put: _Sung | None = None
        for syllable in _SYLLABLE.findall(re.sub(r"^\s*\d+\.\s*~?", "", text)):
            if syllable == "-":
                if put is not None:
                    self._put(put, "-")
            elif syllable == "|":
                measure += 1
                while place < len(voice.line) and voice.line[place].measure < measure:
                    place += 1
            elif place < len(voice.line):
                put = voice.line[place] if syllable not in {"_", "*"} else None
                place += 1
                if put is not None:
                    self._put(put, syllable.replace("~", " ").replace("\\-", "-"))

    def _put(self, sung: _Sung, text: str) -> None:
        notes = self.voice.staff.notes[sung.measure]
        lyric = notes[sung.place].lyric
        if not lyric.endswith("-"):
            notes[sung.place] = replace(notes[sung.place], lyric=lyric + text)

    def finish(self) -> Score:
        for voice in self.voices.values():
            if voice.time > 0:
                shared = self.sheet.measure(voice.measure)
                shared.length = max(shared.length, round(voice.time))
                shared.endings = voice.endings or shared.endings
        staves = [voice.staff for voice in self.voices.values()]
        self.sheet.staves = [staff for staff in staves if staff.notes or staff.player.known]
        return to_score(self.sheet)


def read_abc(path: Path) -> Score:
    """A file of `write_abc` gives `written(score)`, but for velocities. Raises NotationError."""
    try:
        data = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise NotationError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if len(data) > MAX_BYTES:
        raise NotationError(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; that is no ABC of one piece.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return parse_abc(text, path.name)


def parse_abc(text: str, source: str = "The text") -> Score:
    """The first tune of a text. Raises NotationError."""
    tune = _Tune(source)
    try:
        for line in text.lstrip("\ufeff").splitlines():
            if tune.headed and (not line.strip() or line.startswith("X:")):
                break  # a tune ends at an empty line
            tune.read(line)
        return tune.finish()
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise NotationError(f"{source} is not ABC that can be read: {error}.") from error


def _length(text: str) -> Fraction:
    """A length as ABC writes it (3/2, /, //, 2 or nothing) as a multiple of the unit length."""
    over, slash, under = text.partition("/")
    if not slash:
        return Fraction(int(over or 1))
    slashes = 1 + under.count("/")
    under = under.lstrip("/")
    return Fraction(int(over or 1), int(under) if under else 2**slashes)
