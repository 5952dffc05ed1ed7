"""Grooves written by the composer, for styles that ask for it (`drumming.source = "composer"`).

The model writes a few bars for every level of energy, which the sections of that level play round. The grammar makes
them valid; whether they carry a band is checked here, against what the style's own patterns all have. What does not
pass is not used, and `Improvised.remarks` says so: the patterns play, and the report tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from generator.arrange.meters import STEPS
from generator.arrange.style import PartStyle, Style
from generator.brief import Brief, Key
from generator.corpus.piece import GRID, Bar, Hit
from generator.errors import GeneratorError
from generator.model import tokens
from generator.model.grammar import Rules
from generator.model.sample import Boldness
from generator.model.tasks import Request, write
from generator.model.tokens import Controls, Frame, class_of
from generator.model.transformer import Composer
from generator.plan import Plan
from generator.score import Section
from generator.seeds import stream

BARS = 4
TRIES = 3
"""Grooves written for every level of energy; the first good one is played."""

LEAST_ALIKE = 0.25
"""Neighbouring bars share that much of their strokes; nine in ten stretches of the Groove MIDI Dataset do."""

_BACK = ("snare", "rim", "clap")
_SIXTEENTH = GRID // 4


@dataclass(frozen=True, slots=True)
class Improvised:
    """Bars by section name, and a sentence for every section that the patterns play after all."""

    bars: dict[str, tuple[tuple[Hit, ...], ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def improvise(model: Composer, plan: Plan, brief: Brief, style: Style, seed: int) -> Improvised:
    """Write drums for the sections that have a drummer. Nothing where the style plays patterns or has no drums."""
    player = next((part for part in style.parts.values() if part.role == "drums"), None)
    if style.drumming.source != "composer" or player is None:
        return Improvised()
    levels = _levels(plan, style, player)
    order = [level for level in sorted(levels) for _ in range(TRIES)]
    if not order:
        return Improvised()
    try:
        written = _write(model, plan, brief, style, order, seed)
    except GeneratorError as error:
        return Improvised(remarks=(f"The composer wrote no drums ({error}); the patterns of {style.label} play.",))
    bars: dict[str, tuple[tuple[Hit, ...], ...]] = {}
    remarks = []
    for level, names in sorted(levels.items()):
        tries = [music for of, music in zip(order, written, strict=True) if of == level]
        faults = [fault_of(music, style, str(plan.meter)) for music in tries]
        if "" in faults:
            good = tries[faults.index("")]
            bars |= {name: tuple(bar.drums for bar in good) for name in names}
        else:
            where = ", ".join(names)
            remarks.append(
                f"The composer's drums for {where} had {faults[0]}; the patterns of {style.label} play there."
            )
    return Improvised(bars, tuple(remarks))


def _levels(plan: Plan, style: Style, player: PartStyle) -> dict[int, list[str]]:
    """Section names by class of energy; sections for which the style has a groove of their own keep it."""
    own = {name for grooves in style.grooves.values() for groove in grooves for name in groove.sections}
    found: dict[int, list[str]] = {}
    for section in plan.sections:
        if _drums_play(section, plan, player) and section.name.rstrip("'") not in own:
            names = found.setdefault(class_of(section.energy, tokens.ENERGY_EDGES), [])
            if section.name not in names:
                names.append(section.name)
    return found


def _drums_play(section: Section, plan: Plan, player: PartStyle) -> bool:
    return player.enter <= round(section.energy - plan.lift, 3) <= player.leave


def _write(
    model: Composer, plan: Plan, brief: Brief, style: Style, levels: Sequence[int], seed: int
) -> list[tuple[Bar, ...]]:
    """All levels and tries in one batch."""
    seeds = [int(stream(seed, f"drums {index}").integers(0, 2**62)) for index in range(len(levels))]
    controls = Controls(
        Key.parse(brief.key).mode, str(plan.meter), ("drums",), "groove", (style.name,),
        tempo=class_of(plan.tempo_bpm, tokens.TEMPO_EDGES),
    )  # fmt: skip
    steps = STEPS[str(plan.meter)] * _SIXTEENTH
    own = [
        Rules(bars=BARS, bar_steps=steps, parts=("drums",), closing=False, energies=dict.fromkeys(range(BARS), level))
        for level in levels
    ]
    request = Request(controls, own[0], Frame(0, 60), rules_of_takes=own)
    return write(model, request, seeds, Boldness(temperature=0.9 + 0.2 * brief.novelty, min_p=0.06))


def fault_of(bars: Sequence[Bar], style: Style, meter: str) -> str:
    """What keeps these bars from carrying the style, "" when nothing does."""
    kicks = sum(any(hit.drum == "kick" for hit in bar.drums) for bar in bars)
    strokes = sum(len(bar.drums) for bar in bars) / max(1, len(bars))
    if strokes < 4 or strokes > 2.5 * STEPS[meter]:
        return f"{strokes:.0f} strokes a bar"
    if kicks < len(bars) / 2:
        return "no bass drum"
    if meter == "4/4" and _wants_backbeat(style):
        backbeats = sum(_has_backbeat(bar) for bar in bars)
        if backbeats < 0.75 * len(bars):
            return "no backbeat"
    return "no steady pattern" if _alike(bars) < LEAST_ALIKE else ""


def _alike(bars: Sequence[Bar]) -> float:
    """Mean share of strokes (place and drum) that neighbouring bars have in common."""
    struck = [{(hit.pos, hit.drum) for hit in bar.drums} for bar in bars]
    shares = [len(a & b) / max(1, len(a | b)) for a, b in pairwise(struck)]
    return sum(shares) / max(1, len(shares))


def _wants_backbeat(style: Style) -> bool:
    """Whether nearly all of the style's own grooves strike the snare on two and four."""
    free = [groove for groove in style.grooves.get("4/4", ()) if not groove.sections]
    marked = [
        all(any(groove.rows.get(drum, "-" * 16)[step] in "Xx" for drum in _BACK) for step in (4, 12))
        for groove in free
    ]  # fmt: skip
    return bool(marked) and sum(marked) >= 0.75 * len(marked)


def _has_backbeat(bar: Bar) -> bool:
    struck = {hit.pos for hit in bar.drums if hit.drum in _BACK and hit.velocity >= 50}
    return {4 * _SIXTEENTH, 12 * _SIXTEENTH} <= struck
