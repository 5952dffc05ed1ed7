"""Turn a written score into a played one: swing, microtiming, phrase dynamics and accents. Pitches stay.

Who plays late or early, and how unevenly, is the style's (`Playing`); how drummers do it is measured from human ones
(`arrange/feel.py`); mood makes playing louder, sharper and tighter or softer, rounder and looser (`arrange/mood.toml`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from generator.arrange.feel import load_feel
from generator.arrange.meters import COMPOUND, STEPS
from generator.arrange.mood import Feeling, feeling_of
from generator.arrange.style import DRUMS, Playing, Style
from generator.brief import Brief
from generator.plan import Plan
from generator.score import PPQ, Note, Part, Score
from generator.seeds import stream

PHRASE_BARS = 4
_SIXTEENTH = PPQ // 4
_DRUM_NAMES = {pitch: name for name, pitch in DRUMS.items()} | {43: "low_tom"}
_FADE_BARS = 6  # of an ending that fades
_LIKE_HAT = {"shaker": "hat", "tambourine": "hat", "ride_bell": "ride", "clap": "snare", "cowbell": "rim",
             "claves": "rim", "high_conga": "high_tom", "low_conga": "low_tom"}  # fmt: skip


def perform(score: Score, plan: Plan, brief: Brief, style: Style, seed: int) -> Score:
    """Set velocity and micro of every note. `brief.swing` is how far swung notes move, 0 … 1."""
    feeling = feeling_of(brief)
    level = _levels(plan, style, feeling)
    parts = [
        _perform_part(part, plan, brief, style, feeling, level, stream(seed, f"perform {part.name}"))
        for part in score.parts
    ]
    return replace(score, parts=tuple(parts))


def _perform_part(
    part: Part, plan: Plan, brief: Brief, style: Style, feeling: Feeling, level: NDArray[np.float64],
    rng: np.random.Generator,
) -> Part:  # fmt: skip
    if not part.notes:
        return part
    playing, drums = style.playing, part.role == "drums"
    ticks_per_ms = PPQ * plan.tempo_bpm / 60_000
    lay_back = playing.lay_back_ms.get(part.role, 0.0) * ticks_per_ms
    onsets = np.array([note.onset for note in part.notes])
    late, louder = _touch(part.notes, playing, plan, rng) if drums else _hands(onsets, playing, rng)
    unit = 0 if str(plan.meter) in COMPOUND else playing.swing_unit
    swing = [swing_ticks(onset % plan.meter.bar_ticks, brief.swing, unit) for onset in onsets.tolist()]
    # The first beat of the piece is together; after it everybody sits where they like.
    micro = np.where(onsets == 0, 0.0, lay_back + late * ticks_per_ms * feeling.timing) + np.array(swing)
    sixteenths = np.minimum(onsets // _SIXTEENTH, len(level) - 1)
    velocity = np.array([note.velocity for note in part.notes]) + level[sixteenths] + louder
    velocities = np.clip(np.rint(velocity), 8, 127).astype(int).tolist()
    played = [
        # Drumming that the composer has written brings its own microtiming, but swings with the band.
        replace(note, micro=note.micro + (late_by if drums and note.micro else round(moved)), velocity=loud)
        for note, moved, late_by, loud in zip(part.notes, micro.tolist(), swing, velocities, strict=True)
    ]
    return replace(part, notes=tuple(played))


def _hands(
    onsets: NDArray[np.int64], playing: Playing, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds and velocities of a melodic player: notes struck together stay together within a few."""
    moments, of_note = np.unique(onsets, return_inverse=True)
    loose = playing.timing_ms
    together = np.clip(rng.normal(0.0, loose / 2, len(moments)), -loose, loose)[of_note]
    apart = rng.normal(0.0, loose / 8, len(onsets))
    return together + apart, rng.normal(0.0, playing.velocity_spread / 2, len(onsets))


def _touch(
    notes: Sequence[Note], playing: Playing, plan: Plan, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds and velocities of a human drummer of the style's family, by drum and place in the bar."""
    feel = load_feel(playing.drummer)
    steps = STEPS[str(plan.meter)]
    late, louder = [], []
    for note in notes:
        name = _DRUM_NAMES.get(note.pitch, "hat")
        name = _LIKE_HAT.get(name, name)
        place = note.onset // _SIXTEENTH % steps % 16
        touch = feel.get((name, place)) or feel.get((name, -1)) or feel["kick", -1]
        late.append((touch.late_ms, touch.late_spread_ms))
        louder.append((touch.louder, touch.loudness_spread))
    times, forces = np.array(late), np.array(louder)
    # Two thirds of the spread between performances is not within one: drummers differ more than their bars do.
    jitter = np.clip(rng.normal(0.0, 1.0, len(notes)), -2, 2) / 3
    force = np.clip(rng.normal(0.0, 1.0, len(notes)), -2, 2) / 4
    human = playing.human
    return human * (times[:, 0] + jitter * times[:, 1]), human * (0.3 * forces[:, 0] + force * forces[:, 1])


def swing_ticks(onset: int, swing: float, unit: int) -> int:
    """How late a note on the off-beat of its unit is played: at 1.0 a triplet's 2 : 1. Unit 0 is never."""
    if unit == 0:
        return 0
    pair = PPQ * 8 // unit  # ticks of two swung notes
    return round(swing * pair / 6) if onset % pair == pair // 2 else 0


def _levels(plan: Plan, style: Style, feeling: Feeling) -> NDArray[np.float64]:
    """Velocity that every sixteenth of the piece adds: phrases rise and fall, sections follow their energy, downbeats
    carry weight, a fade dies away, and calm moods play softer."""
    steps = STEPS[str(plan.meter)]
    playing = style.playing
    starts = [section.start_bar for section in plan.sections]
    levels = np.zeros(plan.bars * steps)
    for step in range(len(levels)):
        bar, in_bar = divmod(step, steps)
        section = plan.sections[max(0, bisect_right(starts, bar) - 1)]
        phrase = (step - section.start_bar * steps) % (PHRASE_BARS * steps) / (PHRASE_BARS * steps)
        levels[step] = playing.swell * (math.sin(math.pi * phrase) - 0.5) + playing.contrast * (section.energy - 0.6)
        levels[step] += max(0.0, playing.accent + feeling.attack) if in_bar == 0 else 0.0
    if style.ending.kind == "fade" and not plan.loop and plan.bars > 2 * _FADE_BARS:
        levels[-_FADE_BARS * steps :] -= np.linspace(0.0, 40.0, _FADE_BARS * steps)
    return levels + feeling.velocity
