"""Everything the composer can be asked, through one door: some bars and parts are there, the rest is written.

compose      nothing is there
harmonise    the melody is there, chords are written (`write_parts`)
write a part some parts are there, another is written (`write_parts`)
repaint      all bars but a … b are there
vary         as repaint, for a share of the bars, each in the rhythm it had
continue     the first bars are there
drums        a drum part alone or for a piece that is there (`write_parts`)
sing         any of these with `Rules.sung`: every bar gets as many notes as it has syllables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from generator.corpus.piece import PARTS, Bar
from generator.errors import GeneratorError
from generator.model import tokens
from generator.model.desk import Writing, alone
from generator.model.grammar import capacity
from generator.model.rules import Rules
from generator.model.sample import Boldness, Line, Passage, Prompt, Search
from generator.model.steering import Manner, aim_of, settle
from generator.model.tokens import Controls, Frame
from generator.model.transformer import Composer
from generator.seeds import stream

PLAIN = Boldness()
Liking = Callable[[Sequence[tuple[Bar, ...]]], Sequence[float]]
"""How good takes are by their bars so far, higher is better."""
Worth = Callable[[int, tuple[Bar, ...]], bool]
"""Whether a take, by its number and its written bars so far, is worth going on with."""
KEPT_OPENING = 2
"""Bars at the beginning that a variation leaves alone, so that it is known again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is there and what is to be written.

    Attributes:
        controls: what is asked for; `parts` are all parts of the music, given and written.
        rules: what the written music obeys; `bars`, `bar_steps`, `parts` and `written` say what is written.
        frame: where pitches are counted from.
        bars: the music that is there, one Bar for each of `rules.bars`; empty when nothing is.
    """

    controls: Controls
    rules: Rules
    frame: Frame
    bars: tuple[Bar, ...] = ()
    manner: Manner | None = None
    """How it is to move and stand; None for the model's own way."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Takes are compared every `every_bars` bars, each `rivals` after one another among themselves (0: all)."""

    score: Liking
    every_bars: int = 4
    rivals: int = 0


def writing(
    request: Request | Sequence[Request],
    seeds: Sequence[int],
    boldness: Boldness = PLAIN,
    *,
    search: Contest | None = None,
    on_bar: Callable[[int], None] = lambda _bar: None,
    worth: Worth | None = None,
) -> Writing[list[tuple[Bar, ...]]]:
    """The whole music for each seed: what was given, unchanged, and what was written.

    Args:
        request: what is asked of all takes, or of each.
        search: the better half of rivals goes on, in two ways each.
        worth: what is not worth going on with comes back without bars. Not together with a search.

    Raises:
        GeneratorError: a control out of range, more syllables than a bar holds, more bars than the model can hold.
    """
    asked = [request] * len(seeds) if isinstance(request, Request) else list(request)
    if not asked:
        return []
    lines = [_line(one, seed) for one, seed in zip(asked, seeds, strict=True)]
    frames = [one.frame for one in asked]
    try:
        passage = Passage(lines, boldness, None if search is None else _search(search, frames), on_bar)
        rows = yield passage if worth is None else replace(passage, worth=_worth(worth, frames))
    except ValueError as error:
        raise GeneratorError(f"The composer cannot write this: {error}.") from error
    return [_merge(one, tokens.decode(row, one.frame)) if row else () for one, row in zip(asked, rows, strict=True)]


def write(
    model: Composer,
    request: Request | Sequence[Request],
    seeds: Sequence[int],
    boldness: Boldness = PLAIN,
    *,
    search: Contest | None = None,
) -> list[tuple[Bar, ...]]:
    """`writing` alone at the desk."""
    return alone(model, writing(request, seeds, boldness, search=search))


def _search(contest: Contest, frames: Sequence[Frame]) -> Search:
    def score(rows: Sequence[Sequence[int]]) -> Sequence[float]:
        return contest.score([_finished(row, frame) for row, frame in zip(rows, frames, strict=True)])

    return Search(score, contest.every_bars, contest.rivals)


def _worth(worth: Worth, frames: Sequence[Frame]) -> Callable[[int, Sequence[int]], bool]:
    return lambda line, row: worth(line, _finished(row, frames[line]))


def _line(request: Request, seed: int) -> Line:
    _check(request)
    rules = _over_chords(request)
    prompt = Prompt(request.controls, tuple(_given(request)))
    aim = settle(aim_of(request.controls), rules)
    return Line(prompt, rules, seed, aim if request.manner is None else replace(aim, manner=request.manner))


def _over_chords(request: Request) -> Rules:
    """The rules, and where chords are there that are not written, these: a tune keeps to them."""
    rules, tonic = request.rules, request.frame.tonic
    if "chords" in rules.parts:
        return rules
    there = {
        index: tuple(replace(chord, root=(chord.root - tonic) % 12) for chord in bar.chords)
        for index, bar in enumerate(request.bars)
    }  # fmt: skip
    return replace(rules, given_chords={**there, **rules.given_chords})


def _check(request: Request) -> None:
    try:
        request.controls.prefix()
    except ValueError as error:
        raise GeneratorError(f"The composer cannot be asked for this: {error}.") from error
    rules = request.rules
    if request.bars and len(request.bars) != rules.bars:
        raise GeneratorError(f"{rules.bars} bars were announced and {len(request.bars)} given.")
    for bar, marks in rules.sung.items():
        most = capacity(0, rules.bar_steps)
        if len(marks) > most:
            raise GeneratorError(f"Bar {bar + 1} has {len(marks)} syllables, and at most {most} notes fit it.")


def _given(request: Request) -> list[int]:
    """The prompt from GIVEN to WRITE: of bars to write the parts that stay, of the others all."""
    rules = request.rules
    written = set(rules.order)
    present = [
        [part for part in request.controls.parts if part in PARTS and (index not in written or part not in rules.parts)]
        for index in range(len(request.bars))
    ]
    return tokens.given_stream(
        request.bars, present, request.frame, count=rules.bars if rules.closing else rules.bars + tokens.MANY_LEFT,
        offset=rules.offset, lyrics="lyrics" in request.controls.parts,
    )  # fmt: skip


def _merge(request: Request, written: Sequence[Bar]) -> tuple[Bar, ...]:
    rules = request.rules
    bars = list(request.bars) or [Bar()] * rules.bars
    changed = {*rules.parts} | ({"lyrics"} if rules.lyrics else set())
    for index, bar in zip(rules.order, written, strict=True):
        bars[index] = replace(bars[index], **{part: getattr(bar, part) for part in changed})
    return tuple(bars)


def _finished(row: Sequence[int], frame: Frame) -> tuple[Bar, ...]:
    """The finished bars of a row: what comes before the last bar line belongs to them."""
    last = next(place for place in reversed(range(len(row))) if tokens.FIELDS[row[place]][0] == "bar")
    return tokens.decode(row[:last], frame)


# ---- the tasks --------------------------------------------------------------------------------------------------


def write_parts(request: Request, parts: Sequence[str]) -> Request:
    """Write `parts` for music that is there: chords for a melody, a bass for both, drums for all of it."""
    ordered = tuple(part for part in PARTS if part in parts)
    everything = tuple(part for part in PARTS if part in {*request.controls.parts, *ordered})
    controls = replace(request.controls, parts=everything)
    return replace(request, controls=controls, rules=replace(request.rules, parts=ordered))


def repaint(request: Request, first: int, last: int) -> Request:
    """Write bars `first` … `last` (from 0, both included) again; the others stay. Raises GeneratorError."""
    if not 0 <= first <= last < len(request.bars):
        raise GeneratorError(f"There are bars 1 to {len(request.bars)}; {first + 1} to {last + 1} cannot be repainted.")
    return replace(request, rules=replace(request.rules, written=tuple(range(first, last + 1))))


def vary(request: Request, strength: float, seed: int) -> Request:
    """Write a share `strength` (0 … 1) of the bars again, each in the rhythm it had.

    The opening stays below full strength, so that the music is known again, and rests stay rests.
    """
    count = len(request.bars)
    kept = 0 if strength >= 1.0 else min(KEPT_OPENING, count - 1)
    free = [bar for bar in range(kept, count) if request.bars[bar].melody] or list(range(kept, count))
    changed = max(1, round(strength * len(free)))
    chosen = sorted(free[int(i)] for i in stream(seed, "variation").permutation(len(free))[:changed])
    rhythms = {
        bar: tuple((note.pos, tokens.nearest_duration(note.dur)) for note in request.bars[bar].melody) for bar in chosen
    }
    held: Mapping[int, tuple[tuple[int, int], ...]] = {bar: rhythm for bar, rhythm in rhythms.items() if rhythm}
    return replace(request, rules=replace(request.rules, written=tuple(chosen), rhythms=held, echo={}, copies={}))


def extend(request: Request, bars: int) -> Request:
    """Go on after the music that is there, up to `bars` bars in all. Raises GeneratorError."""
    there = len(request.bars)
    if bars <= there:
        raise GeneratorError(f"The music has {there} bars already; ask for more than that.")
    padded = (*request.bars, *[Bar()] * (bars - there))
    return replace(request, bars=padded, rules=replace(request.rules, bars=bars, written=tuple(range(there, bars))))
