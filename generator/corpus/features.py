"""What can be said of a piece and of each bar: density, polyphony, syncopation, harmony, and a point of mood.

Definitions, all from the notes on the grid:

* density: onsets per quarter note of the leading part, over the bars in which it plays.
* polyphony: sounding notes at once, on the average over those bars.
* syncopation: share of the leading part's notes that begin off the beat and are held over the next one (after
  Longuet-Higgins & Lee 1984, without their weights of metrical levels).
* complexity: 0.6 × the share of chords beyond plain triads + 0.4 × the share of chords with a tone outside the key
  (natural minor and its leading tone count as inside).
* mood: `mood_point`, a linear formula with the signs and the order of weights that listening studies agree on:
  mode and tempo first, then register and density; dissonance lowers valence (Juslin & Laukka 2004; Gabrielsson &
  Lindström 2010; Eerola, Friberg & Bresin 2013, who find mode and tempo the strongest cues). The weights are ours:
  a prior for real music without labels, to be corrected by ratings.
* energy of a bar: rank within the piece of onsets + 0.6 × sounding notes + 0.4 × register, each scaled to 0 … 1.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from generator.brief import Key
from generator.corpus.piece import GRID, Bar, GridNote, Hit, Piece
from generator.score import CHORD_TONES

_MAJOR_SCALE = frozenset({0, 2, 4, 5, 7, 9, 11})
_MINOR_SCALE = frozenset({0, 2, 3, 5, 7, 8, 10, 11})
_DENSITY, _DRUM_DENSITY, _TEMPO, _REGISTER = (1.0, 0.6), (3.2, 0.8), (105.0, 40.0), (67.0, 9.0)
"""(mean, deviation) over the corpus: onsets per quarter of melodies and of drums, beats per minute, MIDI pitch."""
_TRIADS = frozenset({"", "m"})
_INSIDE = {
    (mode, root, quality): all((root + tone) % 12 in scale for tone in tones)
    for mode, scale in (("major", _MAJOR_SCALE), ("minor", _MINOR_SCALE))
    for root in range(12)
    for quality, tones in CHORD_TONES.items()
}


@dataclass(frozen=True, slots=True)
class PieceFeatures:
    """`density` in onsets per quarter, `polyphony` in notes at once, `range_semitones` of the leading part,
    `syncopation` and `complexity` 0 … 1, `mode` major or minor, `valence` and `arousal` -1 … 1."""

    density: float
    polyphony: float
    range_semitones: int
    syncopation: float
    complexity: float
    mode: str
    tempo_bpm: float | None
    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class BarFeatures:
    """`onsets` of all parts, `polyphony` in notes at once, `register` as mean MIDI pitch (0 without notes),
    `syncopation` and `complexity` as in PieceFeatures."""

    onsets: int
    polyphony: float
    register: float
    syncopation: float
    complexity: float


def piece_features(piece: Piece) -> PieceFeatures:
    part = leading_part(piece)
    steps = piece.bar_steps
    onsets = late = bars = 0
    low, high, sounding, pitches = 128, -1, 0, 0
    for bar in piece.bars:
        notes: Sequence[GridNote | Hit] = getattr(bar, part) if part else ()
        if not notes:
            continue
        bars += 1
        onsets += len({note.pos for note in notes})
        late += sum(map(_is_syncopated, notes))
        for note in notes:
            if isinstance(note, Hit):
                break
            pitches += note.pitch
            low, high = min(low, note.pitch), max(high, note.pitch)
        sounding += _sounding(bar)
    count = sum(len(getattr(bar, part)) for bar in piece.bars) if part else 0
    quarters = bars * steps / GRID
    density = onsets / quarters if quarters else 0.0
    syncopation = late / count if count else 0.0
    complexity = _complexity(piece.bars, piece.key)
    register = pitches / count if count and high >= 0 else None
    pitched = high >= 0 or any(bar.chords for bar in piece.bars)
    busy = None if not part else _z(density, *(_DRUM_DENSITY if part == "drums" else _DENSITY))
    valence, arousal = mood_point(
        piece.key.mode if pitched else None, piece.tempo_bpm, busy, register, syncopation, complexity
    )
    return PieceFeatures(
        density=density, polyphony=sounding / (bars * steps) if bars else 0.0,
        range_semitones=max(0, high - low), syncopation=syncopation, complexity=complexity, mode=piece.key.mode,
        tempo_bpm=piece.tempo_bpm, valence=valence, arousal=arousal,
    )  # fmt: skip


def bar_features(piece: Piece) -> list[BarFeatures]:
    part = leading_part(piece)
    steps = piece.bar_steps
    found = []
    for bar in piece.bars:
        notes: Sequence[GridNote | Hit] = getattr(bar, part) if part else ()
        found.append(
            BarFeatures(
                onsets=_onsets(bar),
                polyphony=_sounding(bar) / steps,
                register=_register(bar),
                syncopation=sum(map(_is_syncopated, notes)) / len(notes) if notes else 0.0,
                complexity=_complexity((bar,), piece.key),
            )
        )
    return found


def energies(piece: Piece) -> tuple[float, ...]:
    """0 … 1 for each bar: its rank within the piece, ties share the middle."""
    onsets = _scaled([float(_onsets(bar)) for bar in piece.bars])
    voices = _scaled([float(_sounding(bar)) for bar in piece.bars])
    registers = _scaled([_register(bar) for bar in piece.bars])
    mixed = [round(a + 0.6 * b + 0.4 * c, 6) for a, b, c in zip(onsets, voices, registers, strict=True)]
    ranked = sorted(mixed)
    last = max(1, len(mixed) - 1)
    return tuple((bisect_left(ranked, value) + bisect_right(ranked, value) - 1) / 2 / last for value in mixed)


def mood_point(
    mode: str | None,
    tempo_bpm: float | None,
    busy: float | None,
    register: float | None,
    syncopation: float,
    complexity: float,
) -> tuple[float, float]:
    """Valence and arousal, -1 … 1. What is not known counts as average; `busy` is density in deviations from it."""
    tempo, busy, high = _z(tempo_bpm, *_TEMPO), busy or 0.0, _z(register, *_REGISTER)
    valence = 0.0 if mode is None else 0.55 if mode == "major" else -0.55
    valence += 0.25 * tempo + 0.15 * high + 0.1 * busy - 0.4 * (complexity - 0.25)
    arousal = 0.55 * tempo + 0.45 * busy + 0.15 * high + 0.6 * (syncopation - 0.1)
    return math.tanh(valence), math.tanh(arousal)


def leading_part(piece: Piece) -> str:
    """The melody; else what plays; empty for chords alone."""
    for part in ("melody", "drums", "accompaniment", "voices", "bass"):
        if any(getattr(bar, part) for bar in piece.bars):
            return part
    return ""


def _is_syncopated(note: GridNote | Hit) -> bool:
    rest = note.pos % GRID
    return rest != 0 and not isinstance(note, Hit) and note.dur > GRID - rest


def _onsets(bar: Bar) -> int:
    return sum(
        len({note.pos for note in notes}) for notes in (bar.melody, bar.bass, bar.accompaniment, bar.voices)
    ) + len({hit.pos for hit in bar.drums})


def _sounding(bar: Bar) -> int:
    """Note-steps that begin in this bar."""
    total = 0
    for notes in (bar.melody, bar.bass, bar.accompaniment, bar.voices):
        for note in notes:
            total += note.dur
    return total


def _register(bar: Bar) -> float:
    pitches = [note.pitch for notes in (bar.melody, bar.accompaniment, bar.voices) for note in notes]
    return sum(pitches) / len(pitches) if pitches else 0.0


def chord_complexity(root: int, quality: str, mode: str) -> float:
    """Of one chord whose root is counted from the tonic: 0, 0.4, 0.6 or 1."""
    return 0.6 * (quality not in _TRIADS) + 0.4 * (not _INSIDE[mode, root, quality])


def _complexity(bars: Sequence[Bar], key: Key) -> float:
    chords = [chord for bar in bars for chord in bar.chords]
    if not chords:
        return 0.0
    return sum(chord_complexity((c.root - key.tonic) % 12, c.quality, key.mode) for c in chords) / len(chords)


def _scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]


def _z(value: float | None, mean: float, deviation: float) -> float:
    return 0.0 if value is None else max(-2.0, min(2.0, (value - mean) / deviation))
