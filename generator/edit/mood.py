"""Calmer, more energetic, brighter, darker: the same notes and chords, played and placed otherwise.

Tempo, loudness and articulation carry arousal (Juslin & Laukka 2004; Eerola et al. 2013), register carries
brightness (Gabrielsson & Lindström 2010). The tune, the bass, the chord symbols and the form stay as they are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from generator.brief import TEMPO_RANGE_BPM
from generator.edit.shape import change_tempo
from generator.errors import EditError
from generator.render.instruments import INSTRUMENTS
from generator.score import Note, Part, Score

_PACE = 1.1  # of the tempo
_FORCE = 12  # of velocity
_ARTICULATION = 0.8  # of a note's length, for parts that do not hold their notes
_HARMONY = frozenset({"chords", "pad", "counter"})


def more_energetic(score: Score) -> Score:
    """A tenth faster, louder, and the accompaniment shorter."""
    return _paced(score, _PACE, _FORCE, _ARTICULATION)


def calmer(score: Score) -> Score:
    """A tenth slower, softer, and the accompaniment more connected."""
    return _paced(score, 1 / _PACE, -_FORCE, 1 / _ARTICULATION)


def brighter(score: Score) -> Score:
    """The harmony a step up: of every chord the lowest note moves an octave higher. Raises EditError at the top."""
    return _inverted(score, upwards=True)


def darker(score: Score) -> Score:
    """The harmony a step down: of every chord the highest note moves an octave lower. Raises EditError at the end."""
    return _inverted(score, upwards=False)


def _paced(score: Score, pace: float, force: int, articulation: float) -> Score:
    low, high = TEMPO_RANGE_BPM
    parts = tuple(replace(part, notes=_played(part, force, articulation)) for part in score.parts)
    bpm = min(high, max(low, round(score.tempo_bpm * pace, 2)))
    return change_tempo(replace(score, parts=parts), bpm)


def _played(part: Part, force: int, articulation: float) -> tuple[Note, ...]:
    """Only chords and counter-lines change their length, and only until the next note of the same pitch."""
    factor = articulation if part.role in {"chords", "counter"} else 1.0
    following: dict[int, int] = {}
    played = []
    for note in reversed(part.notes):
        longest = max(1, following.get(note.pitch, note.onset + 10**9) - note.onset)
        duration = note.duration if factor == 1.0 else max(1, min(longest, round(note.duration * factor)))
        played.append(replace(note, velocity=max(1, min(127, note.velocity + force)), duration=duration))
        following[note.pitch] = note.onset
    return tuple(reversed(played))


def _inverted(score: Score, *, upwards: bool) -> Score:
    parts = tuple(_turn(part, upwards=upwards) if part.role in _HARMONY else part for part in score.parts)
    if parts == score.parts:
        way = "bright" if upwards else "dark"
        raise EditError(f"The harmony is as {way} as its instruments allow; change an instrument or the key instead.")
    return replace(score, parts=parts)


def _turn(part: Part, *, upwards: bool) -> Part:
    """Chords are inverted; a part of single notes moves as a whole when its instrument reaches so far."""
    instrument = INSTRUMENTS[part.instrument]
    shift = 12 if upwards else -12
    moments: dict[int, list[Note]] = defaultdict(list)
    for note in part.notes:
        moments[note.onset].append(note)
    single = all(len(notes) == 1 for notes in moments.values())
    if single and not all(instrument.low <= note.pitch + shift <= instrument.high for note in part.notes):
        return part
    turned: list[Note] = []
    for notes in moments.values():
        outer = (min if upwards else max)(notes, key=lambda note: note.pitch)
        moved = replace(outer, pitch=outer.pitch + shift)
        free = moved.pitch not in {note.pitch for note in notes}
        inside = instrument.low <= moved.pitch <= instrument.high
        alone = len(notes) == 1 and not single
        turned += [moved if note is outer and inside and free and not alone else note for note in notes]
    return replace(part, notes=tuple(sorted(turned, key=lambda note: (note.onset, note.pitch))))
