"""Name the chords of written-out music: template matching on pitch-class durations, smoothed by Viterbi."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.corpus.piece import GRID
from generator.score import CHORD_TONES

# Inference names only what triads and sevenths can tell apart; extensions come from sources that write symbols.
_QUALITIES = ("", "m", "7", "maj7", "m7", "dim", "dim7", "m7b5", "aug", "sus4")
_PRIOR = {"": 0.0, "m": 0.0, "7": -0.04, "m7": -0.08, "maj7": -0.08, "dim": -0.1}
_RARE = -0.12  # the remaining qualities
_CHANGE_COST = 0.35  # as much as a third of a beat of wrong notes

CANDIDATES: tuple[tuple[int, str], ...] = tuple((root, quality) for root in range(12) for quality in _QUALITIES)


def _templates() -> np.ndarray:
    rows = np.full((len(CANDIDATES), 12), -0.9)
    for row, (root, quality) in zip(rows, CANDIDATES, strict=True):
        row[[(root + tone) % 12 for tone in CHORD_TONES[quality]]] = 1.0
        row[root] = 1.3  # a chord without its root is a bad guess
    return rows


_TEMPLATES = _templates()
_PRIORS = np.array([_PRIOR.get(quality, _RARE) - 0.06 * (len(CHORD_TONES[quality]) - 3) for _, quality in CANDIDATES])


def infer_chords(notes: Sequence[tuple[int, int, int]], steps: int, beat: int = GRID) -> list[tuple[int, str] | None]:
    """Name one chord for each beat.

    Args:
        notes: (onset, duration, pitch) of all voices, in grid steps.
        steps: length of the music in grid steps.
        beat: grid steps of one beat, the unit of harmonic change.

    Returns:
        (root, quality) for each beat; None for beats before any note sounds.
    """
    beats = -(-steps // beat)
    weights = np.zeros((beats, 12))
    bass = np.full(beats, 128)
    for onset, duration, pitch in notes:
        for index in range(onset // beat, min(beats, -(-(onset + duration) // beat))):
            overlap = min(onset + duration, (index + 1) * beat) - max(onset, index * beat)
            weights[index, pitch % 12] += overlap / beat
            bass[index] = min(bass[index], pitch)
    sounding = weights.sum(axis=1)
    emission = weights / np.maximum(sounding, 1e-9)[:, None] @ _TEMPLATES.T + _PRIORS
    roots = np.array([root for root, _ in CANDIDATES])
    emission += 0.25 * (roots[None, :] == (bass % 12)[:, None]) * (bass < 128)[:, None]
    emission[sounding == 0] = 0.0  # silence keeps the chord
    path = _viterbi(emission)
    first = int(np.argmax(sounding > 0)) if sounding.any() else beats
    return [CANDIDATES[state] if index >= first else None for index, state in enumerate(path)]


def _viterbi(emission: np.ndarray) -> list[int]:
    """Best path when every change of state costs the same (so one maximum serves all states)."""
    score = emission[0].copy()
    origins = []
    for row in emission[1:]:
        best = int(score.argmax())
        stay = score >= score[best] - _CHANGE_COST
        origins.append(np.where(stay, np.arange(len(score)), best))
        score = np.where(stay, score, score[best] - _CHANGE_COST) + row
    state = int(score.argmax())
    path = [state]
    for origin in reversed(origins):
        state = int(origin[state])
        path.append(state)
    return path[::-1]


def match_chord(pitches: Sequence[int]) -> tuple[int, str] | None:
    """Name a block chord exactly as voiced: the quality that explains its pitch classes best, root in the bass
    when two readings tie. None for fewer than two pitch classes."""
    classes = {pitch % 12 for pitch in pitches}
    if len(classes) < 2:
        return None
    bass = min(pitches) % 12
    best: tuple[float, int, str] | None = None
    for quality, tones in CHORD_TONES.items():
        for root in range(12):
            chord = {(root + tone) % 12 for tone in tones}
            # Voicings drop the fifth before any other tone; wrong tones weigh more than missing ones.
            missing = len(chord - classes - {(root + 7) % 12}) + 0.3 * ((root + 7) % 12 not in classes)
            score = -missing - 1.5 * len(classes - chord) + 0.6 * (root == bass) - 0.01 * len(tones)
            if best is None or score > best[0]:
                best = (score, root, quality)
    return None if best is None else (best[1], best[2])
