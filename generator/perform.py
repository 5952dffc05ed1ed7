"""Turn a written score into a played one: swing, microtiming, phrase dynamics and accents. Pitches stay."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from generator.arrange.style import Style
from generator.brief import Brief
from generator.plan import Plan, section_at
from generator.score import PPQ, Note, Part, Score
from generator.seeds import stream

PHRASE_BARS = 4


def perform(score: Score, plan: Plan, brief: Brief, style: Style, seed: int) -> Score:
    """Set velocity and micro of every note. `brief.swing` is how far swung notes move, 0 … 1."""
    parts = [
        _perform_part(part, score, plan, brief, style, stream(seed, f"perform {part.name}")) for part in score.parts
    ]
    return replace(score, parts=tuple(parts))


def _perform_part(part: Part, score: Score, plan: Plan, brief: Brief, style: Style, rng: np.random.Generator) -> Part:
    ticks_per_ms = PPQ * score.tempo_bpm / 60_000
    lay_back = style.playing.lay_back_ms.get(part.role, 0.0) * ticks_per_ms
    loose = style.playing.timing_ms * ticks_per_ms * (0.5 if part.role == "drums" else 1.0)
    played = []
    for note in part.notes:
        swing = swing_ticks(note.onset, brief.swing, style.playing.swing_unit)
        jitter = float(np.clip(rng.normal(0.0, loose / 2), -loose, loose))
        # The first beat of the piece is together; after it everybody sits where they like.
        micro = note.micro + swing + (0.0 if note.onset == 0 else lay_back + jitter)
        velocity = note.velocity + _dynamics(note, plan, brief) + rng.normal(0.0, style.playing.velocity_spread / 2)
        played.append(replace(note, micro=round(micro), velocity=int(np.clip(round(velocity), 8, 127))))
    return replace(part, notes=tuple(played))


def swing_ticks(onset: int, swing: float, unit: int) -> int:
    """How late a note on the off-beat of its unit is played: at 1.0 the pair becomes a triplet's 2 : 1."""
    pair = PPQ * 8 // unit  # ticks of two swung notes
    return round(swing * pair / 6) if onset % pair == pair // 2 else 0


def _dynamics(note: Note, plan: Plan, brief: Brief) -> float:
    """Phrases rise and fall, sections follow their energy, downbeats carry weight, calm moods play softer."""
    bar_ticks = plan.meter.bar_ticks
    bar, in_bar = divmod(note.onset, bar_ticks)
    phrase = (note.onset % (PHRASE_BARS * bar_ticks)) / (PHRASE_BARS * bar_ticks)
    swell = 5.0 * math.sin(math.pi * phrase)
    accent = 4.0 if in_bar == 0 else 0.0
    return swell + accent + 22.0 * (section_at(plan, bar).energy - 0.6) + 8.0 * brief.mood.arousal
