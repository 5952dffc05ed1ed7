"""Give the outline to a band: who plays, what, and in which sections. One Score comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from generator.arrange.band import UNPITCHED, accompanied, alone, choose_instruments, fittest, gather, sections_of
from generator.arrange.bass import play_bass
from generator.arrange.chords import play_chords
from generator.arrange.drums import Written, play_drums
from generator.arrange.fitting import fit_instrument, fit_kit
from generator.arrange.harmony import Outline, lay_out
from generator.arrange.melody import play_answer, play_double, play_guide, play_lead
from generator.arrange.style import PartStyle, Style
from generator.brief import Brief
from generator.compose import Lead
from generator.plan import Plan
from generator.render.instruments import INSTRUMENTS, Instrument
from generator.score import Note, Part, Score, Section
from generator.seeds import stream

_RISER_BARS = 2
_RISE = 0.12  # of energy, from which a riser announces a section


def arrange(
    lead: Lead, plan: Plan, brief: Brief, style: Style, title: str, seed: int, drums: Written | None = None
) -> Score:
    """Write every part. `seed` is the take's; each player has its own stream of it.

    Args:
        drums: bars of drumming by section name (`arrange.drummer`); the style's patterns play where there are none.

    Raises:
        ArrangeError: the lead does not fit the plan, or nobody is left to play.
    """
    outline = lay_out(lead, plan, brief, style, seed)
    return orchestrate(outline, brief, style, title, seed, drums)


def orchestrate(
    outline: Outline, brief: Brief, style: Style, title: str, seed: int, drums: Written | None = None
) -> Score:
    """Write every part of an outline, as `arrange` does for a lead sheet. Raises ArrangeError."""
    plan = outline.plan
    band = gather(brief, style, seed)
    instruments = choose_instruments(band, brief, seed)
    players = {name: _with_register(player, INSTRUMENTS[instruments[name]], outline) for name, player in band.items()}
    joined = {
        name: sections_of(player, plan, brief.novelty, stream(seed, f"rests {name}"))
        for name, player in players.items()
    }  # fmt: skip
    written = {
        name: _play(outline, sections, players[name], style, drums or {}, stream(seed, f"part {name}"))
        for name, sections in accompanied(joined, players, plan).items()
    }
    for section in _unplayed(outline, [note for name in _pitched(players) for note in written[name]]):
        name = fittest(_pitched(players))
        own = stream(seed, f"alone {section.start_bar}")
        written[name] += _play(outline, [section], alone(players[name]), style, {}, own)
    parts = []
    for name, player in players.items():
        instrument = INSTRUMENTS[instruments[name]]
        if player.role in UNPITCHED:
            kept = fit_kit(written[name])
        else:
            kept = fit_instrument(_gated(written[name], player, outline), instrument, outline.end)
        if kept:
            parts.append(Part(name, player.role, instrument.name, kept))
    return Score(
        title, outline.key, plan.meter, plan.bars, plan.tempos, outline.chords, plan.sections, tuple(parts)
    )  # fmt: skip


def _pitched(players: Mapping[str, PartStyle]) -> dict[str, PartStyle]:
    return {name: player for name, player in players.items() if player.role not in UNPITCHED}


def _unplayed(outline: Outline, notes: Sequence[Note]) -> list[Section]:
    """Sections in which nobody begins or holds a note, and the last bar where no note sounds to the end of it: a piece
    would fall silent there, or be over before its time."""
    bar = outline.bar_ticks
    silent = []
    for section in outline.plan.sections:
        start, end = section.start_bar * bar, (section.start_bar + section.bars) * bar
        if not any(start <= note.onset < end or (note.onset < start and note.end >= end) for note in notes):
            silent.append(section)
    last, final = outline.plan.bars - 1, outline.plan.sections[-1]
    closed = last * bar + outline.closing_ticks
    if outline.closes(last) and final not in silent and max(note.end for note in notes) < closed:
        silent.append(replace(final, start_bar=last, bars=1))
    return silent


def _play(  # noqa: PLR0911 -- one line for each figure
    outline: Outline,
    sections: Sequence[Section],
    player: PartStyle,
    style: Style,
    drums: Written,
    rng: np.random.Generator,
) -> list[Note]:
    match player.figure:
        case "lead":
            return play_lead(outline, sections, player, style, rng)
        case "double" | "harmony":
            return play_double(outline, sections, player)
        case "guide":
            return play_guide(outline, sections, player)
        case "answer":
            return play_answer(outline, sections, player, rng)
        case "groove":
            closing = outline.ending != "fade"
            return play_drums(
                outline.plan,
                sections,
                player,
                style,
                drums,
                closing=closing,
                novelty=outline.novelty,
                density=outline.feeling.density,
                rng=rng,
            )
        case "pattern" | "walking" | "pedal":
            return play_bass(outline, sections, player, rng)
        case "riser":
            return _risers(outline, player)
        case "wash":
            # One note a bar over the whole piece keeps a texture alive without a seam.
            bar = outline.bar_ticks
            return [Note(index * bar, bar, 60, player.velocity) for index in range(outline.plan.bars)]
        case "block" | "arpeggio" | "sustain":
            return play_chords(outline, sections, player, rng)


def _risers(outline: Outline, player: PartStyle) -> list[Note]:
    """A swell that ends where a section of more energy begins."""
    bar = outline.bar_ticks
    dominant = 60 + (outline.key.tonic + 7) % 12
    notes = []
    for before, section in zip(outline.plan.sections, outline.plan.sections[1:], strict=False):
        if section.energy >= before.energy + _RISE and section.energy >= player.enter:
            bars = min(_RISER_BARS, before.bars)
            notes.append(Note((section.start_bar - bars) * bar, bars * bar, dominant, player.velocity))
    return notes


def _with_register(player: PartStyle, instrument: Instrument, outline: Outline) -> PartStyle:
    """The part's register on this instrument. Harmony follows the mood up or down and stays under the tune."""
    low, high = player.low, player.high
    if player.role == "counter":
        low, high = low + round(outline.feeling.register), high + round(outline.feeling.register)
    if player.role in {"chords", "pad"}:
        shift = round(outline.feeling.register)
        low, high = low + shift, high + shift
        tune = sorted(note.pitch for note in outline.melody)
        if tune:
            high = max(low + 10, min(high, tune[len(tune) // 4] - 1))
            low = min(low, high - 14)
    low, high = max(low, instrument.low), min(high, instrument.high)
    if high - low < 11:  # every tone of a chord must have a place
        low, high = max(instrument.low, high - 12), min(instrument.high, low + 12)
    voices = min(player.voices, instrument.polyphony)
    return player.model_copy(update={"low": low, "high": high, "voices": voices})


def _gated(notes: list[Note], player: PartStyle, outline: Outline) -> list[Note]:
    """Shorter notes when the mood is excited, longer ones when it is calm; pads, pedals and the last chord ring on as
    they are."""
    gate = outline.feeling.gate
    if player.pedal or player.figure in {"sustain", "lead"} or gate >= 1.0:
        return notes
    last = outline.plan.bars - 1
    closing = last * outline.bar_ticks if outline.closes(last) else outline.end
    return [
        note if note.onset >= closing else replace(note, duration=max(30, round(note.duration * gate)))
        for note in notes
    ]
