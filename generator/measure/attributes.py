"""Measure the Brief's musical dimensions on a finished score: what a taste learns from.

Formulas (all clipped to their range; constants set so that human lead sheets spread over the range):

* density      = distinct attacks of the pitched parts per quarter note / 4
* complexity   = 0.4 · share of chords beyond triads and sevenths' plain forms + 0.3 · chord changes per bar / 2
                 + 0.3 · normalised entropy of melodic intervals
* brightness   = (mean sounding pitch weighted by time − 48) / 32
* acousticness = mean acousticness of the instruments, weighted by sounding time
* arousal      = 2 · (0.45 · tempo + 0.25 · density + 0.15 · loudness + 0.15 · drums) − 1, with
                 tempo = (bpm − 60) / 100 and loudness = (mean velocity − 50) / 50: tempo, loudness and density are
                 the strongest cues of arousal (Juslin & Laukka 2004; Eerola et al. 2013)
* valence      = 0.5 · (major +1, minor −1) + 0.25 · (2 · brightness − 1) + 0.25 · (2 · tempo − 1): mode, then
                 register and tempo (Gabrielsson & Lindström 2010)
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

from generator.brief import Attributes, Brief
from generator.render.instruments import INSTRUMENTS
from generator.score import CHORD_TONES, PPQ, Part, Score


def measure_attributes(score: Score, brief: Brief) -> Attributes:
    """Attributes of a performed score; `styles` and `novelty` are the Brief's, the rest is counted."""
    pitched = [part for part in score.parts if part.role not in {"drums", "texture"}]
    quarters = score.end_tick / PPQ
    attacks = {note.onset for part in pitched for note in part.notes}
    density = _clip(len(attacks) / quarters / 4)
    brightness = _clip((_mean_pitch(pitched) - 48) / 32)
    tempo = _clip((score.tempo_bpm - 60) / 100)
    velocities = [note.velocity for part in score.parts for note in part.notes]
    loudness = _clip((sum(velocities) / max(1, len(velocities)) - 50) / 50)
    drums = 1.0 if any(part.role == "drums" for part in score.parts) else 0.0
    minor = 1.0 if score.key.mode == "minor" else 0.0
    arousal = 2 * (0.45 * tempo + 0.25 * density + 0.15 * loudness + 0.15 * drums) - 1
    valence = 0.5 * (1 - 2 * minor) + 0.25 * (2 * brightness - 1) + 0.25 * (2 * tempo - 1)
    return Attributes(
        styles=brief.styles,
        valence=round(_clip(valence, -1.0), 4),
        arousal=round(_clip(arousal, -1.0), 4),
        tempo_bpm=score.tempo_bpm,
        density=round(density, 4),
        minor=minor,
        acousticness=round(_acousticness(pitched), 4),
        complexity=round(_complexity(score, pitched), 4),
        brightness=round(brightness, 4),
        novelty=brief.novelty,
        instruments=tuple(part.instrument for part in score.parts),
    )


def _clip(value: float, low: float = 0.0) -> float:
    return min(1.0, max(low, value))


def _mean_pitch(parts: list[Part]) -> float:
    weighed = [(note.pitch, note.duration) for part in parts if part.role != "bass" for note in part.notes]
    total = sum(duration for _, duration in weighed)
    return sum(pitch * duration for pitch, duration in weighed) / total if total else 60.0


def _acousticness(parts: list[Part]) -> float:
    time = {part.name: sum(note.duration for note in part.notes) for part in parts}
    total = sum(time.values())
    return sum(INSTRUMENTS[part.instrument].acousticness * time[part.name] for part in parts) / total if total else 0.5


def _complexity(score: Score, parts: list[Part]) -> float:
    rich = sum(len(CHORD_TONES[chord.quality]) > 4 or "dim" in chord.quality or "b5" in chord.quality
               for chord in score.chords)  # fmt: skip
    sevenths = sum(len(CHORD_TONES[chord.quality]) == 4 for chord in score.chords)
    share = (rich + 0.5 * sevenths) / max(1, len(score.chords))
    changes = _clip((len(score.chords) / score.bars) / 2)
    melody = next((part for part in parts if part.role == "melody"), None)
    return _clip(0.4 * share + 0.3 * changes + 0.3 * (_interval_entropy(melody) if melody else 0.0))


def _interval_entropy(part: Part) -> float:
    """Shannon entropy of the melodic intervals over that of twelve equally likely ones."""
    counts = Counter(abs(b.pitch - a.pitch) for a, b in pairwise(part.notes))
    total = sum(counts.values())
    if total == 0:
        return 0.0
    entropy = -sum(count / total * math.log2(count / total) for count in counts.values())
    return _clip(entropy / math.log2(12))
