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


# What is measured on a piece follows what its Brief asks like this: (constant, slope), least squares over 82 composed
# pieces of all styles, with correlations of .53, .92, .53 and .63.
_FOLLOWED = {
    "density": (0.11, 0.76), "acousticness": (0.08, 0.84), "complexity": (0.21, 0.56), "brightness": (0.17, 0.55),
}  # fmt: skip


def expected_attributes(brief: Brief) -> Attributes:
    """What a Brief is expected to measure, before anything is written.

    Valence and arousal by the formulas of `generator.measure.attributes`, with middling loudness and with drums
    (correlations with what was measured: .99 and .88; the asked mood itself has .90 and .58).
    """
    minor = 1.0 if Key.parse(brief.key).mode == "minor" else 0.0
    got = {name: low + slope * float(getattr(brief, name)) for name, (low, slope) in _FOLLOWED.items()}
    tempo = min(1.0, max(0.0, (brief.tempo_bpm - 60) / 100))
    return Attributes(
        styles=brief.styles,
        valence=0.5 * (1 - 2 * minor) + 0.25 * (2 * got["brightness"] - 1) + 0.25 * (2 * tempo - 1),
        arousal=2 * (0.45 * tempo + 0.25 * got["density"] + 0.15 * 0.5 + 0.15) - 1,
        tempo_bpm=brief.tempo_bpm,
        density=got["density"],
        minor=minor,
        acousticness=got["acousticness"],
        complexity=got["complexity"],
        brightness=got["brightness"],
        novelty=brief.novelty,
    )
