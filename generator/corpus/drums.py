"""Drum strokes: General MIDI percussion (and the Roland TD-11 of the Groove set) on our kit, with human timing."""

from __future__ import annotations

from collections.abc import Iterable

from generator.corpus.grid import TICKS, snap
from generator.corpus.music import RawNote
from generator.corpus.piece import Hit

# General MIDI level 1 percussion; 22, 26, 58 and 40 as the TD-11 sends them (Gillick et al. 2019, table of the
# Groove MIDI Dataset). Hand percussion goes to the drum of our kit that takes its place.
DRUM_OF: dict[int, str] = {
    35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 41: "low_tom", 43: "low_tom",
    45: "mid_tom", 47: "mid_tom", 48: "high_tom", 50: "high_tom", 58: "low_tom", 42: "hat", 22: "hat",
    44: "pedal_hat", 46: "open_hat", 26: "open_hat", 49: "crash", 52: "crash", 55: "crash", 57: "crash",
    51: "ride", 53: "ride", 59: "ride", 54: "hat", 69: "hat", 70: "hat", 82: "hat", 80: "hat", 81: "open_hat",
    56: "ride", 60: "high_tom", 61: "mid_tom", 62: "high_tom", 63: "high_tom", 64: "low_tom", 65: "high_tom",
    66: "low_tom", 67: "rim", 68: "rim", 75: "rim", 76: "rim", 77: "rim", 73: "rim", 74: "rim",
}  # fmt: skip


def hits_by_bar(notes: Iterable[RawNote], steps: int, count: int) -> list[tuple[Hit, ...]]:
    """Strokes dealt out to bars, sorted by (pos, drum); of two on one place and drum (a flam), the louder.

    `shift_ticks` is what the player was off the place, positive is late. Instruments without a drum in our kit
    (whistles, cuica …) are dropped.
    """
    bars: list[dict[tuple[int, str], Hit]] = [{} for _ in range(count)]
    for note in notes:
        drum = DRUM_OF.get(note.pitch)
        if drum is None:
            continue
        step = snap(max(0, note.onset), steps)
        index, pos = divmod(step, steps)
        if not 0 <= index < count:
            continue
        known = bars[index].get((pos, drum))
        if known is None or known.velocity < note.velocity:
            bars[index][pos, drum] = Hit(pos, drum, note.velocity, note.onset - step * TICKS)
    return [tuple(bar[key] for key in sorted(bar)) for bar in bars]
