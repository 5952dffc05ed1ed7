"""Words for feelings: a lexicon on Russell's circumplex, read with negation and intensity.

The table is our own. Placement follows the layout of Russell (1980) and the ordering of words that published norms
agree on (calm low, excited high in arousal; sad low, happy high in valence); activities stand where the music
people choose for them stands. Valence and arousal in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.brief import Mood

# fmt: off
LEXICON: dict[str, tuple[float, float]] = {
    # our twelve moods
    "chill": (0.35, -0.50), "happy": (0.80, 0.40), "sad": (-0.65, -0.45), "energetic": (0.50, 0.85),
    "dark": (-0.55, 0.05), "romantic": (0.55, -0.25), "focus": (0.15, -0.25), "sleep": (0.15, -0.90),
    "angry": (-0.65, 0.80), "hopeful": (0.60, 0.10), "dreamy": (0.35, -0.55), "party": (0.75, 0.85),
    # calm and pleasant
    "calm": (0.40, -0.70), "relaxed": (0.50, -0.65), "relaxing": (0.50, -0.65), "relax": (0.50, -0.65), "peaceful": (0.55, -0.70), "serene": (0.55, -0.75),
    "mellow": (0.35, -0.55), "gentle": (0.45, -0.60), "soft": (0.35, -0.60), "soothing": (0.45, -0.70), "quiet": (0.15, -0.75), "cozy": (0.60, -0.50),
    "cosy": (0.60, -0.50), "warm": (0.55, -0.30), "tender": (0.45, -0.45), "lazy": (0.25, -0.65), "easy": (0.40, -0.40), "laid-back": (0.40, -0.50),
    "chilled": (0.35, -0.50), "chilling": (0.35, -0.50), "tranquil": (0.50, -0.75), "floating": (0.30, -0.60), "airy": (0.35, -0.45), "comforting": (0.55, -0.45),
    "smooth": (0.45, -0.35), "content": (0.60, -0.30), "tired": (-0.15, -0.75), "sleepy": (0.10, -0.85), "drowsy": (0.05, -0.85), "bedtime": (0.20, -0.85),
    # lively and pleasant
    "joyful": (0.85, 0.50), "cheerful": (0.80, 0.45), "upbeat": (0.70, 0.60), "uplifting": (0.75, 0.45), "excited": (0.70, 0.80), "exciting": (0.65, 0.80),
    "fun": (0.75, 0.55), "playful": (0.65, 0.45), "bright": (0.60, 0.35), "sunny": (0.75, 0.30), "optimistic": (0.65, 0.25), "triumphant": (0.70, 0.70),
    "euphoric": (0.85, 0.80), "ecstatic": (0.85, 0.85), "lively": (0.60, 0.65), "dancing": (0.65, 0.75), "dance": (0.65, 0.75), "groovy": (0.60, 0.50),
    "heroic": (0.55, 0.65), "proud": (0.55, 0.40), "confident": (0.55, 0.40), "love": (0.75, 0.10), "loving": (0.70, -0.10), "sweet": (0.60, -0.15),
    "funky": (0.60, 0.60), "festive": (0.75, 0.65), "celebration": (0.80, 0.70), "hype": (0.55, 0.90), "hyped": (0.55, 0.90), "powerful": (0.30, 0.75),
    # calm and unpleasant
    "melancholic": (-0.45, -0.40), "melancholy": (-0.45, -0.40), "lonely": (-0.60, -0.40), "gloomy": (-0.60, -0.35), "nostalgic": (0.05, -0.30), "nostalgia": (0.05, -0.30),
    "wistful": (-0.10, -0.35), "bittersweet": (-0.05, -0.25), "heartbroken": (-0.75, -0.20), "heartbreak": (-0.75, -0.20), "depressed": (-0.80, -0.50), "blue": (-0.45, -0.40),
    "somber": (-0.55, -0.40), "mournful": (-0.65, -0.45), "grief": (-0.75, -0.30), "rainy": (-0.20, -0.50), "rain": (-0.15, -0.50), "moody": (-0.30, -0.10), "bored": (-0.30, -0.60), "empty": (-0.50, -0.50), "cold": (-0.35, -0.20),
    # lively and unpleasant
    "tense": (-0.50, 0.60), "anxious": (-0.60, 0.60), "nervous": (-0.45, 0.60), "stressed": (-0.60, 0.55), "furious": (-0.75, 0.90), "rage": (-0.75, 0.90),
    "aggressive": (-0.50, 0.85), "scary": (-0.70, 0.60), "spooky": (-0.45, 0.35), "creepy": (-0.60, 0.35), "eerie": (-0.45, 0.10), "ominous": (-0.60, 0.35),
    "dramatic": (-0.10, 0.55), "intense": (-0.05, 0.80), "epic": (0.30, 0.75), "mysterious": (-0.20, 0.05), "sinister": (-0.65, 0.35), "haunting": (-0.35, -0.10), "frustrated": (-0.60, 0.50), "bitter": (-0.60, 0.20),
    # times and occupations
    "study": (0.15, -0.30), "studying": (0.15, -0.30), "focused": (0.15, -0.20), "concentrate": (0.15, -0.25), "concentration": (0.15, -0.25), "work": (0.20, 0.00), "working": (0.20, 0.00),
    "coding": (0.15, -0.10), "reading": (0.25, -0.50), "writing": (0.20, -0.35), "meditation": (0.35, -0.85), "meditate": (0.35, -0.85), "yoga": (0.45, -0.60), "sleeping": (0.15, -0.90),
    "workout": (0.45, 0.90), "gym": (0.45, 0.90), "running": (0.45, 0.85), "run": (0.45, 0.80), "driving": (0.30, 0.45), "drive": (0.30, 0.45), "roadtrip": (0.60, 0.50), "cooking": (0.55, 0.20), "dinner": (0.50, -0.20),
    "gaming": (0.30, 0.55), "morning": (0.45, 0.00), "evening": (0.30, -0.40), "night": (0.00, -0.35), "midnight": (-0.10, -0.30), "summer": (0.70, 0.35), "autumn": (-0.05, -0.30), "winter": (-0.05, -0.35), "spring": (0.55, 0.15),
    "coffee": (0.40, -0.25), "cafe": (0.40, -0.25), "beach": (0.65, 0.10), "sunset": (0.40, -0.35), "sunrise": (0.50, -0.15), "walk": (0.40, -0.10), "walking": (0.40, -0.10), "space": (0.10, -0.45), "ocean": (0.30, -0.50), "forest": (0.35, -0.45),
    # German, Spanish, French, Portuguese
    "ruhig": (0.40, -0.70), "entspannt": (0.50, -0.65), "fröhlich": (0.80, 0.45), "glücklich": (0.80, 0.35), "traurig": (-0.65, -0.45), "wütend": (-0.65, 0.80), "düster": (-0.55, 0.05), "verträumt": (0.35, -0.55), "hoffnungsvoll": (0.60, 0.10),
    "tranquilo": (0.45, -0.65), "triste": (-0.65, -0.45), "feliz": (0.80, 0.40), "alegre": (0.80, 0.50), "enojado": (-0.65, 0.80), "oscuro": (-0.55, 0.05), "calme": (0.40, -0.70), "joyeux": (0.80, 0.50), "sombre": (-0.55, 0.00), "calmo": (0.40, -0.70), "relajado": (0.50, -0.65),
}
# fmt: on

STRONGER = {
    "very": 1.35,
    "really": 1.3,
    "super": 1.4,
    "extremely": 1.5,
    "so": 1.2,
    "deeply": 1.3,
    "totally": 1.3,
    "sehr": 1.35,
}
WEAKER = {
    "slightly": 0.5,
    "somewhat": 0.6,
    "little": 0.5,
    "bit": 0.5,
    "mildly": 0.5,
    "kinda": 0.6,
    "rather": 0.8,
    "almost": 0.6,
}
NEGATIONS = {"not", "no", "never", "without", "isn't", "less", "nicht", "kein"}
CONTRASTS = {"but", "yet", "though", "aber", "pero", "mais"}


@dataclass(frozen=True, slots=True)
class Feeling:
    """What a text says of mood, and which of its words (by position) said it."""

    mood: Mood | None
    used: frozenset[int]


def read_mood(words: Sequence[str]) -> Feeling:
    """Average the mood words of a tokenised, lower-case text.

    "very" and "a bit" scale the next mood word, "not" turns its valence and mutes its arousal, and words after
    "but" count double (what follows a contrast is what is meant).
    """
    points: list[tuple[float, float, float]] = []
    used: set[int] = set()
    said: list[str] = []
    scale, negated, weight = 1.0, False, 1.0
    pending: set[int] = set()
    for index, word in enumerate(words):
        if word in CONTRASTS:
            weight = 2.0
            used.add(index)
        elif word in STRONGER or word in WEAKER:
            scale *= STRONGER.get(word, 1.0) * WEAKER.get(word, 1.0)
            pending.add(index)
        elif word in NEGATIONS:
            negated = True
            pending.add(index)
        elif word in LEXICON:
            valence, arousal = (_clip(value * scale) for value in LEXICON[word])
            if negated:
                valence, arousal = -0.6 * valence, 0.3 * arousal
            points.append((valence, arousal, weight))
            said.append(f"not {word}" if negated else word)
            used |= {index} | pending
            scale, negated, pending = 1.0, False, set()
        elif word not in {"a", "the", "too", "and", "of", "all"}:
            scale, negated, pending = 1.0, False, set()
    if not points:
        return Feeling(None, frozenset())
    total = sum(weight for *_, weight in points)
    valence = sum(v * weight for v, _, weight in points) / total
    arousal = sum(a * weight for _, a, weight in points) / total
    return Feeling(Mood(round(valence, 3), round(arousal, 3), tuple(said)), frozenset(used))


def name_mood(mood: Mood) -> str:
    """The nearest of our mood names, to show the point in a word."""
    names = list(LEXICON)[:12]
    return min(names, key=lambda n: (LEXICON[n][0] - mood.valence) ** 2 + (LEXICON[n][1] - mood.arousal) ** 2)


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
