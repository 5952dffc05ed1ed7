"""Reharmonisation: chords that may stand for, or lead to, those of the lead sheet.

Each rule is tried where it is possible, with the style's chance for it (`Harmony.substitutions`) scaled by the
Brief's complexity and novelty. A new chord stands only where the melody permits: it may hold none of `avoid_tones`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from generator.arrange.style import Style
from generator.brief import Brief, Key
from generator.plan import Plan
from generator.score import CHORD_TONES, HELD, PPQ, Chord, Note, avoid_tones

_Rule = Callable[[Chord, Chord, Key, Style], list[Chord]]
_GOLDEN = (5**0.5 - 1) / 2  # its multiples fall evenly between 0 and 1


def substitute(
    chords: Sequence[Chord], melody: Sequence[Note], key: Key, plan: Plan, brief: Brief, style: Style,
    rng: np.random.Generator,
) -> list[Chord]:  # fmt: skip
    """The chords with substitutes where taste and tune allow; the first chord and the cadence that closes stay."""
    if not chords:
        return []
    closing = plan.bars * plan.meter.bar_ticks - (0 if plan.loop else 2 * plan.meter.bar_ticks)
    appetite = brief.complexity * (1.0 + brief.novelty)
    found = [chords[0]]
    for chord, following in zip(chords[1:], [*chords[2:], None], strict=False):
        chosen = [chord]
        if following is not None and chord.end <= closing:
            for name, chance in style.harmony.substitutions.items():
                if rng.random() < chance * appetite:
                    offered = _RULES[name](chord, following, key, style)
                    if offered and all(permits(melody, new) for new in offered):
                        chosen = offered
                        break
        found += chosen
    return found


def permits(melody: Sequence[Note], chord: Chord) -> bool:
    """Whether the tune can be sung over a chord."""
    avoided = {(chord.root + tone) % 12 for tone in avoid_tones(chord.quality)}
    for note in melody:
        if note.onset >= chord.end:
            break
        overlap = min(note.end, chord.end) - max(note.onset, chord.onset)
        if overlap >= HELD and note.pitch % 12 in avoided:
            return False
    return True


def tint(chord: Chord, index: int, melody: Sequence[Note], style: Style, dissonance: float) -> Chord:
    """Another colour of the same function, richer (positive) or plainer (negative) on the style's palette, where the
    tune permits it. Of the chords of a piece, by `index`, as many move a step as the fraction says."""
    steps = list(dict.fromkeys(_palette(chord, style)))
    if chord.quality not in steps:
        return chord
    place = steps.index(chord.quality) + math.floor(dissonance * len(steps) + index * _GOLDEN % 1.0)
    tinted = replace(chord, quality=steps[max(0, min(len(steps) - 1, place))])
    return tinted if permits(melody, tinted) or not permits(melody, chord) else chord


def _palette(chord: Chord, style: Style) -> tuple[str, ...]:
    tones = set(CHORD_TONES[chord.quality])
    if not tones & {3, 4}:
        return style.harmony.suspended
    if {3, 6} <= tones:
        return style.harmony.diminished
    if 3 in tones:
        return style.harmony.minor
    return style.harmony.dominant if 10 in tones else style.harmony.major


def _seventh(style: Style) -> str:
    """The plainest real dominant of the style."""
    return next((quality for quality in style.harmony.dominant if 10 in CHORD_TONES[quality]), "7")


def _split(chord: Chord) -> tuple[Chord, int] | None:
    """The first half of a chord of at least four quarters, and where the second begins; None for a shorter one."""
    half = chord.duration // 2 // PPQ * PPQ
    return None if chord.duration < 4 * PPQ else (replace(chord, duration=half), chord.onset + half)


def _is_dominant(chord: Chord) -> bool:
    return {4, 10} <= set(CHORD_TONES[chord.quality])


def _secondary_dominant(chord: Chord, following: Chord, _key: Key, style: Style) -> list[Chord]:
    """C | Dm becomes C A7 | Dm: the second half is the dominant of what comes."""
    halves = _split(chord)
    root = (following.root + 7) % 12
    if halves is None or root == chord.root or 7 not in CHORD_TONES[following.quality]:
        return []
    return [halves[0], Chord(halves[1], chord.end - halves[1], root, _seventh(style))]


def _tritone(chord: Chord, following: Chord, _key: Key, style: Style) -> list[Chord]:
    """Db7 for G7 before C: it has the same third and seventh."""
    if not _is_dominant(chord) or (chord.root - following.root) % 12 != 7:
        return []
    return [replace(chord, root=(chord.root + 6) % 12, quality=_seventh(style))]


def _two_five(chord: Chord, following: Chord, _key: Key, style: Style) -> list[Chord]:
    """Dm7 G7 for G7: a dominant is prepared by its second degree."""
    half = chord.duration // 2
    if not _is_dominant(chord) or (chord.root - following.root) % 12 != 7 or half < PPQ or half % PPQ:
        return []
    minor = 3 in CHORD_TONES[following.quality]
    second = Chord(chord.onset, half, (chord.root + 7) % 12, "m7b5" if minor else _minor_seventh(style))
    return [second, replace(chord, onset=chord.onset + half, duration=half)]


def _minor_seventh(style: Style) -> str:
    return next((quality for quality in style.harmony.minor if 10 in CHORD_TONES[quality]), "m7")


def _modal_interchange(chord: Chord, _following: Chord, key: Key, _style: Style) -> list[Chord]:
    """In major: the fourth degree as in minor, iv for IV, and iim7b5 for ii."""
    degree = (chord.root - key.tonic) % 12
    tones = CHORD_TONES[chord.quality]
    if key.mode == "major" and degree == 5 and 4 in tones:
        return [replace(chord, quality="m6" if len(tones) > 3 else "m")]
    if key.mode == "major" and degree == 2 and 3 in tones and 10 in tones:
        return [replace(chord, quality="m7b5")]
    return []


def _passing_diminished(chord: Chord, following: Chord, _key: Key, _style: Style) -> list[Chord]:
    """C | Dm becomes C C#dim7 | Dm: a step up is filled by a diminished chord."""
    halves = _split(chord)
    if halves is None or (following.root - chord.root) % 12 != 2:
        return []
    return [halves[0], Chord(halves[1], chord.end - halves[1], (chord.root + 1) % 12, "dim7")]


_RULES: dict[str, _Rule] = {
    "secondary_dominant": _secondary_dominant, "tritone": _tritone, "two_five": _two_five,
    "modal_interchange": _modal_interchange, "passing_diminished": _passing_diminished,
}  # fmt: skip
