"""Which token may come next: the grammar of `tokens`, and what a caller wants to hold fixed, as a pure function.

`start` gives the state after the controls (and the given bars), `advance` the state after a token, `allowed` the
mask in a state. The sampler multiplies the mask in; the model cannot write a bar that does not add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from generator.corpus.piece import DRUMS, GRID, GridChord
from generator.model.rules import Harmony, Rhythm, Rules
from generator.model.tokens import (
    DURATIONS,
    EOS,
    FIELDS,
    HIGHEST,
    ID,
    LOWEST,
    MANY_LEFT,
    MARKS,
    PHRASE,
    POSITIONS,
    QUALITIES,
    SHIFT_CLASSES,
    VELOCITY_CLASSES,
    VOCABULARY,
)
from generator.score import function_of

POS0, PITCH0, ROOT0, QUAL0, DUR0, HIT0, VEL0, SHIFT0, MARK0 = (
    ID["pos=0"], ID[f"pitch={LOWEST}"], ID["root=0"], ID[f"qual={QUALITIES[0]}"], ID[f"dur={DURATIONS[0]}"],
    ID[f"hit={DRUMS[0]}"], ID["vel=0"], ID["shift=0"], ID[f"mark={MARKS[0]}"],
)  # fmt: skip
DOMINANTS = {"7", "9", "13", "7sus4"}
_POSITIONS = np.array(POSITIONS)
_DURATIONS = np.array(DURATIONS)


@dataclass(frozen=True, slots=True)
class State:
    """Where a sequence stands.

    `expects` names the next kind of token; `done` counts written bars and `parts` the blocks begun in this one.
    Of the current block: `pos` and `token` are the last onset and the last thing that began there, `count` how many
    began there (chords: in the bar). `busy` is when the melody is free again, in steps from the start of the bar;
    `held` counts bars in a row that began on the root and with the function of `first_chord`; `roots` are the first
    roots of the bars; `repeats` counts strokes of the last pitch; `rhythms`, `tunes` and `harmonies` hold the melodic
    rhythm, the pitches and the chords (pos, root, quality) of every finished bar, `rhythm`, `tune` and `harmony` those
    of this one.
    """

    expects: str = "bar"
    done: int = 0
    parts: int = 0
    pos: int = -1
    token: int = -1
    count: int = 0
    root: int = -1
    last_chord: tuple[int, int] | None = None
    first_chord: tuple[int, int] | None = None
    held: int = 0
    roots: tuple[int, ...] = ()
    last_pitch: int | None = None
    repeats: int = 0
    busy: int = 0
    rhythm: Rhythm = ()
    tune: tuple[int, ...] = ()
    harmony: Harmony = ()
    rhythms: tuple[tuple[int, Rhythm], ...] = ()
    tunes: tuple[tuple[int, tuple[int, ...]], ...] = ()
    harmonies: tuple[tuple[int, Harmony], ...] = ()


def start() -> State:
    return State()


def current(state: State, rules: Rules) -> int:
    """The number of the bar that is being written."""
    return rules.order[min(state.done, len(rules.order) - 1)]


def part_of(state: State, rules: Rules) -> str:
    """The part whose block is open, empty before the first of a bar."""
    return rules.parts[state.parts - 1] if state.parts else ""


# ---- what a token leads to --------------------------------------------------------------------------------------


def advance(state: State, token: int, rules: Rules) -> State:  # noqa: C901, PLR0911, PLR0912 -- a case for each kind
    """The state after `token`, which must be allowed."""
    kind, value = FIELDS[token]
    match kind:
        case "bar":
            return replace(_barline(state, rules), expects="left", parts=0)
        case "left":
            return replace(state, expects=_after_head(state, rules, "left"))
        case "role":
            return replace(state, expects=_after_head(state, rules, "role"))
        case "energy":
            return replace(state, expects="part")
        case "part":
            begun = replace(state, parts=state.parts + 1, pos=-1, token=-1, count=0)
            return replace(begun, expects="onset")
        case "pos":
            return _at(state, int(value), rules)
        case "root":
            return replace(state, expects="qual", root=int(value))
        case "qual":
            return _after_chord(state, QUALITIES.index(value))
        case "pitch" if part_of(state, rules) == "melody":
            repeats = state.repeats + 1 if int(value) == state.last_pitch else 1
            tune = (*state.tune, int(value))
            return replace(state, expects="dur", last_pitch=int(value), repeats=repeats, tune=tune)
        case "pitch":
            return replace(state, expects="dur", token=token, count=state.count + 1)
        case "dur" if part_of(state, rules) == "melody":
            rhythm = (*state.rhythm, (state.pos, int(value)))
            expects = "mark" if rules.lyrics else "onset"
            return replace(state, expects=expects, busy=state.pos + int(value), rhythm=rhythm)
        case "hit":
            return replace(state, expects="vel", token=token, count=state.count + 1)
        case "vel":
            return replace(state, expects="shift")
        case "EOS":
            return replace(_barline(state, rules), expects="done")
        case _:  # dur of other parts, shift, mark
            return replace(state, expects="onset")


def _barline(state: State, rules: Rules) -> State:
    """Bookkeeping when a bar is left."""
    if state.expects == "bar":  # the first one opens
        return state
    index = current(state, rules)
    following = rules.order[state.done + 1] if state.done + 1 < len(rules.order) else index + 1
    adjoining = following == index + 1
    return replace(
        state,
        done=state.done + 1,
        busy=max(0, state.busy - rules.bar_steps) if adjoining else 0,
        last_pitch=state.last_pitch if adjoining else None,
        last_chord=state.last_chord if adjoining else None,
        first_chord=state.first_chord if adjoining else None,
        rhythm=(),
        tune=(),
        harmony=(),
        rhythms=(*state.rhythms, (index, state.rhythm)),
        tunes=(*state.tunes, (index, state.tune)),
        harmonies=(*state.harmonies, (index, state.harmony)),
    )


def _after_head(state: State, rules: Rules, stage: str) -> str:
    index = current(state, rules)
    if stage == "left" and index in rules.roles:
        return "role"
    return "energy" if index in rules.energies else "part"


def _at(state: State, pos: int, rules: Rules) -> State:
    part = part_of(state, rules)
    if part == "chords":
        return replace(state, expects="root", pos=pos)
    return replace(state, expects="hit" if part == "drums" else "pitch", pos=pos, token=-1, count=0)


def _after_chord(state: State, quality: int) -> State:
    chord = (state.root, quality)
    opens = state.count == 0
    held = state.held + 1 if _stays(state.first_chord, chord) else 1
    return replace(
        state,
        expects="onset",
        count=state.count + 1,
        last_chord=chord,
        first_chord=chord if opens else state.first_chord,
        held=held if opens else state.held,
        roots=(*state.roots, state.root) if opens else state.roots,
        harmony=(*state.harmony, (state.pos, state.root, quality)),
    )


def _stays(before: tuple[int, int] | None, chord: tuple[int, int]) -> bool:
    """Whether harmony does not move: the same root in the same function, with whatever extensions."""
    return before is not None and before[0] == chord[0] and _function(before) == _function(chord)


def _function(chord: tuple[int, int]) -> str:
    return function_of(chord[0], QUALITIES[chord[1]])


# ---- what may come ----------------------------------------------------------------------------------------------


def allowed(state: State, rules: Rules) -> np.ndarray:
    """Boolean mask over the vocabulary; at least one token is always allowed before "done"."""
    mask = np.zeros(len(VOCABULARY), dtype=bool)
    part = part_of(state, rules)
    if state.expects in _SPANS:
        first, count = _SPANS[state.expects]
        mask[first : first + count] = True
    elif state.expects in {"bar", "left", "role", "energy", "part"}:
        mask[_head_token(state, rules)] = True
    elif state.expects == "pitch" and part != "melody":
        low, high = rules.ranges.get(part, (LOWEST, HIGHEST))
        mask[PITCH0 + low - LOWEST : PITCH0 + high - LOWEST + 1] = True
    elif state.expects == "hit":
        due = _due_accent(state, rules)
        mask[HIT0 : (HIT0 + len(DRUMS) if due is None or due[0] > state.pos else due[1] + 1)] = True
    elif state.expects == "onset":
        {"chords": _allow_chord, "melody": _allow_note}.get(part, _allow_more)(mask, state, rules)
    elif state.expects != "done":
        _DECIDE[state.expects](mask, state, rules)
    return mask


def _head_token(state: State, rules: Rules) -> int:
    index = current(state, rules)
    match state.expects:
        case "bar":
            return _bar_token(index, rules)
        case "left":
            left = rules.bars - index if rules.closing else MANY_LEFT
            return ID[f"left={min(left, MANY_LEFT)}"]
        case "role":
            return ID[f"role={rules.roles[index]}"]
        case "energy":
            return ID[f"energy={rules.energies[index]}"]
        case _:
            return ID[f"part={rules.parts[0]}"]


def _bar_token(index: int, rules: Rules) -> int:
    return ID[f"bar={(index - rules.offset) % PHRASE}"]


def end_token(state: State, rules: Rules) -> int:
    """What comes after a finished block: the next part, the next bar, or the end."""
    if state.parts < len(rules.parts):
        return ID[f"part={rules.parts[state.parts]}"]
    if state.done + 1 < len(rules.order):
        return _bar_token(rules.order[state.done + 1], rules)
    return EOS


def _chords(state: State, rules: Rules) -> tuple[GridChord, ...] | None:
    """The chords that this bar must have: given ones, or those of the bar that comes back in it."""
    index = current(state, rules)
    if index in rules.given_chords:
        return rules.given_chords[index]
    source = dict(state.harmonies).get(rules.copies.get(index, -1))
    return tuple(GridChord(pos, root, QUALITIES[quality]) for pos, root, quality in source) if source else None


def _given(state: State, rules: Rules) -> GridChord | None:
    chords = _chords(state, rules) or ()
    return chords[state.count] if state.count < len(chords) else None


def _allow_chord(mask: np.ndarray, state: State, rules: Rules) -> None:
    """The next chord's place, or the end of the chords. Chords stand on beats and the first one on the barline."""
    end = end_token(state, rules)
    if _chords(state, rules) is not None:
        chord = _given(state, rules)
        mask[end if chord is None else ID[f"pos={chord.pos}"]] = True
        return
    if state.count == 0:
        mask[POS0] = True
        return
    mask[end] = True
    if state.count < rules.max_chords:
        beats = (_POSITIONS % GRID == 0) & (state.pos < _POSITIONS) & (rules.bar_steps > _POSITIONS)
        mask[POS0 : POS0 + len(POSITIONS)] = beats


def _allow_root(mask: np.ndarray, state: State, rules: Rules) -> None:
    chord = _given(state, rules)
    if chord is not None:
        mask[ROOT0 + chord.root] = True
        return
    if _opens_at_home(state, rules):
        mask[ROOT0] = True
        return
    roots = np.ones(12, dtype=bool)
    if state.count == 0 and state.first_chord is not None:
        if state.held >= rules.max_hold:
            roots[state.first_chord[0]] = False
        if len(state.roots) >= 3 and state.roots[-1] == state.roots[-3] != state.roots[-2]:
            roots[state.roots[-2]] = False  # to and fro once is enough
    held = _held_on(state, rules)
    roots &= held <= max(rules.max_hold, held[roots].min())
    resolved = roots & _resolutions(state, rules)
    mask[ROOT0 : ROOT0 + 12] = resolved if resolved.any() else roots


def _held_on(state: State, rules: Rules) -> np.ndarray:
    """For how many bars each root would be held, with those that come back after this one; 0 where none does."""
    held, index = np.zeros(12, dtype=int), current(state, rules)
    if state.count or index + 1 not in rules.copies:
        return held
    firsts = {bar: harmony[0][1] for bar, harmony in state.harmonies if harmony}
    for root in range(12):
        firsts[index], bar = root, index + 1
        while bar in rules.copies and firsts.get(rules.copies[bar]) == root:
            bar += 1
        stays = state.first_chord is not None and state.first_chord[0] == root
        held[root] = bar - index + state.held * stays
    return held


def _opens_at_home(state: State, rules: Rules) -> bool:
    return bool(rules.home) and not state.roots and current(state, rules) == 0


def _resolutions(state: State, rules: Rules) -> np.ndarray:
    """Where a dominant may go: a fifth down, a semitone down, from V to vi, or nowhere yet."""
    if not rules.resolve or state.last_chord is None or QUALITIES[state.last_chord[1]] not in DOMINANTS:
        return np.ones(12, dtype=bool)
    root = state.last_chord[0]
    allowed_roots = np.zeros(12, dtype=bool)
    allowed_roots[[(root + 5) % 12, (root + 11) % 12, root]] = True
    if root == 7:
        allowed_roots[9] = True
    return allowed_roots


def _allow_quality(mask: np.ndarray, state: State, rules: Rules) -> None:
    chord = _given(state, rules)
    if chord is not None:
        mask[QUAL0 + QUALITIES.index(chord.quality)] = True
        return
    for quality in rules.home if _opens_at_home(state, rules) else rules.qualities:
        mask[QUAL0 + QUALITIES.index(quality)] = True
    same = state.last_chord is not None and state.last_chord[0] == state.root and state.pos > 0
    if same and state.last_chord is not None and len(rules.qualities) > 1:
        mask[QUAL0 + state.last_chord[1]] = False  # a chord in mid-bar is there to change something


def fixed_rhythm(state: State, rules: Rules) -> Rhythm | None:
    """The rhythm this bar must have, as far as an earlier bar's last note leaves room for it."""
    index = current(state, rules)
    rhythm = rules.rhythms.get(index)
    if rhythm is None:
        rhythm = dict(state.rhythms).get(rules.copies.get(index, rules.echo.get(index, -1)))
    if rhythm is None:
        return None
    free = tuple(pair for pair in rhythm if pair[0] >= state.busy or state.rhythm)
    settled = index in rules.copies or index in rules.rhythms  # then a note held over the bar line is all it has
    return free if free or settled else None


def _places(state: State, rules: Rules) -> np.ndarray:
    """Where the next melody note may begin, room left for the syllables that have to follow."""
    earliest = max(state.busy, state.pos + 1)
    places = (earliest <= _POSITIONS) & (rules.bar_steps > _POSITIONS)
    marks = rules.sung.get(current(state, rules))
    if marks is not None:
        due = len(marks) - len(state.rhythm)
        rest = np.array([capacity(pos + DURATIONS[0], rules.bar_steps) for pos in POSITIONS])
        places &= (due > 0) & (rest >= due - 1)
    return places


@cache
def capacity(earliest: int, bar_steps: int) -> int:
    """How many notes of the shortest duration still fit a bar from `earliest` on."""
    count = 0
    for pos in POSITIONS:
        if earliest <= pos < bar_steps:
            count += 1
            earliest = pos + DURATIONS[0]
    return count


def _allow_note(mask: np.ndarray, state: State, rules: Rules) -> None:
    """The next note's place, or the end of the bar."""
    end = end_token(state, rules)
    earliest = max(state.busy, state.pos + 1)
    places = _places(state, rules)
    fixed = fixed_rhythm(state, rules)
    sung = current(state, rules) in rules.sung
    if fixed is not None and not sung:
        following = [pos for pos, _ in fixed if pos >= earliest]
        mask[ID[f"pos={following[0]}"] if following else end] = True
        return
    mask[POS0 : POS0 + len(POSITIONS)] = places
    heard = bool(state.rhythm or state.busy or not _resting_too_long(state, rules))
    mask[end] = not places.any() or (heard and not sung)


def _allow_pitch(mask: np.ndarray, state: State, rules: Rules) -> None:
    """The register, within a leap of the last note, which may not be struck for ever."""
    low, high, last = rules.low, rules.high, state.last_pitch
    returning = _returning_pitch(state, rules)
    if returning is not None:
        mask[PITCH0 + returning - LOWEST] = True
        return
    if last is not None:
        low = min(max(low, last - rules.max_leap), high)
        high = max(min(high, last + rules.max_leap), low)
    mask[PITCH0 + low - LOWEST : PITCH0 + high - LOWEST + 1] = True
    if last is not None and state.repeats >= rules.max_repeats and high > low:
        mask[PITCH0 + last - LOWEST] = False


def _returning_pitch(state: State, rules: Rules) -> int | None:
    """The pitch of the bar that comes back, where it had a note in this place."""
    source = rules.copies.get(current(state, rules), -1)
    rhythm, tune = dict(state.rhythms).get(source, ()), dict(state.tunes).get(source, ())
    return next((pitch for (pos, _), pitch in zip(rhythm, tune, strict=True) if pos == state.pos), None)


def _resting_too_long(state: State, rules: Rules) -> bool:
    recent = [rhythm for _, rhythm in state.rhythms[-rules.max_rest :]] if rules.max_rest else []
    return len(recent) == rules.max_rest and not any(recent)


def _allow_duration(mask: np.ndarray, state: State, rules: Rules) -> None:
    index = current(state, rules)
    melody = part_of(state, rules) == "melody"
    room = _room(state, rules) * rules.bar_steps - state.pos
    fixed = fixed_rhythm(state, rules) if melody and index not in rules.sung else None
    for pos, duration in fixed or ():
        if pos == state.pos and duration <= room:
            mask[ID[f"dur={duration}"]] = True
            return
    fits = room >= _DURATIONS
    if melody and index in rules.sung:
        fits &= _leaves_room(state, rules)
    fits[0] = True  # the last sixteenth of the piece still holds one
    mask[DUR0 : DUR0 + len(DURATIONS)] = fits


def _room(state: State, rules: Rules) -> int:
    """Bars a note may reach into: to the end of the run of bars that is written, or to the next syllable's bar."""
    index = current(state, rules)
    room = 1
    while (
        state.done + room < len(rules.order)
        and rules.order[state.done + room] == index + room
        and not rules.sung.get(index + room)
    ):
        room += 1
    return room


def _leaves_room(state: State, rules: Rules) -> np.ndarray:
    """Durations after which the rest of the bar's syllables still find a place."""
    due = len(rules.sung[current(state, rules)]) - len(state.rhythm) - 1
    return np.array([capacity(state.pos + duration, rules.bar_steps) >= due for duration in DURATIONS])


def _allow_mark(mask: np.ndarray, state: State, rules: Rules) -> None:
    marks = rules.sung.get(current(state, rules))
    if marks is not None and len(state.rhythm) <= len(marks):
        mask[ID[f"mark={marks[len(state.rhythm) - 1]}"]] = True
    else:
        mask[MARK0 : MARK0 + len(MARKS)] = True


def _allow_more(mask: np.ndarray, state: State, rules: Rules) -> None:
    """Parts of many voices and drums: one more note at this onset, a later onset, or the end of the block."""
    part = part_of(state, rules)
    due = _due_accent(state, rules) if part == "drums" else None
    if due is not None and due[0] == state.pos:
        mask[state.token + 1 : due[1] + 1] = True
        return
    mask[end_token(state, rules)] = due is None
    later = (state.pos < _POSITIONS) & (rules.bar_steps > _POSITIONS)
    mask[POS0 : POS0 + len(POSITIONS)] = later if due is None else later & (due[0] >= _POSITIONS)
    if state.pos < 0 or state.count >= rules.max_voices:
        return
    if part == "drums":
        mask[state.token + 1 : HIT0 + len(DRUMS)] = True
    else:
        low, high = rules.ranges.get(part, (LOWEST, HIGHEST))
        mask[max(state.token + 1, PITCH0 + low - LOWEST) : PITCH0 + high - LOWEST + 1] = True


def _due_accent(state: State, rules: Rules) -> tuple[int, int] | None:
    """(pos, token) of the next stroke that this bar must have."""
    strokes = ((pos, ID[f"hit={drum}"]) for pos, drum in rules.accents.get(current(state, rules), ()))
    return next((stroke for stroke in sorted(strokes) if stroke > (state.pos, state.token)), None)


_SPANS = {"vel": (VEL0, VELOCITY_CLASSES), "shift": (SHIFT0, SHIFT_CLASSES)}
"""Where anything of a kind goes: its first token and how many there are."""
_DECIDE = {
    "root": _allow_root,
    "qual": _allow_quality,
    "pitch": _allow_pitch,
    "dur": _allow_duration,
    "mark": _allow_mark,
}
