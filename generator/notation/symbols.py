"""The words that every music file of ours shares: chord symbols, section marks, part descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from generator.brief import Key
from generator.corpus.chords import quality_of
from generator.errors import NotationError
from generator.score import Chord, Section, root_name

NO_CHORD = "N.C."
USUAL_ENERGY = 0.6
"""Of a section whose file does not say."""

LETTERS = "FCGDAEB"
"""In the order in which signatures sharpen; they flatten from the other end."""
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SYMBOL = re.compile(r"(?P<root>[A-G][#b]*)(?P<quality>[^/]*(?:/\d+)?)(?:/(?P<bass>[A-G][#b]*))?")
_SIGNS = str.maketrans({"♯": "#", "♭": "b", "Δ": "maj7", "△": "maj7", "ø": "m7b5", "°": "dim", "−": "-"})
_SECTION = re.compile(r"(?P<name>.+) \((?P<material>.+), (?P<bars>\d+) bars, energy (?P<energy>\d+(?:\.\d+)?)\)")
_FRAMES = {"intro", "outro", "break", "breakdown", "build", "drop", "turn", "ending", "coda", "interlude", "tag"}


class Symbol(NamedTuple):
    """A chord without its place: root and bass pitch classes, a key of CHORD_TONES."""

    root: int
    quality: str
    bass: int | None = None


class Description(NamedTuple):
    """What a file of ours says of a part beside its notes."""

    name: str
    role: str
    instrument: str


def pitch_class(name: str) -> int:
    """Of a note name such as "Bb" or "F##"."""
    return (_STEPS[name[0]] + alteration(name)) % 12


def alteration(name: str) -> int:
    """The semitones by which a note name's signs alter its letter."""
    return name.count("#") - name.count("b")


def spelled(pitch: int, key: Key) -> str:
    """The name of a pitch class in a key: its own seven as the signature has them, the others as roots of chords."""
    fifths = key.fifths - 1 + (pitch * 7 - key.fifths + 1) % 12  # C is 0, G 1; a scale is seven in a row
    if fifths > key.fifths + 5:
        return root_name(pitch % 12, key)
    return LETTERS[(fifths + 1) % 7] + ("", "#", "b")[(fifths + 1) // 7]


def octave_of(pitch: int, name: str) -> int:
    """The octave that a pitch stands in under this name: middle C begins the fourth, and as B# it is in the third."""
    return (pitch - alteration(name)) // 12 - 1


def signature(letter: str, fifths: int) -> int:
    """The semitones by which a key signature of so many sharps (or flats, below 0) alters a letter."""
    if fifths > 0:
        return int(letter in LETTERS[:fifths])
    return -int(fifths < 0 and letter in LETTERS[fifths:])


def read_symbol(text: str) -> Symbol | None:
    """Read a lead sheet's chord symbol; None when it is none.

    Alterations that we have no name for fall back to their stem: C7(b9) and C7alt are C7, Cmaj7#11 is Cmaj7.
    """
    match = _SYMBOL.fullmatch(text.strip().translate(_SIGNS))
    if match is None:
        return None
    quality = nearest_quality(match["quality"])
    bass = None if match["bass"] is None else pitch_class(match["bass"])
    return None if quality is None else Symbol(pitch_class(match["root"]), quality, bass)


def nearest_quality(text: str) -> str | None:
    """Our quality for a foreign one, or for the longest beginning of it that we know."""
    text = re.sub(r"\s", "", text).replace("dim7b5", "dim7").replace("maj7m7b5", "maj7").replace("6/9", "6")
    if text.startswith(("alt", "#", "b")):
        text = "7"
    for end in range(len(text), 0, -1):
        if (quality := quality_of(text[:end])) is not None:
            return quality
    return "" if re.match(r"$|\(|no|omit", text) else None


def chord_marks(chords: Sequence[Chord], end: int, key: Key) -> list[tuple[int, str]]:
    """(tick, symbol) in order; where no chord goes on, "N.C." says so."""
    marks = []
    for chord, following in zip(chords, [*(c.onset for c in chords[1:]), end], strict=False):
        marks.append((chord.onset, chord.symbol(key)))
        if chord.end < following:
            marks.append((chord.end, NO_CHORD))
    return marks


def chords_from(marks: Iterable[tuple[int, Symbol | None]], end: int) -> tuple[Chord, ...]:
    """The chords of marks in order of time, each until the next mark; None stands for no chord."""
    placed = dict(marks)  # of two at the same place the later one counts
    onsets = sorted(onset for onset in placed if onset < end)
    chords = []
    for onset, following in zip(onsets, [*onsets[1:], end], strict=False):
        if (symbol := placed[onset]) is not None:
            chords.append(Chord(onset, following - onset, *symbol))
    return tuple(chords)


def describe_section(section: Section) -> str:
    return f"{section.name} ({section.material}, {section.bars} bars, energy {section.energy:g})"


def read_section(text: str, start_bar: int) -> Section | None:
    """The section that `describe_section` described; None for other words."""
    match = _SECTION.fullmatch(text)
    if match is None:
        return None
    energy = min(1.0, float(match["energy"]))
    return Section(match["name"], start_bar, int(match["bars"]), energy, match["material"])


def place_sections(marks: Sequence[tuple[int, str]], descriptions: Sequence[Section], bars: int) -> tuple[Section, ...]:
    """Sections from (bar, name) marks; what the file describes of those names gives energy, material and length.

    A section ends where the next one begins. Without marks the piece is one section.
    """
    begun = dict(reversed([(bar, name) for bar, name in marks if bar < bars]))
    starts = sorted(begun)
    known = list(descriptions)
    sections = []
    for start, following in zip(starts, [*starts[1:], bars], strict=False):
        name = begun[start]
        index = next((i for i, section in enumerate(known) if section.name == name), None)
        if index is None:
            name = _title_case(name)
            sections.append(Section(name, start, following - start, USUAL_ENERGY, _material(name)))
            continue
        section = known[index]
        del known[: index + 1]
        length = min(section.bars, following - start) if following < bars else following - start
        sections.append(replace(section, start_bar=start, bars=max(1, length)))
    return tuple(sections) or (Section("A", 0, bars, USUAL_ENERGY, "A"),)


def _title_case(name: str) -> str:
    """Lower case is for what frames a song: intro, break, outro."""
    return name.lower() if name.lower() in _FRAMES else name[:1].upper() + name[1:]


def _material(name: str) -> str:
    """Verse 1 and Verse 2, A and A' share their material."""
    return re.sub(r"[\s\d.']+$", "", name) or name


def describe_part(name: str, role: str, instrument: str) -> str:
    return f"{name} role={role} instrument={instrument}"


def read_part(text: str) -> Description | None:
    match = re.fullmatch(r"(.+) role=(\w+) instrument=(\w+)", text)
    return None if match is None else Description(*match.groups())


def refuse_chord(text: str, bar: int) -> NotationError:
    return NotationError(f"The chord “{text[:40]}” in bar {bar + 1} is not one I know; write it plainer, such as C7.")
