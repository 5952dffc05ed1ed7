"""Form: how many bars, which sections in which order, with how much energy. Knows no notes."""

from __future__ import annotations

from dataclasses import dataclass

from generator.arrange.style import FormSection, Style
from generator.brief import Brief
from generator.render.timing import TAIL_S
from generator.score import PPQ, Meter, Section

MATERIAL_BARS = 8
"""Length of one musical idea; longer sections come back to its beginning."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The form of one piece. `materials` are the letters that need music, each of `MATERIAL_BARS` bars;
    `lift` is what the mood has added to the energy of every section.
    """

    bars: int
    meter: Meter
    tempo_bpm: float
    sections: tuple[Section, ...]
    materials: tuple[str, ...]
    lift: float


def make_plan(brief: Brief, style: Style) -> Plan:
    """Choose the richest form that fits and stretch it to the length asked: the audio, with its tail, ends within
    half a bar of `brief.length_s`."""
    meter = Meter.parse(brief.meter)
    bar_s = meter.bar_ticks / PPQ * 60.0 / brief.tempo_bpm
    bars = max(2, round((brief.length_s - TAIL_S) / bar_s))
    lift = _lift(brief)
    sections = _place(_fit(style.forms, bars), lift)
    materials = tuple(sorted({section.material for section in sections}))
    return Plan(bars, meter, brief.tempo_bpm, sections, materials, lift)


def _lift(brief: Brief) -> float:
    """Arousal and density lift or calm every section."""
    return 0.12 * brief.mood.arousal + 0.12 * (brief.density - 0.5)


def _place(form: list[FormSection], lift: float) -> tuple[Section, ...]:
    placed = []
    start = 0
    for section in form:
        energy = min(1.0, max(0.15, section.energy + lift))
        placed.append(Section(section.name, start, section.bars, round(energy, 3), section.material))
        start += section.bars
    return tuple(placed)


def _fit(forms: tuple[tuple[FormSection, ...], ...], bars: int) -> list[FormSection]:
    """Forms come richest first; the first one whose shortest version fits is used."""
    for form in forms:
        if sum(_shortest(section) for section in form) <= bars:
            return _stretch(_repeat_body(form, bars), bars)
    return [_with_bars(forms[-1][0], bars)]


def _shortest(section: FormSection) -> int:
    return min(section.bars, 2) if section.is_frame else min(section.bars, 4)


def _with_bars(section: FormSection, bars: int) -> FormSection:
    return section.model_copy(update={"bars": bars})


def _repeat_body(form: tuple[FormSection, ...], bars: int) -> list[FormSection]:
    """Long pieces go round the body again instead of growing endless sections."""
    head = [section for section in form[:1] if section.is_frame]
    tail = [section for section in form[-1:] if section.is_frame and len(form) > 1]
    body = list(form[len(head) : len(form) - len(tail)])
    frame_bars = sum(section.bars for section in (*head, *tail))
    wanted = round((bars - frame_bars) / sum(section.bars for section in body))
    fitting = (bars - sum(map(_shortest, (*head, *tail)))) // sum(map(_shortest, body))
    return [*head, *(body * max(1, min(wanted, fitting))), *tail]


def _stretch(form: list[FormSection], bars: int) -> list[FormSection]:
    """Give every section its share in steps of four bars; what is left over goes to the last sung section."""
    lengths = [_shortest(section) for section in form]
    while (spare := bars - sum(lengths)) >= 4:
        song = [i for i, section in enumerate(form) if not section.is_frame] or list(range(len(form)))
        frames = [i for i in range(len(form)) if i not in song and lengths[i] + 2 <= form[i].bars]
        hungriest = min([*song, *frames], key=lambda i: lengths[i] / form[i].bars)
        lengths[hungriest] += 2 if hungriest in frames else 4
    if spare > 0:  # one to three bars more of the tune, not of the ending
        sung = [i for i, section in enumerate(form) if not section.is_frame]
        lengths[sung[-1] if sung else -1] += spare
    return [_with_bars(section, length) for section, length in zip(form, lengths, strict=True)]


def section_at(plan: Plan, bar: int) -> Section:
    """The section that holds a bar; the last one for bars beyond the end."""
    for section in plan.sections:
        if section.start_bar <= bar < section.start_bar + section.bars:
            return section
    return plan.sections[-1]
