"""Where the bar lines are in music that does not say (MIDI files that begin with a pickup).

Every shift by eighths is scored as a + b·accent + c·novelty of the moments it makes downbeats: how many long notes
begin there, and how much the harmony of half a bar after differs from that of half a bar before. The weights were
fitted as a conditional logit on 278 songs whose bar lines are known from their MusicXML. On 139 others 92 % come out
right (of those with a pickup 88 %), on 141 jazz lead sheets, whose sources give the pickup, 99 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.corpus.music import RawNote
from generator.score import PPQ

_STEP = PPQ // 2
"""Pickups are counted in eighths."""
_LONG = 2 * PPQ  # a longer note weighs no more
_UNMOVED, _ACCENT, _NOVELTY = 1.22, 2.65, 3.17


def find_shift(notes: Sequence[RawNote], bar: int) -> int:
    """Ticks to move the music right so that its downbeats fall on multiples of `bar` ticks."""
    phases = bar // _STEP
    if not notes or bar % _STEP or phases < 2:
        return 0
    scores = _ACCENT * _accents(notes, phases) + _NOVELTY * _novelty(notes, phases)
    scores[0] += _UNMOVED
    return int(-np.argmax(scores) % phases) * _STEP


def _accents(notes: Sequence[RawNote], phases: int) -> np.ndarray:
    """How much begins at each phase of the bar, weighted by duration, relative to the mean of all phases."""
    weights = np.zeros(phases)
    for note in notes:
        step, rest = divmod(note.onset, _STEP)
        if rest == 0:
            weights[step % phases] += min(note.duration, _LONG)
    return _relative(weights)


def _novelty(notes: Sequence[RawNote], phases: int) -> np.ndarray:
    """How much the harmony changes at each phase: cosine distance of the pitch classes before and after."""
    count = max(note.onset + note.duration for note in notes) // _STEP + 2
    edges = np.zeros((count + 1, 12))  # a note adds one from where it begins and takes it back where it ends
    for note in notes:
        start = note.onset // _STEP
        edges[start, note.pitch % 12] += 1
        edges[max(start + 1, -(-(note.onset + note.duration) // _STEP)), note.pitch % 12] -= 1
    heard = np.vstack([np.zeros(12), np.cumsum(np.cumsum(edges, axis=0), axis=0)])
    half = max(1, phases // 2)
    places = np.arange(half, count - half)
    before = heard[places] - heard[places - half]
    after = heard[places + half] - heard[places]
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    change = np.where(norms > 0, 1.0 - (before * after).sum(axis=1) / np.maximum(norms, 1e-9), 0.0)
    return _relative(np.bincount(places % phases, weights=change, minlength=phases))


def _relative(weights: np.ndarray) -> np.ndarray:
    mean = float(weights.mean())
    return weights / mean - 1.0 if mean > 0 else weights
