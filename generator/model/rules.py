"""What a caller wants to hold fixed of the music that the composer writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from generator.corpus.piece import GridChord
from generator.model.tokens import HIGHEST, LOWEST, QUALITIES

Rhythm = tuple[tuple[int, int], ...]
"""(pos, dur) of the notes of a bar, in grid steps."""
Harmony = tuple[tuple[int, int, int], ...]
"""(pos, root, quality) of the chords of a bar; the quality is its place in QUALITIES."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the music must obey. Positions and durations are in grid steps, pitches in semitones from the reference.

    Attributes:
        bars: how many bars the music has.
        bar_steps: grid steps of a bar.
        parts: what is written, in the order of `corpus.piece.PARTS`.
        lyrics: whether melody notes carry marks.
        written: the bars to write, counted from 0; all of them when empty.
        offset: bars before the first full phrase.
        closing: True when the last bar ends the piece; otherwise the count-down stays at "many".
        roles, energies: section role and energy class (0 … 3) by bar; a bar without one does not say it.
        max_chords: chords in one bar, at most.
        qualities: the chord qualities to choose from.
        low, high: range of the melody.
        ranges: range of other parts, where it matters.
        max_voices: notes of one part that begin together, at most.
        max_leap: largest melodic interval, semitones.
        max_repeats: strokes of one pitch in a row.
        max_hold: bars that may begin with the same root and function before harmony has to move; C6 is still C.
        max_rest: bars in a row without a melody note.
        home: qualities of the tonic chord that opens the music; empty for any opening.
        resolve: True when a dominant has to go on to a chord it leads to.
        given_chords: bar -> its chords, roots relative to the tonic; these are copied, not sampled, and a tune that is
            written alone keeps to them.
        echo: bar -> earlier written bar whose melodic rhythm it repeats.
        copies: bar -> earlier written bar that comes back in it, chords and melody.
        rhythms: bar -> the melodic rhythm it has.
        accents: bar -> (pos, drum) of strokes that it must have, in order; the drummer plays around them.
        sung: bar -> the marks of its syllables; the bar gets exactly that many melody notes.
    """

    bars: int
    bar_steps: int
    parts: tuple[str, ...] = ("chords", "melody")
    lyrics: bool = False
    written: tuple[int, ...] = ()
    offset: int = 0
    closing: bool = True
    roles: Mapping[int, str] = field(default_factory=dict)
    energies: Mapping[int, int] = field(default_factory=dict)
    max_chords: int = 2
    qualities: tuple[str, ...] = QUALITIES
    low: int = LOWEST
    high: int = HIGHEST
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    max_voices: int = 5
    max_leap: int = 12
    max_repeats: int = 3
    max_hold: int = 2
    max_rest: int = 1
    home: tuple[str, ...] = ()
    resolve: bool = False
    given_chords: Mapping[int, tuple[GridChord, ...]] = field(default_factory=dict)
    echo: Mapping[int, int] = field(default_factory=dict)
    copies: Mapping[int, int] = field(default_factory=dict)
    rhythms: Mapping[int, Rhythm] = field(default_factory=dict)
    sung: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    accents: Mapping[int, tuple[tuple[int, str], ...]] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, ...]:
        """The bars to write."""
        return self.written or tuple(range(self.bars))
