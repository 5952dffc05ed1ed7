"""Chord charts of the McGill Billboard annotations (Burgoyne et al. 2011): bars of Harte symbols and sections."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from generator.brief import Key
from generator.corpus.chords import quality_of
from generator.corpus.grid import TICKS, beat_steps
from generator.corpus.meters import restate
from generator.corpus.music import Unusable
from generator.corpus.piece import Bar, GridChord
from generator.score import Meter

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ROLES = {
    "intro": "intro", "verse": "verse", "pre-chorus": "prechorus", "prechorus": "prechorus", "chorus": "chorus",
    "bridge": "bridge", "solo": "solo", "instrumental": "solo", "interlude": "break", "break": "break",
    "outro": "outro", "coda": "outro", "fadeout": "outro", "refrain": "chorus",
}  # fmt: skip
_MAX_REPEATS = 8


class Chart:
    """A chart as read: title, artist, key, metre and bars."""

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable("not a readable text file") from error
        head = dict(re.findall(r"^# (title|artist): (.*)$", text, re.MULTILINE))
        self.title, self.artist = head.get("title", path.stem), head.get("artist", "")
        self.meter = _most_common_meter(text)
        tonics = re.findall(r"^# tonic: ([A-G][#b]*)", text, re.MULTILINE)
        if not tonics:
            raise Unusable("no tonic")
        self.bars = _bars(text, self.meter)
        self.key = _key(_pitch_class(tonics[0]), self.bars)


def _most_common_meter(text: str) -> Meter:
    """Of the metre that most bars stand in. 12/8 is kept as such."""
    counts, current = Counter[str](), ""
    for line in text.splitlines():
        if match := re.match(r"# metre: (\d+/\d+)", line):
            current = match[1]
        counts[current] += max(0, line.count("|") - 1)
    name = max(counts, key=lambda metre: counts[metre], default="")
    if not name:
        raise Unusable("no metre")
    known = restate(*(int(n) for n in name.split("/")))
    if known is None:
        raise Unusable(f"the metre {name}")
    return known[0]


def _bars(text: str, meter: Meter) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    inside, previous = True, ""
    sounding: GridChord | None = None
    for line in text.splitlines():
        if match := re.match(r"# metre: (\d+)/(\d+)", line):
            known = restate(int(match[1]), int(match[2]))
            inside = known is not None and known[0] == meter
        if "|" not in line or line.startswith("#") or not inside:
            continue
        section = _section(line) or ""
        cells = line[line.index("|") + 1 : line.rindex("|")].split("|")
        repeats = re.search(r"\bx(\d+)", line[line.rindex("|") :])
        for cell in cells * min(_MAX_REPEATS, int(repeats[1]) if repeats else 1):
            bar = _bar(cell.split(), meter, sounding)
            if bar is None:
                continue
            bars.append(Bar(chords=bar, section=section if section != previous or not bars else ""))
            previous, section = section or previous, section or previous
            sounding = bar[-1] if bar else sounding
    return tuple(bars)


def _section(line: str) -> str | None:
    words = re.split(r"[,\t]", line[: line.index("|")])
    return next((_ROLES[word.strip()] for word in words if word.strip() in _ROLES), None)


def _bar(cells: list[str], meter: Meter, sounding: GridChord | None) -> tuple[GridChord, ...] | None:
    """The chords of one bar; None for a bar in another metre. `.` repeats the chord before it."""
    symbols = [cell for cell in cells if cell not in {"*", "&pause"}]
    steps, beat = meter.bar_ticks // TICKS, beat_steps(meter)
    if not symbols or symbols[0].startswith("(") or len(symbols) > meter.beats:
        return None
    width = steps / len(symbols)
    chords: list[GridChord] = [GridChord(0, sounding.root, sounding.quality)] if sounding else []
    for index, symbol in enumerate(symbols):
        match = re.fullmatch(r"([A-G][#b]*):([^/]+)(/.*)?", symbol)
        quality = quality_of(match[2]) if match else None
        if match is None or quality is None:
            continue
        chord = GridChord(int(index * width) // beat * beat, _pitch_class(match[1]), quality)
        if chords and chords[-1].pos == chord.pos:
            chords.pop()
        if not chords or (chords[-1].root, chords[-1].quality) != (chord.root, chord.quality):
            chords.append(chord)
    return tuple(chord for chord in chords if chord.pos < steps)


def _pitch_class(name: str) -> int:
    return (_STEPS[name[0]] + name.count("#") - name.count("b")) % 12


def _key(tonic: int, bars: tuple[Bar, ...]) -> Key:
    """Minor when the tonic chord is mostly minor, or never heard and the flat third and sixth prevail."""
    roots = Counter((c.root - tonic) % 12 for bar in bars for c in bar.chords)
    tonics = [chord.quality for bar in bars for chord in bar.chords if chord.root == tonic]
    minor = sum(quality.startswith("m") and not quality.startswith("maj") for quality in tonics)
    major = len(tonics) - minor
    is_minor = minor > major or (minor == major and roots[3] + roots[8] > roots[4] + roots[9])
    return Key(tonic, "minor" if is_minor else "major")
