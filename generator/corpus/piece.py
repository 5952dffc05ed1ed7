"""One piece of music as the corpus keeps it and the composer's model sees it: bars of parts on a fine grid.

No clean corpus has everything: a part that the source does not give is empty in every bar, never faked.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.brief import Key
from generator.score import Meter

GRID = 12
"""Grid steps per quarter note: sixteenths are 3 steps, eighth triplets 4."""

PARTS = ("chords", "melody", "bass", "accompaniment", "voices", "drums")
"""The parts a piece may contain, in the order in which a bar states them."""

DRUMS = (
    "kick",
    "snare",
    "rim",
    "hat",
    "open_hat",
    "pedal_hat",
    "ride",
    "crash",
    "high_tom",
    "mid_tom",
    "low_tom",
    "clap",
)


@dataclass(frozen=True, slots=True)
class GridNote:
    """A note: `pos` in the bar and `dur` in grid steps, MIDI `pitch`; `dur` may reach over the barline."""

    pos: int
    dur: int
    pitch: int


@dataclass(frozen=True, slots=True)
class GridChord:
    """A chord symbol at `pos` grid steps into the bar; `root` is a pitch class, `quality` a key of CHORD_TONES."""

    pos: int
    root: int
    quality: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A drum stroke: `pos` in grid steps, `drum` of DRUMS, MIDI `velocity`, `shift_ticks` off the grid (PPQ 480)."""

    pos: int
    drum: str
    velocity: int
    shift_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Syllable:
    """A sung syllable, aligned to the melody note that begins at `pos`.

    `inner`: it goes on with the word of the syllable before. `line_end`: the last one of a verse line.
    A melody note without a syllable, between two with one, is a melisma.
    """

    pos: int
    text: str
    inner: bool = False
    line_end: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """What sounds in one bar. `melody` is one voice; the others may have many, sorted by (pos, pitch)."""

    chords: tuple[GridChord, ...] = ()
    melody: tuple[GridNote, ...] = ()
    bass: tuple[GridNote, ...] = ()
    accompaniment: tuple[GridNote, ...] = ()
    voices: tuple[GridNote, ...] = ()
    drums: tuple[Hit, ...] = ()
    lyrics: tuple[Syllable, ...] = ()
    section: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece, or the longest stretch of it in one metre.

    Attributes:
        source: the data set's short name, a key of the reader registry.
        kind: what sort of writing it is, a word of the composer's vocabulary (song, jazz, hymn, lied, chart,
            choral, piano, chamber, band, groove, progression).
        path: where it came from, relative to the data set's folder; with `source` it names the piece.
        licence: SPDX name or "public domain".
        sha256: of the source file.
        genres: the labels the source gives, in its own words.
        styles: those labels on our style list, empty when nothing fits.
        tempo_bpm: quarter notes (dotted quarters in compound metres) per minute, None when not given.
        phrase_offset: bars before the first full phrase (1 when there is a pickup bar).
        chords_inferred: the chord symbols were worked out from the notes, not given.
    """

    source: str
    kind: str
    path: str
    licence: str
    sha256: str
    title: str
    key: Key
    meter: Meter
    bars: tuple[Bar, ...]
    composer: str = ""
    year: int | None = None
    genres: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    tempo_bpm: float | None = None
    phrase_offset: int = 0
    chords_inferred: bool = False

    @property
    def bar_steps(self) -> int:
        return self.meter.beats * GRID * 4 // self.meter.beat_unit

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that have anything in them, in the order of PARTS."""
        return tuple(part for part in PARTS if any(getattr(bar, part) for bar in self.bars))

    @property
    def has_lyrics(self) -> bool:
        return any(bar.lyrics for bar in self.bars)
