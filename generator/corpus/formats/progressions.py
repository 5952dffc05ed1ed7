"""Chord progressions in text: symbols in C, one bar each, as free-midi-chords lists them."""

from __future__ import annotations

import re

from generator.brief import Key
from generator.corpus.chords import quality_of
from generator.corpus.music import Unusable
from generator.corpus.piece import Bar, GridChord

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MIN_BARS = 4
_TONIC_OF_MODE = {"major": Key(0, "major"), "minor": Key(0, "minor")}


def read_progression(symbols: str, mode: str) -> tuple[Key, tuple[Bar, ...]]:
    """Key and bars of "C Am F G": a progression under four bars is played again until it has four. Raises Unusable."""
    chords = [parse_symbol(symbol) for symbol in symbols.split()]
    bars = [Bar(chords=(GridChord(0, root, quality),)) for root, quality in chords]
    if not bars:
        raise Unusable("no chords")
    while len(bars) < _MIN_BARS:
        bars += bars
    return _TONIC_OF_MODE.get(mode, Key(0, "minor" if chords[0][1].startswith("m") else "major")), tuple(bars)


def parse_symbol(symbol: str) -> tuple[int, str]:
    """Root pitch class and quality of a chord symbol such as "Bbmaj7". Raises Unusable."""
    match = re.fullmatch(r"([A-G])([#b]*)([^/]*)(/.*)?", symbol)
    quality = quality_of(match[3]) if match else None
    if match is None or quality is None:
        raise Unusable(f"the chord symbol {symbol}")
    return (_STEPS[match[1]] + match[2].count("#") - match[2].count("b")) % 12, quality
