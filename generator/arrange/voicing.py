"""Voice leading: choose the notes of every chord so that the voices move little.

Cost of a voicing after another, the smallest wins:

* sum of the semitones each voice moves (voices paired from the top down);
* 0.35 for each semitone between the voicing's middle and the middle of the register;
* 3 for a minor second between neighbours, 2 for intervals under a fourth below C3 (they growl);
* 1.5 for moving every voice in the same direction (hidden parallels).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from generator.score import CHORD_TONES, Chord


def voice(chords: Sequence[Chord], low: int, high: int, voices: int) -> list[tuple[int, ...]]:
    """One ascending tuple of pitches in [low, high] for each chord, at most `voices` of them."""
    voiced: list[tuple[int, ...]] = []
    previous: tuple[int, ...] | None = None
    for chord in chords:
        candidates = _candidates(chord, low, high, voices)
        best = min(candidates, key=lambda pitches, before=previous: _cost(pitches, before, low, high))  # type: ignore[misc]
        voiced.append(best)
        previous = best
    return voiced


def _chosen_tones(chord: Chord, voices: int) -> tuple[int, ...]:
    """The pitch classes to play: the third and the colour first, the fifth and then the root (the bass has it) go."""
    tones = list(CHORD_TONES[chord.quality])
    if len(tones) > voices and 7 in tones:
        tones.remove(7)
    if len(tones) > voices:
        tones.remove(0)
    return tuple((chord.root + tone) % 12 for tone in tones[: max(voices, 2)])


def _candidates(chord: Chord, low: int, high: int, voices: int) -> list[tuple[int, ...]]:
    """All close positions in the register, and each with its second voice from the top dropped an octave."""
    classes = sorted(set(_chosen_tones(chord, voices)))
    found: list[tuple[int, ...]] = []
    for start in range(low, high + 1):
        if start % 12 not in classes:
            continue
        pitches = [start]
        while len(pitches) < len(classes):
            pitches.append(next(p for p in range(pitches[-1] + 1, pitches[-1] + 13) if p % 12 in classes))
        if pitches[-1] <= high:
            found.append(tuple(pitches))
        dropped = tuple(sorted([*pitches[:-2], pitches[-2] - 12, pitches[-1]])) if len(pitches) >= 3 else ()
        if dropped and dropped[0] >= low and dropped[-1] <= high:
            found.append(dropped)
    if found:
        return found
    # A register narrower than the chord: what fits of it, lowest tones first.
    return [tuple(p for p in range(low, high + 1) if p % 12 in classes)[:voices] or (low,)]


def _cost(pitches: tuple[int, ...], previous: tuple[int, ...] | None, low: int, high: int) -> float:
    cost = 0.35 * abs(sum(pitches) / len(pitches) - (low + high) / 2)
    for lower, upper in pairwise(pitches):
        cost += 3.0 * (upper - lower == 1) + 2.0 * (lower < 48 and upper - lower < 5)
    if previous is None:
        return cost
    moves = [new - old for new, old in zip(reversed(pitches), reversed(previous), strict=False)]
    cost += sum(map(abs, moves)) + 4.0 * abs(len(pitches) - len(previous))
    if len(moves) > 1 and (all(move > 0 for move in moves) or all(move < 0 for move in moves)):
        cost += 1.5
    return cost
