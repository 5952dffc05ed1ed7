"""Chords of a progression that a style states: Roman numerals on the tonic, one item for each bar.

`I7 IV7 bVII iim7b5,V7 #ivdim7`: b or # before the numeral, a quality of `CHORD_TONES` after it; a small numeral is a
minor chord (`ii` = m, `ii7` = m7). A comma puts two chords into one bar.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from generator.score import CHORD_TONES
from generator.seeds import stream

_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_NUMERAL = re.compile(r"(?P<shift>[b#]?)(?P<degree>VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(?P<quality>.*)")


def parse_roman(text: str) -> tuple[int, str]:
    """Semitones above the tonic, and a chord quality. Raises ValueError for anything else."""
    match = _NUMERAL.fullmatch(text)
    if match is None:
        raise ValueError(f"“{text}” is not a Roman numeral; write for example I, vi, IV7, bVII or iim7b5")
    semitones = _DEGREES[match["degree"].upper()] + {"": 0, "b": -1, "#": 1}[match["shift"]]
    quality = match["quality"]
    if match["degree"].islower() and not quality.startswith(("m", "dim", "sus", "aug")):
        quality = f"m{quality}"
    if quality not in CHORD_TONES:
        raise ValueError(
            f"“{text}”: {quality} is not a chord quality; choose from {', '.join(filter(None, CHORD_TONES))}"
        )
    return semitones % 12, quality


def parse_bars(text: str) -> list[list[tuple[int, str]]]:
    """A progression, bar by bar. Raises ValueError."""
    return [[parse_roman(item) for item in bar.split(",")] for bar in text.split()]


def draw_progression(texts: Sequence[str], seed: int) -> list[list[tuple[int, str]]]:
    """The progression of a take, the same for those who write the tune and those who accompany it."""
    return parse_bars(texts[int(stream(seed, "progression").integers(len(texts)))]) if texts else []
