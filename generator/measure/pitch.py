"""Whether the right pitches sound, and what key the notes are in.

Audio is compared with the score (did the renderer play what was written?); the key is read from the notes, since
every audio key finder takes correct minor music for its relative major.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.brief import Key
from generator.measure.spectrum import frames
from generator.score import Score

_WINDOW = 8192
_HOP = 4096
_LOW_HZ, _HIGH_HZ = 55.0, 2000.0

# Pitch classes above the tonic; the raised sixth and seventh of minor count nearly in full.
_MAJOR = {0: 1.0, 2: 1.0, 4: 1.0, 5: 1.0, 7: 1.0, 9: 1.0, 11: 1.0}
_MINOR = {0: 1.0, 2: 1.0, 3: 1.0, 5: 1.0, 7: 1.0, 8: 1.0, 10: 1.0, 9: 0.7, 11: 0.8}

_DOUBT = 0.03
"""Difference of fit that tells nothing: composed pieces in a clear key lead by 0.1 to 0.4."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Semitones by which the audio's chroma fits the score best (0 = as written), and the two best correlations."""

    semitones: int
    correlation: float
    runner_up: float


def chroma_rotation(audio: Tensor, rate: int, score: Score) -> Rotation:
    """Correlate audio chroma with the score's over time, at all twelve rotations."""
    if all(part.role == "bass" for part in score.pitched):
        return Rotation(0, 0.0, 0.0)  # a semitone at 50 Hz is narrower than the transform can tell
    heard = _audio_chroma(audio, rate)
    written = _score_chroma(score, heard.shape[1], _HOP / rate)
    heard, written = _centred(heard), _centred(written)
    fits = [float((np.roll(written, shift, axis=0) * heard).sum()) for shift in range(12)]
    order = sorted(range(12), key=lambda shift: -fits[shift])
    return Rotation(order[0] if order[0] <= 6 else order[0] - 12, fits[order[0]], fits[order[1]])


def harmonic_tempo(audio: Tensor, rate: int, score: Score) -> tuple[float, float]:
    """Tempo by which the audio's harmony moves, and how well it fits: for music without a pulse.

    The score's chroma is stretched to every tempo within 12 % of its own, and moved by up to 0.8 s for slow
    attacks, and correlated with the audio's.
    """
    heard = _centred(_audio_chroma(audio, rate))
    frames = heard.shape[1]
    written = _score_chroma(score, int(frames * 1.15) + 2, _HOP / rate)
    ratios = np.arange(0.88, 1.12, 0.002)
    found = (0.0, score.tempo_bpm)
    for ratio in ratios:
        for late in range(0, 9, 2):
            place = ((np.arange(frames) - late) * ratio).astype(np.int64).clip(0, written.shape[1] - 1)
            fit = float((heard * _centred(written[:, place])).sum())
            found = max(found, (fit, float(ratio) * score.tempo_bpm))
    return found[1], found[0]


def _audio_chroma(audio: Tensor, rate: int) -> NDArray[np.float64]:
    hertz = torch.fft.rfftfreq(_WINDOW, 1 / rate, device=audio.device)
    inside = (hertz > _LOW_HZ) & (hertz < _HIGH_HZ)
    pitch = 69 + 12 * torch.log2(hertz[inside] / 440.0)
    away = (pitch[None] - torch.arange(12, device=audio.device)[:, None] + 6) % 12 - 6
    # Low bins are many semitones wide and count less; the root of the magnitude flattens the few loud partials.
    weight = torch.exp(-0.5 * (away / 0.35) ** 2) * (hertz[inside] / 200.0).clamp(max=1.0)
    heard = [weight @ power[:, inside].pow(0.25).T for power in frames(audio, _WINDOW, _HOP)]
    chroma: NDArray[np.float64] = torch.cat(heard, 1).double().cpu().numpy()
    return chroma


def _score_chroma(score: Score, frames: int, hop_s: float) -> NDArray[np.float64]:
    chroma = np.zeros((12, frames))
    for part in score.pitched:
        for note in part.notes:
            first = int(score.seconds_at(note.onset) / hop_s)
            last = max(math.ceil(score.seconds_at(note.end) / hop_s), first + 1)
            chroma[note.pitch % 12, first:last] += note.velocity / 127.0
            chroma[(note.pitch + 7) % 12, first:last] += 0.25 * note.velocity / 127.0  # its third harmonic
    return np.sqrt(chroma)


def _centred(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    away: NDArray[np.float64] = chroma - chroma.mean(0, keepdims=True)
    return away / max(float(np.sqrt((away**2).sum())), 1e-12)


def key_of(score: Score) -> Key:
    """The key of the notes: how much of them lies in each scale, and which tonic the piece starts and ends on.

    Where the notes do not tell keys apart (a vamp that lacks a degree fits several), the written key stands.
    """
    weights = np.zeros(12)
    for part in score.pitched:
        for note in part.notes:
            weights[note.pitch % 12] += note.duration
    if not weights.any():
        return score.key
    weights /= weights.sum()
    last_bass = _last_bass(score)
    fits = {
        key: _fit(score, key, weights, last_bass)
        for key in (Key(tonic, mode) for tonic in range(12) for mode in ("major", "minor"))
    }
    best = max(fits, key=lambda key: fits[key])
    return score.key if fits[best] - fits[score.key] < _DOUBT else best


def _fit(score: Score, key: Key, weights: NDArray[np.float64], last_bass: int | None) -> float:
    scale = _MINOR if key.mode == "minor" else _MAJOR
    fit = sum(float(weights[(key.tonic + tone) % 12]) * share for tone, share in scale.items())
    fit += 0.3 * float(weights[key.tonic]) + 0.1 * float(weights[(key.tonic + 7) % 12])
    third = (key.tonic + (3 if key.mode == "minor" else 4)) % 12
    other = (key.tonic + (4 if key.mode == "minor" else 3)) % 12
    fit += 0.2 * float(weights[third] - weights[other])
    fit += 0.15 * (last_bass == key.tonic)
    for chord, share in ((score.chords[0], 0.1), (score.chords[-1], 0.15)) if score.chords else ():
        if chord.root == key.tonic:
            fit += share if third in chord.pitch_classes else share * 0.4
    return fit


def _last_bass(score: Score) -> int | None:
    basses = [note for part in score.parts if part.role == "bass" for note in part.notes]
    return max(basses, key=lambda note: (note.onset, -note.pitch)).pitch % 12 if basses else None


def related(first: Key, second: Key) -> bool:
    """Whether two keys are the same or share their notes (relative major and minor)."""
    return first == second or (first.mode != second.mode and first.fifths == second.fifths)
