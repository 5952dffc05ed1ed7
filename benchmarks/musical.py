"""How generated music compares with human music of the same style: distributions, style, repetition.

A sample is (label, bars, grid steps per bar); the label is a style or a kind of writing. Nothing here composes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks.result import Rows
from generator.corpus.piece import GRID, Bar
from generator.measure.musical import (
    LAGS,
    Triple,
    chord_complexity,
    compression_ratio,
    density,
    groove_consistency,
    notes_of,
    pitch_class_entropy,
    repetition,
    scale_consistency,
    syncopation,
)
from generator.score import CHORD_TONES

Sample = tuple[str, Sequence[Bar], int]
Floats = NDArray[np.float64]

BEATS = 64  # quarter notes of each piece that are compared, as in the Multitrack Music Transformer's evaluation
BARS = 32  # of each piece that are looked at for style and repetition: long pieces repeat more
MIN_PIECES = 30  # of a label, for a classifier to learn it and for a band to mean anything
BAND = (0.10, 0.90)

_GAP_COLUMNS = {
    "measure": "measure", "human": "human", "human_ci": "± 95 %", "generated": "generated", "generated_ci": "± 95 %",
    "gap": "gap", "pieces": "pieces",
}  # fmt: skip
_MEASURES: dict[str, Callable[[Sequence[Triple], int], float]] = {
    "pitch class entropy, bits": lambda notes, _: pitch_class_entropy(notes),
    "scale consistency, %": lambda notes, _: 100 * scale_consistency(notes),
    "groove consistency, %": lambda notes, steps: 100 * groove_consistency(notes, steps),
}
_QUALITIES = tuple(CHORD_TONES)
_DURATIONS = (3, 4, 6, 8, 9, 12, 18, 24, 36, 48)  # grid steps; the nearest below counts


def gaps(generated: Sequence[Sample], human: Sequence[Sample], parts: Sequence[str] = ("melody",)) -> Rows:
    """|difference of means| of MusPy's three measures, NaN left out; the closer to the human figure the better."""
    rows = []
    for name, measure in _MEASURES.items():
        theirs = _values(human, parts, measure)
        ours = _values(generated, parts, measure)
        rows.append({
            "measure": name, "human": float(theirs.mean()), "human_ci": _ci(theirs), "generated": float(ours.mean()),
            "generated_ci": _ci(ours), "gap": float(abs(theirs.mean() - ours.mean())),
            "pieces": f"{len(theirs)}/{len(ours)}",
        })  # fmt: skip
    return Rows("Closeness to human music", _GAP_COLUMNS, rows, dict.fromkeys(_GAP_COLUMNS, 3))


@dataclass(frozen=True, slots=True)
class Recovery:
    """How often a classifier that knows only human pieces names the label: mean of the labels' recalls, 0 … 1.

    `human` on held-out human pieces, `generated` on generated ones, `chance` = 1 / labels; `relative` is
    generated / human. `recalls` gives both for each label, None where there is nothing generated.
    """

    human: float
    generated: float
    chance: float
    recalls: Mapping[str, tuple[float, float | None]]

    @property
    def relative(self) -> float:
        return self.generated / self.human


def style_recovery(
    training: Sequence[Sample], held_out: Sequence[Sample], generated: Sequence[Sample], seed: int = 1
) -> Recovery:
    """Train on human pieces, ask about others. Labels with fewer than `MIN_PIECES` to learn from are left out.

    Raises:
        ValueError: less than two labels are left, or nothing generated bears one of them.
    """
    counts = Counter(label for label, _, _ in training)
    labels = sorted(label for label, count in counts.items() if count >= MIN_PIECES)
    held_out, generated = ([s for s in samples if s[0] in labels] for samples in (held_out, generated))
    if len(labels) < 2 or not generated or not held_out:
        raise ValueError(f"A classifier needs two labels of {MIN_PIECES} pieces, and pieces to judge.")
    forest = RandomForestClassifier(400, min_samples_leaf=2, class_weight="balanced_subsample", random_state=seed)
    learned = [s for s in training if s[0] in labels]
    forest.fit(np.stack([features(s) for s in learned]), [s[0] for s in learned])

    def named(samples: Sequence[Sample]) -> tuple[list[str], list[str]]:
        return [s[0] for s in samples], list(forest.predict(np.stack([features(s) for s in samples])))

    human_truth, human_named = named(held_out)
    our_truth, our_named = named(generated)
    theirs, ours = _recalls(human_truth, human_named), _recalls(our_truth, our_named)
    return Recovery(
        human=float(np.mean(list(theirs.values()))),
        generated=float(np.mean(list(ours.values()))),
        chance=1.0 / len(labels),
        recalls={label: (theirs[label], ours.get(label)) for label in labels if label in theirs},
    )


def repetition_bands(generated: Sequence[Sample], human: Sequence[Sample], bars: int = BARS) -> Rows:
    """For each label and statistic: the band of 80 % of the human pieces, and the share of generated pieces inside."""
    rows = []
    theirs, ours = (_statistics(samples, bars) for samples in (human, generated))
    for label in sorted(set(theirs) & set(ours)):
        if len(theirs[label]) < MIN_PIECES:
            continue
        for name in theirs[label][0]:
            human_values = _finite([one[name] for one in theirs[label]])
            our_values = _finite([one[name] for one in ours[label]])
            if not len(human_values) or not len(our_values):
                continue
            low, high = np.quantile(human_values, BAND)
            inside = np.mean((our_values >= low) & (our_values <= high))
            rows.append({
                "label": label, "statistic": name, "low": float(low), "high": float(high),
                "generated": float(np.median(our_values)), "inside": 100 * float(inside), "pieces": len(our_values),
            })  # fmt: skip
    columns = {
        "label": "label", "statistic": "statistic", "low": "human 10 %", "high": "human 90 %",
        "generated": "generated, median", "inside": "% inside", "pieces": "pieces",
    }  # fmt: skip
    return Rows(f"Repetition in the first {bars} bars", columns, rows, {"inside": 0})


def features(sample: Sample) -> Floats:
    """What a style sounds like, as numbers that do not change with the key: intervals, durations, positions, groove,
    harmony, repetition in the first `BARS` bars. Absent parts give zeros."""
    _, music, bar_steps = sample
    bars = music[:BARS]
    notes = notes_of(bars, bar_steps, ("melody",))
    values = [
        pitch_class_entropy(notes), scale_consistency(notes), groove_consistency(notes, bar_steps),
        density(notes, len(bars), bar_steps), syncopation(notes), compression_ratio(notes), chord_complexity(bars),
        *_interval_shares(notes), *_duration_shares(notes), *_position_shares(notes), *_chord_shares(bars),
        float(bar_steps), *_spread(notes), *(value for value in _repetition(notes, bar_steps).values()),
    ]  # fmt: skip
    return np.nan_to_num(np.array(values, dtype=np.float64))


def _interval_shares(notes: Sequence[Triple]) -> list[float]:
    """-12 … 12 semitones from note to note, farther ones at the ends."""
    moves = Counter(max(-12, min(12, after[2] - before[2])) for before, after in pairwise(notes))
    return _shares(moves, range(-12, 13))


def _duration_shares(notes: Sequence[Triple]) -> list[float]:
    lengths = Counter(max((d for d in _DURATIONS if d <= duration), default=_DURATIONS[0]) for _, duration, _ in notes)
    return _shares(lengths, _DURATIONS)


def _position_shares(notes: Sequence[Triple]) -> list[float]:
    """Where in the beat notes begin."""
    return _shares(Counter(onset % GRID for onset, _, _ in notes), range(GRID))


def _chord_shares(bars: Sequence[Bar]) -> list[float]:
    """Chord qualities, moves of the root in semitones, and chords per bar."""
    chords = [chord for bar in bars for chord in bar.chords]
    moves = Counter((after.root - before.root) % 12 for before, after in pairwise(chords))
    qualities = Counter(chord.quality for chord in chords)
    return [*_shares(qualities, _QUALITIES), *_shares(moves, range(12)), len(chords) / max(1, len(bars))]


def _spread(notes: Sequence[Triple]) -> list[float]:
    """Range and standard deviation of the pitches, mean size of a move."""
    pitches = [pitch for _, _, pitch in notes] or [0]
    moves = [abs(after - before) for before, after in pairwise(pitches)] or [0]
    return [float(max(pitches) - min(pitches)), float(np.std(pitches)), float(np.mean(moves))]


def _shares(counts: Counter, keys: Sequence) -> list[float]:
    total = counts.total() or 1
    return [counts[key] / total for key in keys]


def _repetition(notes: Sequence[Triple], bar_steps: int) -> dict[str, float]:
    measured = repetition(notes, bar_steps)
    lags = {f"similarity {lag} bars on": measured.lags[lag] for lag in LAGS}
    return {
        "rhythms that return": measured.rhythms, "bars that return": measured.exact, "bars varied": measured.near,
    } | lags  # fmt: skip


def _statistics(samples: Sequence[Sample], bars: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for label, music, bar_steps in samples:
        notes = notes_of(music[:bars], bar_steps, ("melody",))
        if notes:
            found[label].append(_repetition(notes, bar_steps) | {"compression": compression_ratio(notes)})
    return found


def _values(
    samples: Sequence[Sample], parts: Sequence[str], measure: Callable[[Sequence[Triple], int], float]
) -> Floats:
    values = []
    for _, bars, bar_steps in samples:
        notes = [note for note in notes_of(bars, bar_steps, parts) if note[0] < BEATS * GRID]
        values.append(measure(notes, bar_steps))
    return _finite(values)


def _finite(values: Sequence[float]) -> Floats:
    return np.array([value for value in values if math.isfinite(value)])


def _ci(values: Floats) -> float:
    """Half the width of the 95 % confidence interval of the mean."""
    return float(1.96 * values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _recalls(truth: Sequence[str], named: Sequence[str]) -> dict[str, float]:
    right = Counter(one for one, other in zip(truth, named, strict=True) if one == other)
    return {label: right[label] / count for label, count in Counter(truth).items()}
