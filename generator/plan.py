"""Form: how many bars, which sections in which order, with how much energy, and how it ends. Knows no notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.arrange.mood import Feeling, feeling_of
from generator.arrange.style import FormSection, Style
from generator.brief import Brief
from generator.render.timing import TAIL_S
from generator.score import PPQ, Meter, Section, TempoChange

MATERIAL_BARS = 8
"""Length of one musical idea; longer sections come back to its beginning."""

HIT_TICKS = PPQ // 2
"""How long the last chord is where a piece stops short."""

_SLOWING_BARS = 2  # a ritardando takes so long,
_LEAST_BARS = 8  # and a piece is at least so long before it has one


@dataclass(frozen=True, slots=True)
class Plan:
    """The form of one piece. `materials` are the letters that need music, each of `MATERIAL_BARS` bars;
    `lift` is what the mood has added to the energy of every section. `tempos` is the tempo map, in quarter notes a
    minute; a `loop` goes round, so that nothing closes it.
    """

    bars: int
    meter: Meter
    tempo_bpm: float
    sections: tuple[Section, ...]
    materials: tuple[str, ...]
    lift: float
    tempos: tuple[TempoChange, ...]
    loop: bool = False

    @property
    def last_bar(self) -> int | None:
        """The bar that closes the piece, None for a loop."""
        return None if self.loop else self.bars - 1


def make_plan(brief: Brief, style: Style) -> Plan:
    """Choose the richest form that fits and stretch it to the length asked: the audio, with its tail, ends within
    a bar of `brief.length_s`. A loop is a whole number of bars without a tail, and of sections of the song only."""
    meter = Meter.parse(brief.meter)
    bar_s = meter.bar_ticks / PPQ * 60.0 / brief.tempo_bpm
    slow = 0.0 if brief.loop or style.ending.kind != "ritardando" else style.ending.slow
    wanted = brief.length_s / bar_s if brief.loop else (brief.length_s - TAIL_S) / bar_s
    if style.ending.kind == "hit" and not brief.loop:  # of the last bar only a stroke is heard
        wanted += 1.0 - HIT_TICKS / meter.bar_ticks
    bars = max(1, round(wanted))
    if bars >= _LEAST_BARS and slow:
        bars = max(_LEAST_BARS, round((brief.length_s - TAIL_S) / bar_s - _slowing_bars(meter, slow)))
    feeling = feeling_of(brief)
    sections = _place(_fit(_forms(style, loop=brief.loop), bars, style.unit), feeling)
    materials = tuple(sorted({section.material for section in sections}))
    tempos = _tempo_map(bars, meter, brief.tempo_bpm, slow if bars >= _LEAST_BARS else 0.0)
    return Plan(bars, meter, brief.tempo_bpm, sections, materials, feeling.lift, tempos, brief.loop)


def _steps_down(meter: Meter, slow: float) -> list[float]:
    """The share of the tempo left in every beat of a ritardando; the last bar is one long chord in the last tempo."""
    beats = _SLOWING_BARS * meter.beats
    return [1.0 - slow * ((beat + 1) / beats) ** 1.5 for beat in range(beats)]


def _slowing_bars(meter: Meter, slow: float) -> float:
    """The time that a ritardando adds, in bars of the usual tempo."""
    steps = _steps_down(meter, slow)
    return (sum(1.0 / step for step in steps) - len(steps)) / meter.beats


def _tempo_map(bars: int, meter: Meter, bpm: float, slow: float) -> tuple[TempoChange, ...]:
    first = (bars - _SLOWING_BARS) * meter.bar_ticks
    beat = meter.bar_ticks // meter.beats
    if not slow:
        return (TempoChange(0, bpm),)
    slowing = [
        TempoChange(first + index * beat, round(bpm * share, 2))
        for index, share in enumerate(_steps_down(meter, slow))
    ]  # fmt: skip
    return (TempoChange(0, bpm), *slowing)


def _place(form: Sequence[FormSection], feeling: Feeling) -> tuple[Section, ...]:
    """Sections one after the other; the mood lifts or calms every one."""
    placed = []
    start = 0
    for section in form:
        energy = min(1.0, max(0.15, section.energy + feeling.lift))
        placed.append(Section(section.name, start, section.bars, round(energy, 3), section.material))
        start += section.bars
    return tuple(placed)


def _forms(style: Style, *, loop: bool) -> list[tuple[FormSection, ...]]:
    if not loop:
        return list(style.forms)
    bodies = [tuple(s for s in form if s.name not in {"intro", "outro"}) for form in style.forms]
    return [body for body in bodies if body]


def _fit(forms: Sequence[tuple[FormSection, ...]], bars: int, unit: int) -> list[FormSection]:
    """Forms come richest first; the first one whose shortest version fits is used."""
    for form in forms:
        if sum(_shortest(section, unit) for section in form) <= bars:
            return _stretch(_repeat_body(form, bars, unit), bars, unit)
    return [_with_bars(next((s for s in forms[-1] if not s.is_frame), forms[-1][0]), bars)]


def _shortest(section: FormSection, unit: int) -> int:
    return min(section.bars, 2) if section.is_frame else min(section.bars, unit)


def _with_bars(section: FormSection, bars: int) -> FormSection:
    return section.model_copy(update={"bars": bars})


def _repeat_body(form: tuple[FormSection, ...], bars: int, unit: int) -> list[FormSection]:
    """Long pieces go round the body again instead of growing endless sections; inner rounds are calmer by turns."""
    head = [section for section in form[:1] if section.name == "intro"]
    tail = [section for section in form[-1:] if section.name == "outro"]
    body = list(form[len(head) : len(form) - len(tail)])
    frame_bars = sum(section.bars for section in (*head, *tail))
    wanted = round((bars - frame_bars) / sum(section.bars for section in body))
    fitting = (bars - sum(_shortest(s, unit) for s in (*head, *tail))) // sum(_shortest(s, unit) for s in body)
    rounds = max(1, min(wanted, fitting))
    calmer = [0.08 if index % 2 == 1 and index < rounds - 1 else 0.0 for index in range(rounds)]
    middle = [
        section.model_copy(update={"energy": max(0.0, section.energy - less)}) for less in calmer for section in body
    ]
    return [*head, *middle, *tail]


def _stretch(form: list[FormSection], bars: int, unit: int) -> list[FormSection]:
    """Give every section its share in steps of a unit; what is left over goes to the last sung section."""
    lengths = [_shortest(section, unit) for section in form]
    song = [i for i, section in enumerate(form) if not section.is_frame] or list(range(len(form)))
    while (spare := bars - sum(lengths)) >= 2:
        growing = [i for i in song if spare >= unit]
        growing += [i for i in range(len(form)) if i not in song and lengths[i] + 2 <= form[i].bars]
        if not growing:
            break
        hungriest = min(growing, key=lambda i: lengths[i] / form[i].bars)
        lengths[hungriest] += unit if hungriest in song else 2
    lengths[song[-1]] += bars - sum(lengths)  # a few bars more of the tune, not of the ending
    return [_with_bars(section, length) for section, length in zip(form, lengths, strict=True)]


def section_at(plan: Plan, bar: int) -> Section:
    """The section that holds a bar; the last one for bars beyond the end."""
    for section in plan.sections:
        if section.start_bar <= bar < section.start_bar + section.bars:
            return section
    return plan.sections[-1]
