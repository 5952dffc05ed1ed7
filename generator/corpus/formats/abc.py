"""ABC notation (standard 2.1), as hymnals use it: voices, words under notes, ties, tuplets and bar lines.

Repeats are not played out. Grace notes, decorations and the words of later verses are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from generator.corpus.meters import fill_measures, meter_of
from generator.corpus.music import KeyChange, MeterChange, Music, RawNote, Track, Unusable, Word
from generator.score import PPQ

MAX_BYTES = 1_000_000

_WHOLE = 4 * PPQ
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS = "FCGDAEB"
_MODE_FIFTHS = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "lyd": 1}
_TOKEN = re.compile(
    r"(?P<field>\[[A-Za-z]:[^\]]*\])|(?P<skip>![^!]*!|\"[^\"]*\"|\{[^}]*\}|\$|\\|`)|(?P<tuplet>\(\d(?::\d?)*)"
    r"|(?P<bar>\[\||:*\|+[\]:]*\d?|::|\[\d)|(?P<chord>\[[^\]|]*\])(?P<clen>\d*/*\d*)"
    r"|(?P<acc>\^\^|\^|__|_|=)?(?P<note>[A-Ga-g])(?P<oct>[,']*)(?P<len>\d*/*\d*)"
    r"|(?P<rest>[zxZ])(?P<rlen>\d*/*\d*)|(?P<tie>-)|(?P<broken>[<>]+)"
)
_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)(\d*/*\d*)")
_SYLLABLE = re.compile(r"(?:\\-|[^\s\-_*|])+|-|_|\*|\|")
# How many notes go in the time of how many: (3 is three in the time of two.
_TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}


@dataclass
class _Voice:
    """One voice in the making; times are ticks from the start, without regard to bar lines."""

    time: int = 0
    notes: list[RawNote] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)  # onsets of the notes of this line, tied ones too
    sung: bool = False  # this line has its first verse
    tied: set[int] = field(default_factory=set)
    last: list[int] = field(default_factory=list)  # the notes just written, for ties
    accidentals: dict[int, int] = field(default_factory=dict)
    hyphen: bool = False


class _Tune:
    """Reads the lines of one tune."""

    def __init__(self) -> None:
        self.unit = Fraction(1, 8)
        self.unit_given = False
        self.headed = False  # the header ends with its K: field
        self.fifths: int | None = None
        self.meters: list[tuple[int, str]] = []  # (time, text)
        self.tempo: float | None = None
        self.title = ""
        self.voices: dict[str, _Voice] = {}
        self.current = self.voices.setdefault("1", _Voice())

    def read(self, line: str) -> None:
        line = re.sub(r"(?<!\\)%.*$", "", line).strip()
        if match := re.match(r"([A-Za-z]):(.*)", line):
            self._field(match[1], match[2].strip())
        elif line and self.headed:
            self._music(line)

    def _field(self, name: str, text: str) -> None:
        if name == "V":
            self.current = self.voices.setdefault(text.split(maxsplit=1)[0] if text else "1", _Voice())
        elif name == "w":
            self._words(text)
        elif name == "M":
            self.meters.append((self.current.time, text))
            if not self.unit_given and "/" in text and Fraction(text) < Fraction(3, 4):
                self.unit = Fraction(1, 16)
        elif name == "L":
            self.unit, self.unit_given = Fraction(text), True
        elif name == "K":
            self.headed = True
            self.fifths = _fifths(text) if _fifths(text) is not None else self.fifths
        elif name == "Q" and (match := re.search(r"(\d+)/(\d+)\s*=\s*(\d+)", text)):
            self.tempo = self.tempo or int(match[3]) * 4 * int(match[1]) / int(match[2])
        elif name == "T":
            self.title = self.title or text

    def _music(self, line: str) -> None:
        voice = self.current
        started = False
        stretch, left = Fraction(1), 0
        broken = Fraction(1)
        for match in _TOKEN.finditer(line):
            if match["field"]:
                self._field(match["field"][1], match["field"][3:-1].strip())
                voice = self.current
                continue
            if not started:
                voice.line, voice.sung, started = [], False, True
            if match["tuplet"]:
                size = int(match["tuplet"][1])
                stretch, left = Fraction(_TUPLETS.get(size, size), size), size
            elif match["bar"]:
                voice.bars.append(voice.time)
                voice.accidentals.clear()
            elif match["tie"]:
                voice.tied = {voice.notes[i].pitch for i in voice.last}
            elif match["broken"]:
                broken = self._break(voice, match["broken"])
            elif match["note"] or match["chord"] or match["rest"]:
                length = _length(match["len"] or match["clen"] or match["rlen"] or "") * stretch * broken
                broken = Fraction(1)
                self._sound(voice, match, length)
                left -= 1
                stretch = stretch if left > 0 else Fraction(1)

    def _break(self, voice: _Voice, mark: str) -> Fraction:
        """Dotted rhythm: lengthen or shorten what was written last, return the factor for what follows."""
        small = Fraction(1, 2 ** len(mark))
        last, following = (2 - small, small) if mark[0] == ">" else (small, 2 - small)
        for index in voice.last:
            note = voice.notes[index]
            change = int(note.duration * (last - 1))
            voice.notes[index] = note._replace(duration=note.duration + change)
        if voice.last:
            voice.time = voice.notes[voice.last[0]].onset + voice.notes[voice.last[0]].duration
        return following

    def _sound(self, voice: _Voice, match: re.Match[str], length: Fraction) -> None:
        pitches = []
        if match["chord"]:
            inner = _NOTE.findall(match["chord"])
            pitches = [self._pitch(voice, acc, note, octave) for acc, note, octave, _ in inner]
            length *= _length(inner[0][3]) if inner else 1
        elif match["note"]:
            pitches = [self._pitch(voice, match["acc"] or "", match["note"], match["oct"])]
        ticks = round(length * self.unit * _WHOLE)
        if ticks <= 0:
            return
        held = voice.tied
        voice.tied, voice.last = set(), []
        for pitch in pitches:
            if pitch in held:
                index = max(i for i, note in enumerate(voice.notes) if note.pitch == pitch)
                voice.notes[index] = voice.notes[index]._replace(duration=voice.notes[index].duration + ticks)
            else:
                voice.notes.append(RawNote(voice.time, ticks, pitch))
                index = len(voice.notes) - 1
            voice.last.append(index)
        if pitches:
            voice.line.append(voice.time)
        voice.time += ticks

    def _pitch(self, voice: _Voice, accidental: str, name: str, octave: str) -> int:
        letter = name.upper()
        natural = 60 + _STEPS[letter] + (12 if name.islower() else 0) + 12 * (octave.count("'") - octave.count(","))
        if accidental:
            voice.accidentals[natural] = accidental.count("^") - accidental.count("_")
        if natural in voice.accidentals:
            return natural + voice.accidentals[natural]
        fifths = self.fifths or 0
        if fifths > 0 and letter in _SHARPS[:fifths]:
            return natural + 1
        return natural - 1 if fifths < 0 and letter in _SHARPS[fifths:] else natural

    def _words(self, text: str) -> None:
        voice = self.current
        if voice.sung:
            return  # a later verse
        voice.sung = True
        onsets = iter(voice.line)
        text = re.sub(r"^\s*\d+\.\s*~?", "", text)
        for syllable in _SYLLABLE.findall(text):
            if syllable == "|":
                continue
            if syllable == "-":
                voice.hyphen = True
                continue
            onset = next(onsets, None)
            if onset is None:
                return
            if syllable not in {"_", "*"}:
                voice.words.append(Word(onset, syllable.replace("~", " ").replace("\\-", "-").strip(), voice.hyphen))
                voice.hyphen = False


def read_abc(path: Path) -> Music:
    """One Track for each voice. Raises Unusable."""
    if path.stat().st_size > MAX_BYTES:
        raise Unusable("file too large")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    return parse_abc(text)


def parse_abc(text: str) -> Music:
    """The first tune of a text. Raises Unusable."""
    tune = _Tune()
    try:
        for line in text.splitlines():
            tune.read(line)
    except (ValueError, ZeroDivisionError) as error:
        raise Unusable("not readable as ABC") from error
    voices = {name: voice for name, voice in tune.voices.items() if voice.notes}
    if not voices:
        raise Unusable("no notes")
    lead = next(iter(voices.values()))
    bounds = sorted({0, *lead.bars, lead.time})
    lengths = [end - start for start, end in pairwise(bounds)]
    meters = _meters(tune, bounds, lengths)
    nominal = [meter.beats * _WHOLE // meter.unit for meter in _spread(meters, len(lengths))]
    starts, pickup = fill_measures(lengths, nominal)
    moves = list(zip(bounds, starts, strict=False))
    tracks = tuple(_placed(name, voice, moves) for name, voice in voices.items())
    bars = [0 if pickup and index == 0 else start for index, start in enumerate(starts)]
    changes = tuple(MeterChange(bars[index], meter.beats, meter.unit) for index, meter in meters.items())
    keys = () if tune.fifths is None else (KeyChange(0, tune.fifths),)
    tempos = () if tune.tempo is None else ((0, tune.tempo),)
    return Music(tracks, changes, keys, tempos, barred=True, pickup=pickup)


def _meters(tune: _Tune, bounds: list[int], lengths: list[int]) -> dict[int, MeterChange]:
    """Metre changes by measure. Where the source says "none", the commonest measure that has a metre counts."""
    found: dict[int, MeterChange] = {}
    for time, text in tune.meters:
        if match := re.fullmatch(r"(\d+)/(\d+)", {"C": "4/4", "C|": "2/2"}.get(text, text)):
            index = max((i for i, bound in enumerate(bounds[:-1]) if bound <= time), default=0)
            found[index] = MeterChange(time, int(match[1]), int(match[2]))
    if not found:
        return {0: MeterChange(0, *meter_of(lengths))}
    if 0 not in found:
        found[0] = next(iter(found.values()))
    return dict(sorted(found.items()))


def _spread(meters: dict[int, MeterChange], count: int) -> Iterator[MeterChange]:
    current = meters[0]
    for index in range(count):
        current = meters.get(index, current)
        yield current


def _placed(name: str, voice: _Voice, moves: list[tuple[int, int]]) -> Track:
    def at(time: int) -> int:
        bound, start = next((b, s) for b, s in reversed(moves) if b <= time)
        return start + time - bound

    notes = sorted(note._replace(onset=at(note.onset)) for note in voice.notes)
    words = tuple(word._replace(onset=at(word.onset)) for word in voice.words)
    return Track(name, tuple(notes), program=52, words=words)


def _length(text: str) -> Fraction:
    """A length as ABC writes it (3/2, /, //, 2 or nothing) as a multiple of the unit length."""
    if not text:
        return Fraction(1)
    over, slash, under = text.partition("/")
    if not slash:
        return Fraction(int(over))
    slashes = 1 + under.count("/")
    under = under.lstrip("/")
    return Fraction(int(over or 1), int(under) if under else 2**slashes)


def _fifths(text: str) -> int | None:
    match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", text)
    if match is None:
        return None
    mode = match[3].lower()
    mode = mode[:3] if mode[:3] in _MODE_FIFTHS else "m" if mode == "m" else ""
    return "FCGDAEB".index(match[1]) - 1 + 7 * (match[2].count("#") - match[2].count("b")) + _MODE_FIFTHS[mode]
