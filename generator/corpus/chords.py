"""Foreign chord symbols on our qualities."""

from __future__ import annotations

import re

from generator.score import CHORD_TONES

# MusicXML kinds (words and printed texts), Harte's shorthands (2005) and the suffixes of lead sheets. What is not
# here falls back to its stem without alterations, and is skipped when that is not here either.
_QUALITIES = {
    "": "", "maj": "", "major": "", "M": "", "min": "m", "minor": "m", "m": "m", "-": "m", "mi": "m",
    "7": "7", "dominant": "7", "9": "9", "dominant-ninth": "9", "11": "9", "dominant-11th": "9", "13": "13",
    "dominant-13th": "13", "maj7": "maj7", "major-seventh": "maj7", "M7": "maj7", "ma7": "maj7", "Maj7": "maj7",
    "maj9": "maj9", "major-ninth": "maj9", "maj13": "maj9", "major-13th": "maj9", "maj11": "maj9",
    "major-11th": "maj9", "min7": "m7", "minor-seventh": "m7", "m7": "m7", "mi7": "m7", "-7": "m7", "min9": "m9",
    "minor-ninth": "m9", "m9": "m9", "min11": "m9", "minor-11th": "m9", "m11": "m9", "min13": "m9",
    "minor-13th": "m9", "m13": "m9", "6": "6", "maj6": "6", "major-sixth": "6", "min6": "m6", "minor-sixth": "m6",
    "m6": "m6", "dim": "dim", "diminished": "dim", "o": "dim", "dim7": "dim7", "diminished-seventh": "dim7",
    "o7": "dim7", "hdim7": "m7b5", "half-diminished": "m7b5", "m7b5": "m7b5", "hdim": "m7b5", "m7-5": "m7b5",
    "aug": "aug", "augmented": "aug", "+": "aug", "aug7": "7", "augmented-seventh": "7", "7+": "7", "+7": "7",
    "7-5": "7", "7+5": "7", "7-9": "7", "7+11": "7", "M7+5": "maj7", "sus4": "sus4", "suspended-fourth": "sus4",
    "sus": "sus4", "sus2": "add9", "suspended-second": "add9", "7sus4": "7sus4", "7sus": "7sus4", "9sus4": "7sus4",
    "minmaj7": "m", "major-minor": "m", "mmaj7": "m", "mM7": "m", "5": "", "power": "", "1": "", "add9": "add9",
    "2": "add9", "add4": "", "add11": "", "sus4add9": "sus4", "6(9)": "6", "69": "6", "Neapolitan": "",
}  # fmt: skip


def quality_of(kind: str) -> str | None:
    """Our quality for a foreign one; altered extensions fall back to their stem. None when unknown or no chord."""
    kind = kind.strip()
    if kind in CHORD_TONES:
        return kind
    return _QUALITIES.get(kind, _QUALITIES.get(re.sub(r"\(.*?\)", "", kind)))
