"""Symbolic music: what the composer, the arranger and the player hand to each other.

Time is in ticks, `PPQ` to the quarter note. A Score is plain data; its files are in `generator.notation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.brief import Key

PPQ = 480
"""Ticks per quarter note."""

# Chord qualities as pitch classes above the root. The same names as in chord symbols, "" is major.
CHORD_TONES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "add9": (0, 4, 7, 2),
    "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2),
    "m9": (0, 3, 7, 10, 2),
    "13": (0, 4, 7, 10, 2, 9),
}
CHORD_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "major": ("", "maj7", "6", "add9", "maj9"),
    "minor": ("m", "m7", "m6", "m9"),
    "dominant": ("7", "9", "13", "aug"),
    "diminished": ("dim", "dim7", "m7b5"),
    "suspended": ("sus4", "7sus4"),
}
"""What a chord does, by its quality; a style says how a function sounds."""
_FUNCTION_OF = {quality: name for name, qualities in CHORD_FUNCTIONS.items() for quality in qualities}


def function_of(root: int, quality: str) -> str:
    """The name of a chord's function. `root` counts from the tonic: on the fifth degree major chords are dominants."""
    function = _FUNCTION_OF[quality]
    return "dominant" if function == "major" and root == 7 else function


HELD = PPQ // 2
"""Ticks; notes of a tune that last less pass by, and a chord need not bear them."""


@cache
def avoid_tones(quality: str) -> frozenset[int]:
    """Semitones above the root that a tune does not hold over a chord: they lie one above a tone of the chord and are
    none themselves (the avoid notes of jazz teaching; Levine, The Jazz Theory Book)."""
    tones = {tone % 12 for tone in CHORD_TONES[quality]}
    return frozenset((tone + 1) % 12 for tone in tones) - tones


SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature; `beat_unit` is the denominator."""

    beats: int
    beat_unit: int

    @staticmethod
    def parse(text: str) -> Meter:
        beats, unit = text.split("/")
        return Meter(int(beats), int(unit))

    @property
    def bar_ticks(self) -> int:
        return self.beats * PPQ * 4 // self.beat_unit

    def __str__(self) -> str:
        return f"{self.beats}/{self.beat_unit}"


@dataclass(frozen=True, slots=True)
class Note:
    """One note on the grid; `micro` ticks (positive = late) are added when it is played.

    Drum parts use General MIDI percussion pitches (36 kick, 38 snare, 42 closed hat …). `lyric` is the syllable sung
    on the note; one that ends in "-" goes on with the word ("Hal-", "le-", "lu-", "jah"). With a `slide` the note
    begins so many semitones higher (lower where negative) and slides to its pitch within `SLIDE_TICKS`.
    """

    onset: int
    duration: int
    pitch: int
    velocity: int = 80
    micro: int = 0
    lyric: str = ""
    slide: int = 0

    @property
    def end(self) -> int:
        return self.onset + self.duration


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord symbol: root pitch class, quality (a key of CHORD_TONES), bass pitch class."""

    onset: int
    duration: int
    root: int
    quality: str
    bass: int | None = None

    @property
    def end(self) -> int:
        return self.onset + self.duration

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return tuple((self.root + tone) % 12 for tone in CHORD_TONES[self.quality])

    def symbol(self, key: Key) -> str:
        """As a musician writes it in this key: "Ebmaj7", "D7/F#"."""
        over = "" if self.bass is None else f"/{root_name(self.bass, key)}"
        leading = _FUNCTION_OF[self.quality] == "diminished"
        return f"{root_name(self.root, key, leading=leading)}{self.quality}{over}"


def root_name(pitch_class: int, key: Key, *, leading: bool = False) -> str:
    """The name of a chord's root: of the twelve around the key on the line of fifths, so that the seventh degree of C
    lowered is Bb, and the leading tone of A minor G#; one that is `leading` a step up is raised, C#dim7 before Dm in C.
    Cb, Fb, E# and B# are written as the white keys they are."""
    lowest = key.fifths - (3 if key.mode == "minor" or leading else 5)
    fifths = lowest + (pitch_class * 7 - lowest) % 12  # C is 0, G 1, F -1
    return (FLAT_NAMES if fifths < -1 else SHARP_NAMES)[pitch_class % 12]


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of form. `material` names the musical idea: sections that share it share motifs."""

    name: str
    start_bar: int
    bars: int
    energy: float
    material: str


CONTROLLERS: dict[str, tuple[int, int]] = {
    "modulation": (0, 127), "volume": (0, 127), "pan": (0, 127), "expression": (0, 127), "bend": (-2400, 2400),
}  # fmt: skip
"""What a player can move while notes sound, and its range: as MIDI counts it (pan: 64 is the middle), `bend` in
cents."""
AT_REST = {"modulation": 0, "volume": 127, "pan": 64, "expression": 127, "bend": 0}
"""Where a controller stands until it is moved."""
SLIDE_TICKS = PPQ // 4
MOST_SLIDE = 24
"""Semitones."""


@dataclass(frozen=True, slots=True)
class Control:
    """A controller moved to a value, where it stays until it is moved again."""

    tick: int
    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument's notes, and the moves of its controllers in order of time.

    `name` is unique in a score, `role` says what it does (melody, counter, chords, pad, bass, drums, texture),
    `instrument` is a name of the instrument catalogue.
    """

    name: str
    role: str
    instrument: str
    notes: tuple[Note, ...]
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class TempoChange:
    tick: int
    bpm: float


@dataclass(frozen=True, slots=True)
class Score:
    """A whole piece. `tempos` starts at tick 0; `bpm` counts quarter notes."""

    title: str
    key: Key
    meter: Meter
    bars: int
    tempos: tuple[TempoChange, ...]
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]
    parts: tuple[Part, ...]

    @property
    def end_tick(self) -> int:
        return self.bars * self.meter.bar_ticks

    @property
    def tempo_bpm(self) -> float:
        return self.tempos[0].bpm

    @property
    def length_s(self) -> float:
        return self.seconds_at(self.end_tick)

    @property
    def pitched(self) -> tuple[Part, ...]:
        """The parts whose notes have a pitch."""
        return tuple(part for part in self.parts if part.role not in {"drums", "texture"} and part.notes)

    def seconds_at(self, tick: float) -> float:
        """Seconds from the start to a tick, through the tempo map."""
        seconds = 0.0
        for current, following in zip(self.tempos, (*self.tempos[1:], None), strict=True):
            until = tick if following is None else min(tick, following.tick)
            if until <= current.tick and current.tick > 0:
                break
            seconds += (until - current.tick) / PPQ * 60.0 / current.bpm
        return seconds

    def part(self, name: str) -> Part:
        """Raises KeyError when there is no such part."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)
