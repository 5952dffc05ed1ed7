"""Music as a file gives it, before the grid: tracks of notes in ticks, `PPQ` to the quarter note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from generator.errors import GeneratorError


class Unusable(GeneratorError):
    """Raised for a file that gives no piece; the message is the reason, in the words the report counts."""


class LeftOut(Unusable):
    """Raised for a file that is no piece at all (a drum fill, a jingle); it counts as left out, not as failed."""


class RawNote(NamedTuple):
    """Onset and duration in ticks."""

    onset: int
    duration: int
    pitch: int
    velocity: int = 80


class Word(NamedTuple):
    """A sung syllable at a tick; `inner` and `line_end` as in `piece.Syllable`."""

    onset: int
    text: str
    inner: bool = False
    line_end: bool = False


class RawChord(NamedTuple):
    """A chord symbol at a tick: root pitch class and a key of CHORD_TONES."""

    onset: int
    root: int
    quality: str


class MeterChange(NamedTuple):
    tick: int
    beats: int
    unit: int


class KeyChange(NamedTuple):
    """A key signature, sharps positive; `mode` is empty where the source does not say or cannot be believed."""

    tick: int
    fifths: int
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """One staff or instrument. `program` is General MIDI from 0, None when not given; `role` is a word of PARTS,
    or "keyboard" for a texture that holds its own melody, or empty when it is not yet known."""

    name: str
    notes: tuple[RawNote, ...]
    program: int | None = None
    drums: bool = False
    role: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Music:
    """A whole file; `tempos` are (tick, quarter notes per minute), `sections` (tick, role).

    `barred` says that bar lines fall on multiples of the bar from tick 0 (a first bar that was written short has
    been filled up with `pickup` ticks of silence); otherwise they have to be found.
    """

    tracks: tuple[Track, ...]
    meters: tuple[MeterChange, ...]
    keys: tuple[KeyChange, ...] = ()
    tempos: tuple[tuple[int, float], ...] = ()
    chords: tuple[RawChord, ...] = ()
    sections: tuple[tuple[int, str], ...] = ()
    barred: bool = False
    pickup: int = 0

    @property
    def tempo_bpm(self) -> float | None:
        """Quarter notes per minute for most of the time; None when the file gives none."""
        lasts: dict[float, int] = {}
        for index, (tick, bpm) in enumerate(self.tempos):
            until = self.tempos[index + 1][0] if index + 1 < len(self.tempos) else max(self.end, tick)
            lasts[bpm] = lasts.get(bpm, 0) + until - tick
        return max(lasts, key=lambda bpm: lasts[bpm], default=None)

    @property
    def end(self) -> int:
        """The tick at which the last note ends, or just after the last chord symbol."""
        notes = max((note.onset + note.duration for track in self.tracks for note in track.notes), default=0)
        return max(notes, max((chord.onset + 1 for chord in self.chords), default=0))
