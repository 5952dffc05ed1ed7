"""Grooves written by the composer, for styles that ask for it (`drumming.source = "composer"`).

For half of the levels of energy the model is given two bars of the style's own groove and goes on from there as a human
drummer would, around the groove's plain strokes of kick and backbeat; the sections of that level play its bars round.
The grammar makes them valid; whether they carry a band is checked here, against that groove. What does not pass is not
used, and `Improvised.remarks` says so: the patterns play, and the report tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from generator.arrange.groove import choose_groove, likings, piece_grooves
from generator.arrange.meters import STEPS
from generator.arrange.style import Groove, PartStyle, Style
from generator.brief import Brief, Key
from generator.corpus.piece import GRID, Bar, Hit
from generator.errors import GeneratorError
from generator.model import tokens
from generator.model.desk import Writing
from generator.model.rules import Rules
from generator.model.sample import Boldness
from generator.model.tasks import Request, writing
from generator.model.tokens import Controls, Frame, class_of
from generator.plan import Plan
from generator.score import Section
from generator.seeds import stream

GIVEN, BARS = 2, 4
TRIES = 2
"""Grooves written for a level of energy until one is good."""

COMPOSED = 0.5
"""Share of the levels of energy whose drums are composed; the style's own grooves, in the piece's dialect, play the
others. Left to the composer alone, rock of ten seeds was more alike than people's (cosine .84 against .54)."""

LEAST_ALIKE = 0.35
"""Neighbouring bars share that much of their strokes; three in four stretches of the Groove MIDI Dataset do."""

GIVEN_UP = 0.9
"""A try whose first bars have less than that share of `LEAST_ALIKE` with the groove is not finished: of 236 bad tries
that finds half after the first bar, and it would have cost one of 178 good ones."""

_BACK = ("snare", "rim", "clap")
_PLAIN = 60  # MIDI velocity; softer is a ghost note
_LOUDNESS = {"X": 108, "x": 88, "o": 48}
_ON_OUR_KIT = {
    "floor_tom": "low_tom", "ride_bell": "ride", "tambourine": "hat", "shaker": "hat", "triangle": "hat",
    "cowbell": "ride", "claves": "rim", "high_conga": "high_tom", "low_conga": "low_tom",
}  # fmt: skip
_SIXTEENTH = GRID // 4
_MOST = 0.75  # of the bars have the backbeat
_STRANGE, _NO_BACKBEAT = "little to do with the groove", "no backbeat"


@dataclass(frozen=True, slots=True)
class Improvised:
    """Bars by section name, and a sentence for every section that the patterns play after all."""

    bars: dict[str, tuple[tuple[Hit, ...], ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def improvise(plan: Plan, brief: Brief, style: Style, seeds: Sequence[int]) -> Writing[list[Improvised]]:
    """Write drums for the sections that have a drummer, for each seed of a take and all in one batch. Nothing where the
    style plays patterns or has no drums."""
    player = next((part for part in style.parts.values() if part.role == "drums"), None)
    if style.drumming.source != "composer" or player is None:
        return [Improvised() for _ in seeds]
    asked = [_asked(plan, brief, style, player, seed) for seed in seeds]
    tasks = [task for one in asked for task in one]
    boldness = Boldness(temperature=0.75 + 0.25 * brief.novelty, min_p=0.08)
    try:
        written = iter((yield from _written(tasks, str(plan.meter), boldness)))
    except GeneratorError as error:
        written = iter([((), f"an error ({error})") for _ in tasks])
    return [_played(one, [next(written) for _ in one], style) for one in asked]


def _asked(plan: Plan, brief: Brief, style: Style, player: PartStyle, seed: int) -> list[_Task]:
    """The tasks of one take: a share of its levels of energy."""
    grooves = piece_grooves(style, str(plan.meter), brief.novelty, stream(seed, "grooves to drum on"))
    chosen = stream(seed, "levels to compose")
    levels = sorted(_levels(plan, style, player).items())
    return [
        _task(plan, brief, style, grooves, sections, level, seed)
        for level, sections in levels
        if chosen.random() < COMPOSED
    ]


def _played(tasks: Sequence[_Task], written: Sequence[tuple[tuple[Bar, ...], str]], style: Style) -> Improvised:
    bars: dict[str, tuple[tuple[Hit, ...], ...]] = {}
    remarks = []
    for task, (good, fault) in zip(tasks, written, strict=True):
        bars |= {name: tuple(bar.drums for bar in good) for name in task.sections if good}
        if fault:
            names = ", ".join(dict.fromkeys(task.sections))
            remarks.append(f"The composer's drums for {names} had {fault}; the patterns of {style.label} play there.")
    return Improvised(bars, tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Task:
    """What is asked for one level of energy, for which sections, and the seeds to try it with."""

    sections: tuple[str, ...]
    request: Request
    seeds: tuple[int, ...]

    @property
    def theme(self) -> tuple[Bar, ...]:
        return self.request.bars[:GIVEN]


def _task(
    plan: Plan, brief: Brief, style: Style, grooves: Sequence[Groove], sections: Sequence[Section], level: int,
    seed: int,
) -> _Task:  # fmt: skip
    """Four bars after a groove of the style that suits the first of the sections."""
    rng = stream(seed, f"drums {level}")
    swung = style.playing.swing_unit == 8 and style.playing.swing > 0.3
    groove = choose_groove(grooves, likings(grooves, 1.0, rng), sections[0], rng)
    theme = _theme(groove, str(plan.meter), rng, swung=swung)
    seeds = tuple(int(number) for number in rng.integers(0, 2**62, TRIES))
    controls = Controls(
        Key.parse(brief.key).mode, str(plan.meter), ("drums",), "groove", (style.name,),
        tempo=class_of(plan.tempo_bpm, tokens.TEMPO_EDGES),
    )  # fmt: skip
    count = GIVEN + BARS
    rules = Rules(
        bars=count, bar_steps=STEPS[str(plan.meter)] * _SIXTEENTH, parts=("drums",), closing=False,
        written=tuple(range(GIVEN, count)), energies=dict.fromkeys(range(count), level),
        accents={bar: _accents(theme[bar % GIVEN]) for bar in range(GIVEN, count)},
    )  # fmt: skip
    request = Request(controls, rules, Frame(0, 60), (*theme, *[Bar()] * BARS))
    return _Task(tuple(section.name for section in sections), request, seeds)


def _written(tasks: Sequence[_Task], meter: str, boldness: Boldness) -> Writing[list[tuple[tuple[Bar, ...], str]]]:
    """For each task its first good bars and no fault, or no bars and what the first try lacked.

    All levels are written together, and what was not good once more: reading for several costs little more.
    """
    found: list[tuple[tuple[Bar, ...], str]] = [((), "")] * len(tasks)
    open_tasks = list(range(len(tasks)))
    for attempt in range(TRIES):
        if not open_tasks:
            break
        tried = yield from _tried([tasks[index] for index in open_tasks], attempt, meter, boldness)
        for index, (bars, fault) in zip(tuple(open_tasks), tried, strict=True):
            if not fault:
                found[index] = bars, ""
                open_tasks.remove(index)
            elif attempt == 0:
                found[index] = (), fault
    return found


def _tried(
    tasks: Sequence[_Task], attempt: int, meter: str, boldness: Boldness
) -> Writing[list[tuple[tuple[Bar, ...], str]]]:  # fmt: skip
    """For each task the bars of this try, and what is wrong with them."""
    early = [""] * len(tasks)

    def worth(place: int, bars: tuple[Bar, ...]) -> bool:
        early[place] = fault_so_far(bars, tasks[place].theme)
        return not early[place]

    seeds = [task.seeds[attempt] for task in tasks]
    written = yield from writing([task.request for task in tasks], seeds, boldness, worth=worth)
    return [
        (music[GIVEN:], fault or fault_of(music[GIVEN:], task.theme, meter))
        for task, music, fault in zip(tasks, written, early, strict=True)
    ]


def _theme(groove: Groove, meter: str, rng: np.random.Generator, *, swung: bool) -> list[Bar]:
    """Two bars of a groove, on the composer's drums; swung eighths as the triplets that drummers are written in."""
    steps = STEPS[meter]
    bars = []
    for index in range(GIVEN):
        struck = {}
        for drum, row in groove.rows.items():
            first = index * steps % len(row)
            for step, mark in enumerate(row[first : first + steps]):
                if mark in _LOUDNESS or (mark.isdigit() and rng.random() < int(mark) / 10):
                    name = _ON_OUR_KIT.get(drum, drum)
                    pos = step * _SIXTEENTH
                    late = GRID // 6 if swung and pos % GRID == GRID // 2 else 0
                    struck[pos + late, name] = Hit(pos + late, name, _LOUDNESS.get(mark, 48))
        bars.append(Bar(drums=tuple(struck[place] for place in sorted(struck))))
    return bars


def _levels(plan: Plan, style: Style, player: PartStyle) -> dict[int, list[Section]]:
    """Sections by class of energy; those for which the style has a groove of their own keep it."""
    own = {name for grooves in style.grooves.values() for groove in grooves for name in groove.sections}
    found: dict[int, list[Section]] = {}
    for section in plan.sections:
        plays = player.enter <= round(section.energy - plan.lift, 3) <= player.leave
        if plays and section.name.rstrip("'") not in own:
            found.setdefault(class_of(section.energy, tokens.ENERGY_EDGES), []).append(section)
    return found


def _accents(bar: Bar) -> tuple[tuple[int, str], ...]:
    """The plain strokes of kick and backbeat: they are the style, the drummer plays around them."""
    return tuple((hit.pos, hit.drum) for hit in bar.drums if hit.drum in {"kick", *_BACK} and hit.velocity > _PLAIN)


def fault_of(bars: Sequence[Bar], theme: Sequence[Bar], meter: str) -> str:
    """What keeps these bars from carrying the style, "" when nothing does. The theme says what the style needs."""
    strokes = sum(len(bar.drums) for bar in bars) / max(1, len(bars))
    if strokes < 4 or strokes > 2.5 * STEPS[meter]:
        return f"{strokes:.0f} strokes a bar"
    if _has_kick(theme) and not _has_kick(bars):
        return "no bass drum"
    if _with(_backbeat(theme), bars) < _MOST * len(bars):
        return _NO_BACKBEAT
    if _alike(bars) < LEAST_ALIKE:
        return "no steady pattern"
    return _STRANGE if _kin(bars, theme) < LEAST_ALIKE else ""


def fault_so_far(bars: Sequence[Bar], theme: Sequence[Bar]) -> str:
    """What `fault_of` will find in the end, or almost certainly will; "" when there is hope."""
    if len(bars) - _with(_backbeat(theme), bars) > (1 - _MOST) * BARS:
        return _NO_BACKBEAT
    return _STRANGE if _kin(bars, theme) < GIVEN_UP * LEAST_ALIKE else ""


def _kin(bars: Sequence[Bar], theme: Sequence[Bar]) -> float:
    """Mean share of strokes that a bar has in common with one of the groove."""
    return sum(_alike([before, bar]) for before in theme for bar in bars) / (len(theme) * len(bars))


def _backbeat(theme: Sequence[Bar]) -> set[int]:
    return set.intersection(*(_backbeats(bar) for bar in theme))


def _with(backbeat: set[int], bars: Sequence[Bar]) -> int:
    """How many bars have it."""
    return sum(backbeat <= _backbeats(bar) for bar in bars)


def _has_kick(bars: Sequence[Bar]) -> bool:
    return 2 * sum(any(hit.drum == "kick" for hit in bar.drums) for bar in bars) >= len(bars)


def _backbeats(bar: Bar) -> set[int]:
    """Places of the strokes on snare, rim or clap that are no ghosts."""
    return {hit.pos for hit in bar.drums if hit.drum in _BACK and hit.velocity >= _PLAIN}


def _alike(bars: Sequence[Bar]) -> float:
    """Mean share of strokes (place and drum) that neighbouring bars have in common."""
    struck = [{(hit.pos, hit.drum) for hit in bar.drums} for bar in bars]
    shares = [len(a & b) / max(1, len(a | b)) for a, b in pairwise(struck)]
    return sum(shares) / max(1, len(shares))
