"""Make what was written playable: inside the instrument's range, and no more notes at once than it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from generator.render.instruments import Instrument
from generator.score import Note

_SHORTEST = 30  # ticks


def fit_kit(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Of two strokes on one drum at a time the louder stays."""
    loudest_last = sorted(notes, key=lambda note: (note.onset, note.pitch, note.velocity))
    return tuple({(note.onset, note.pitch): note for note in loudest_last}.values())


def fit_instrument(notes: Sequence[Note], instrument: Instrument, end: int) -> tuple[Note, ...]:
    """Fold notes by octaves into the range, the whole part first and then single notes; end at tick `end`; release
    the oldest notes where more would sound than the instrument can hold. Order is by time and pitch."""
    shift = _octave(notes, instrument)
    placed: dict[tuple[int, int], Note] = {}
    for note in notes:
        pitch = note.pitch + shift
        while pitch < instrument.low:
            pitch += 12
        while pitch > instrument.high:
            pitch -= 12
        length = max(1, min(note.duration, end - note.onset))
        moved = replace(note, pitch=pitch, duration=length, velocity=max(1, min(127, note.velocity)))
        if note.onset < end:
            placed.setdefault((moved.onset, moved.pitch), moved)
    ordered = [placed[key] for key in sorted(placed)]
    return tuple(_release(ordered, instrument))


def _octave(notes: Sequence[Note], instrument: Instrument) -> int:
    """The octaves by which the whole part moves when it would not fit: a third of it lies outside the range."""

    def outside(shift: int) -> int:
        return sum(not instrument.low <= note.pitch + shift <= instrument.high for note in notes)

    if outside(0) * 3 < len(notes):
        return 0
    return min((0, 12, -12, 24, -24), key=lambda shift: (outside(shift), abs(shift)))


def _release(ordered: list[Note], instrument: Instrument) -> list[Note]:
    """Cut ringing notes that are struck again or are too many; of too many at one moment the lowest go, on a bass
    the highest."""
    limit = instrument.polyphony
    kept: list[Note] = []
    ringing: list[int] = []
    for onset, struck in _moments(ordered):
        chosen = struck[:limit] if instrument.family == "bass" else struck[-limit:]
        pitches = {note.pitch for note in chosen}
        ringing = [i for i in ringing if kept[i].end > onset]
        surplus = len(ringing) + len(chosen) - limit
        for place, index in enumerate(list(ringing)):
            if kept[index].pitch in pitches or place < surplus:
                kept[index] = replace(kept[index], duration=max(_SHORTEST // 2, onset - kept[index].onset))
                ringing.remove(index)
        ringing += range(len(kept), len(kept) + len(chosen))
        kept += chosen
    return kept


def _moments(ordered: Sequence[Note]) -> list[tuple[int, list[Note]]]:
    moments: dict[int, list[Note]] = {}
    for note in ordered:
        moments.setdefault(note.onset, []).append(note)
    return list(moments.items())
