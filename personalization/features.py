"""Turn measured attributes and the mood of the moment into the vector that taste models see.

46 numbers would do (refs: 16 conditioning dimensions, squares, mood crosses); ours are 14 styles, 9 continuous
dimensions scaled to about [-1, 1], their squares, and 6 products of the asked mood with what answers it.
"""

from __future__ import annotations

import numpy as np

from generator.brief import STYLES, Attributes, Brief, Key, Mood

CONTINUOUS = (
    "valence", "arousal", "tempo", "density", "minor", "acousticness", "complexity", "brightness", "novelty",
)  # fmt: skip
_VALENCE_ANSWERS = ("valence", "minor", "brightness")
_AROUSAL_ANSWERS = ("arousal", "tempo", "density")

NAMES: tuple[str, ...] = (
    *(f"style:{name}" for name in STYLES),
    *CONTINUOUS,
    *(f"{name}²" for name in CONTINUOUS),
    *(f"mood valence × {name}" for name in _VALENCE_ANSWERS),
    *(f"mood arousal × {name}" for name in _AROUSAL_ANSWERS),
)
SIZE = len(NAMES)


def features(attributes: Attributes, mood: Mood) -> np.ndarray:
    """Vector of `SIZE` float64 in the order of `NAMES`."""
    shares = dict(attributes.styles)
    styles = np.array([shares.get(name, 0.0) for name in STYLES])
    values = {
        "valence": attributes.valence,
        "arousal": attributes.arousal,
        "tempo": (attributes.tempo_bpm - 95.0) / 35.0,
        "density": 2 * attributes.density - 1,
        "minor": 2 * attributes.minor - 1,
        "acousticness": 2 * attributes.acousticness - 1,
        "complexity": 2 * attributes.complexity - 1,
        "brightness": 2 * attributes.brightness - 1,
        "novelty": 2 * attributes.novelty - 1,
    }
    continuous = np.array([values[name] for name in CONTINUOUS])
    crosses = np.array(
        [mood.valence * values[name] for name in _VALENCE_ANSWERS]
        + [mood.arousal * values[name] for name in _AROUSAL_ANSWERS]
    )
    return np.concatenate([styles, continuous, continuous**2, crosses])


def usual_spread() -> np.ndarray:
    """How far each feature (SIZE,) usually varies between pieces: one of 14 styles, the rest about evenly spread."""
    style = (1 / len(STYLES) * (1 - 1 / len(STYLES))) ** 0.5
    spreads = {"style": style, "mood": 0.25, "square": 0.30, "continuous": 0.45}
    return np.array([spreads[_kind(name)] for name in NAMES])


def _kind(name: str) -> str:
    if name.startswith("style:"):
        return "style"
    if name.startswith("mood "):
        return "mood"
    return "square" if name.endswith("²") else "continuous"


def expected_attributes(brief: Brief) -> Attributes:
    """What a Brief is expected to measure, before anything is written."""
    return Attributes(
        styles=brief.styles, valence=brief.mood.valence, arousal=brief.mood.arousal, tempo_bpm=brief.tempo_bpm,
        density=brief.density, minor=1.0 if Key.parse(brief.key).mode == "minor" else 0.0,
        acousticness=brief.acousticness, complexity=brief.complexity, brightness=brief.brightness,
        novelty=brief.novelty,
    )  # fmt: skip
