"""Numbers of an arrangement: playability, what makes a style and a mood heard, and how alike two pieces are.

Nothing here composes or judges. Onsets are those on the grid, microtiming left out, unless a function says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from generator.arrange.style import DRUMS
from generator.corpus.piece import Bar
from generator.render.instruments import INSTRUMENTS
from generator.score import CHORD_TONES, PPQ, Note, Part, Score

Floats = NDArray[np.float64]

_SIXTEENTH = PPQ // 4
_PLACES = 16  # sixteenths of a bar that are looked at; longer bars go round
_KICK, _BACK = {35, 36}, {37, 38, 39, 40}
_FAMILIES = tuple(sorted({entry.family for entry in INSTRUMENTS.values()}))
_KIT = ({35, 36}, {37, 38, 39, 40}, {42, 44}, {46}, {41, 43, 45}, {47}, {48, 50}, {49, 57}, {51, 53, 59})
_SORTS = len(_KIT) + 1
_GRAM = 3  # notes of a tune that are compared at a time


# ---- playable ---------------------------------------------------------------------------------------------------


def faults(score: Score) -> list[str]:
    """What no player could play and nobody would hear, one sentence each."""
    found = []
    for part in score.parts:
        entry = INSTRUMENTS[part.instrument]
        if not part.notes:
            found.append(f"{part.name} is silent")
        if part.role in {"drums", "texture"}:
            continue
        if any(not entry.low <= note.pitch <= entry.high for note in part.notes):
            found.append(f"{part.name} leaves the range of {entry.label}")
        if most_at_once(part.notes) > entry.polyphony:
            found.append(f"{part.name} has more notes at once than {entry.label} can play")
    return found


def most_at_once(notes: Sequence[Note]) -> int:
    """The largest number of notes that sound together."""
    events = sorted([(note.onset, 1) for note in notes] + [(note.end, -1) for note in notes])
    most = now = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


# ---- style ------------------------------------------------------------------------------------------------------


def style_features(score: Score) -> Floats:
    """Where drums, bass and harmony begin in the bar, how the bass moves, how dense it is, who plays."""
    drums = [note for part in score.parts if part.role == "drums" for note in part.notes]
    bass = [note for part in score.parts if part.role == "bass" for note in part.notes]
    # The tune is the composer's; pads, chords and counter-lines are the style's.
    harmony = [note for part in score.parts if part.role in {"chords", "pad", "counter"} for note in part.notes]
    rows = [
        _onsets([note for note in drums if note.pitch in _KICK], score),
        _onsets([note for note in drums if note.pitch in _BACK], score),
        _onsets([note for note in drums if note.pitch not in _KICK | _BACK], score),
        _onsets(bass, score), _onsets(harmony, score), _bass_motion(bass), _density(score, drums, bass, harmony),
        _instrumentation(score),
    ]  # fmt: skip
    return np.concatenate(rows)


def _onsets(notes: Sequence[Note], score: Score) -> Floats:
    """Attacks at each sixteenth of a bar, mean over the bars; chords count once."""
    moments = {note.onset for note in notes}
    histogram = np.zeros(_PLACES)
    for onset in moments:
        histogram[round(onset % score.meter.bar_ticks / _SIXTEENTH) % _PLACES] += 1
    return histogram / score.bars


def _bass_motion(bass: Sequence[Note]) -> Floats:
    """Shares of repeated, stepwise, third, fourth-or-fifth, sixth-or-more and octave moves, and the mean length."""
    moves = Counter(_move(abs(after.pitch - before.pitch)) for before, after in pairwise(bass))
    total = max(1, sum(moves.values()))
    length = np.mean([note.duration for note in bass]) / PPQ if bass else 0.0
    return np.array([*(moves[kind] / total for kind in range(6)), min(4.0, float(length))])


def _move(semitones: int) -> int:
    for kind, most in enumerate((0, 2, 4, 7, 11)):
        if semitones <= most:
            return kind
    return 5


def _density(score: Score, *groups: Sequence[Note]) -> Floats:
    """Attacks per quarter note of each group, notes of a chord, their length, tempo, swing of the eighths."""
    quarters = score.end_tick / PPQ
    attacks = [len({note.onset for note in notes}) / quarters for notes in groups]
    harmony = groups[-1]
    together = len(harmony) / max(1, len({note.onset for note in harmony}))
    length = float(np.mean([note.duration for note in harmony])) / PPQ if harmony else 0.0
    played = [note.onset + note.micro for notes in groups for note in notes]
    late = [onset % PPQ for onset in played if 0.45 * PPQ <= onset % PPQ <= 0.72 * PPQ]
    swing = float(np.mean(late)) / PPQ if late else 0.5
    return np.array([*attacks, together, min(4.0, length), score.tempo_bpm / 60, 10 * (swing - 0.5)])


def _instrumentation(score: Score) -> Floats:
    """Share of the sounding time that each family of instruments has, and how acoustic they are."""
    time: Counter[str] = Counter()
    acoustic = total = 0.0
    for part in score.parts:
        entry = INSTRUMENTS[part.instrument]
        sounding = sqrt(sum(note.duration for note in part.notes))
        time[entry.family] += sounding  # type: ignore[assignment]
        acoustic += entry.acousticness * sounding
        total += sounding
    return np.array([*(time[family] / max(1e-9, total) for family in _FAMILIES), acoustic / max(1e-9, total)])


def nearest_centroid(learned: Sequence[tuple[str, Floats]], asked: Sequence[Floats]) -> list[str]:
    """The label whose mean lies nearest, every feature in units of its spread within the labels."""
    labels = sorted({label for label, _ in learned})
    rows = {label: np.stack([row for own, row in learned if own == label]) for label in labels}
    centres = np.stack([rows[label].mean(0) for label in labels])
    within = np.concatenate([rows[label] - rows[label].mean(0) for label in labels])
    spread = within.std(0) + 0.05 * centres.std(0) + 1e-6
    return [labels[int(np.argmin((((centres - row) / spread) ** 2).sum(1)))] for row in asked]


def aligned(foreign: Sequence[tuple[str, Floats]], own: Sequence[tuple[str, Floats]]) -> list[tuple[str, Floats]]:
    """Foreign rows without what sets the whole foreign set apart (it has no tunes, other instruments): moved by the
    difference of the two sets' means over the labels that both have."""
    shared = {label for label, _ in foreign} & {label for label, _ in own}
    if not shared:
        return list(foreign)
    here, there = (
        np.mean([np.mean([row for label, row in rows if label == name], 0) for name in sorted(shared)], 0)
        for rows in (own, foreign)
    )
    return [(label, row + here - there) for label, row in foreign]


# ---- mood -------------------------------------------------------------------------------------------------------


def arousal_cues(score: Score) -> Floats:
    """Tempo, attacks per second and loudness: what carries arousal (Juslin & Laukka 2004; Eerola et al. 2013)."""
    attacks = len({(part.name, note.onset) for part in score.parts if part.role != "texture" for note in part.notes})
    velocities = [note.velocity for part in score.parts if part.role != "texture" for note in part.notes]
    return np.array([np.log2(score.tempo_bpm), attacks / score.length_s, float(np.mean(velocities))])


def valence_cues(score: Score) -> Floats:
    """Mode, register and consonance: what carries valence (Gabrielsson & Lindström 2010)."""
    pitched = [n for part in score.parts if part.role in {"melody", "chords", "pad", "counter"} for n in part.notes]
    register = np.average([note.pitch for note in pitched], weights=[note.duration for note in pitched])
    rough = [_roughness(chord.quality) * chord.duration for chord in score.chords]
    roughness = sum(rough) / max(1, sum(chord.duration for chord in score.chords))
    return np.array([0.0 if score.key.mode == "minor" else 1.0, float(register), -roughness])


def _roughness(quality: str) -> float:
    """Semitones, tritones and whole tones among a chord's tones, the rougher the heavier."""
    weights = {1: 1.0, 6: 0.6, 2: 0.4}
    tones = [tone % 12 for tone in CHORD_TONES[quality]]
    pairs = [(a - b) % 12 for index, a in enumerate(tones) for b in tones[:index]]
    return sum(weights.get(min(pair, 12 - pair), 0.0) for pair in pairs)


def composite(cues: Sequence[Floats]) -> Floats:
    """The sum of the cues, each in units of its spread over these pieces."""
    rows = np.stack(cues)
    spread = rows.std(0)
    return ((rows - rows.mean(0)) / np.where(spread > 1e-9, spread, 1.0)).sum(1)


# ---- likeness ---------------------------------------------------------------------------------------------------


def tune_likeness(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> float:
    """How much two tunes of (onset, pitch) share: Dice similarity of their runs of three notes, as moves of pitch and
    ratios of the times between them; 0 … 1."""
    left, right = _grams(one), _grams(other)
    shared = sum((left & right).values())
    return 2 * shared / max(1, sum(left.values()) + sum(right.values()))


def _grams(tune: Sequence[tuple[int, int]]) -> Counter[tuple[tuple[int, int], ...]]:
    steps = [(after[1] - before[1], after[0] - before[0]) for before, after in pairwise(tune)]
    return Counter(tuple(steps[index : index + _GRAM - 1]) for index in range(len(steps) - _GRAM + 2))


def tune_of_score(part: Part) -> list[tuple[int, int]]:
    """(onset in grid steps, pitch) of a part's top notes."""
    top = {note.onset: note.pitch for note in sorted(part.notes, key=lambda note: note.pitch)}
    return [(round(onset * 12 / PPQ), top[onset]) for onset in sorted(top)]


def tune_of_bars(bars: Sequence[Bar], bar_steps: int) -> list[tuple[int, int]]:
    return [(index * bar_steps + note.pos, note.pitch) for index, bar in enumerate(bars) for note in bar.melody]


def groove_of_score(score: Score) -> Floats:
    """Strokes of each sort of drum at each sixteenth of the bar, mean over the bars; without drums, where the
    accompaniment begins."""
    strokes = Counter(
        (_sort(note.pitch), _place(note.onset % score.meter.bar_ticks))
        for part in score.parts if part.role == "drums" for note in part.notes
    )  # fmt: skip
    band = [part for part in score.parts if part.role not in {"drums", "texture", "melody"}]
    begun = {note.onset for part in band for note in part.notes} if not strokes else set()
    onsets = Counter((_SORTS, _place(onset % score.meter.bar_ticks)) for onset in begun)
    return _groove(strokes + onsets, score.bars)


def groove_of_bars(bars: Sequence[Bar]) -> Floats:
    """The same of a corpus piece."""
    strokes = Counter(
        (_sort(DRUMS[hit.drum]), round(hit.pos * _PLACES / 48) % _PLACES) for bar in bars for hit in bar.drums
    )
    begun = {
        (index, note.pos) for index, bar in enumerate(bars) for note in (*bar.bass, *bar.accompaniment, *bar.voices)
    }
    onsets = Counter((_SORTS, round(pos / 3) % _PLACES) for _, pos in begun) if not strokes else Counter()
    return _groove(strokes + onsets, len(bars))


def _sort(pitch: int) -> int:
    """The nine sorts of drum of Gillick et al. (2019), and whatever else is struck."""
    return next((index for index, pitches in enumerate(_KIT) if pitch in pitches), len(_KIT))


def _place(ticks: int) -> int:
    return round(ticks / _SIXTEENTH) % _PLACES


def _groove(counts: Counter[tuple[int, int]], bars: int) -> Floats:
    rows = np.zeros((_SORTS + 1, _PLACES))
    for place, count in counts.items():
        rows[place] = count
    return rows.reshape(-1) / max(1, bars)


def groove_likeness(one: Floats, other: Floats) -> float:
    """Cosine of two groove vectors, 0 … 1."""
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size else 0.0
