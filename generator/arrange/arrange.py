"""Give the outline to a band: who plays, what, and in which sections. One Score comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from generator.arrange.bass import play_bass
from generator.arrange.chords import play_chords
from generator.arrange.drums import play_drums
from generator.arrange.harmony import Outline, lay_out
from generator.arrange.style import PartStyle, Style
from generator.brief import Brief
from generator.compose import Lead
from generator.plan import Plan
from generator.render.instruments import INSTRUMENTS
from generator.score import Note, Part, Score, Section, TempoChange
from generator.seeds import stream


def arrange(lead: Lead, plan: Plan, brief: Brief, style: Style, title: str, seed: int) -> Score:
    """Write every part. `seed` is the take's; each player has its own stream of it."""
    outline = lay_out(lead, plan, style, stream(seed, "layout"))
    band = _band(brief, style, stream(seed, "band"))
    instruments = _instruments(band, brief, seed)
    parts = []
    for name, player in band.items():
        sections = [section for section in plan.sections if _plays_in(player, section, plan.lift)]
        notes = _play(outline, sections, player, style, brief, stream(seed, f"part {name}"))
        if notes:
            instrument = instruments[name]
            parts.append(Part(name, player.role, instrument, _fit_instrument(notes, instrument, player)))
    return Score(
        title, outline.key, plan.meter, plan.bars, (TempoChange(0, brief.tempo_bpm),), outline.chords, plan.sections,
        tuple(parts),
    )  # fmt: skip


# These carry the piece: a calm mood makes them play softer, it does not send them home.
_CORE = {"melody", "chords", "bass", "drums"}
_FIRST_CHOICE = ("chords", "bass", "drums", "melody", "pad", "counter", "texture")


def _plays_in(player: PartStyle, section: Section, lift: float) -> bool:
    """Whether a player joins a section: the core by the form's own energy, the others also by the mood's lift."""
    energy = section.energy - lift if player.role in _CORE else section.energy
    return player.enter <= round(energy, 3) <= player.leave


def _band(brief: Brief, style: Style, rng: np.random.Generator) -> dict[str, PartStyle]:
    """The players who are in: melody, harmony and rhythm always, the rest by chance and density."""
    band = {}
    for name, player in style.parts.items():
        present = rng.random() < player.chance * (0.55 + 0.9 * brief.density) or player.chance == 1.0
        unwanted = set(player.instruments) <= set(brief.instruments_unwanted)
        if present and not unwanted:
            band[name] = player
    return band


def _instruments(band: Mapping[str, PartStyle], brief: Brief, seed: int) -> dict[str, str]:
    """Who plays what. A wanted instrument goes to one player, the accompanist before the soloist."""
    order = sorted(band, key=lambda name: _FIRST_CHOICE.index(band[name].role))
    chosen: dict[str, str] = {}
    for name in order:
        taken = set(chosen.values())
        chosen[name] = choose_instrument(band[name], brief, taken, stream(seed, f"instrument {name}"))
    return chosen


def choose_instrument(player: PartStyle, brief: Brief, taken: set[str], rng: np.random.Generator) -> str:
    """A wanted instrument first; else the list is in order of custom, bent by how acoustic the piece should be."""
    options = [name for name in player.instruments if name not in brief.instruments_unwanted]
    options = [name for name in options if name not in taken] or options
    wanted = [name for name in options if name in brief.instruments_wanted]
    if wanted:
        return wanted[0]
    weights = np.array([
        (0.45 + 0.4 * brief.novelty) ** rank
        * (1.05 - abs(brief.acousticness - INSTRUMENTS[name].acousticness)) ** 2
        for rank, name in enumerate(options)
    ])  # fmt: skip
    return options[int(rng.choice(len(options), p=weights / weights.sum()))]


def _play(
    outline: Outline,
    sections: Sequence[Section],
    player: PartStyle,
    style: Style,
    brief: Brief,
    rng: np.random.Generator,
) -> list[Note]:
    bar_ticks = outline.plan.meter.bar_ticks
    match player.figure:
        case "lead":
            inside = [(s.start_bar * bar_ticks, (s.start_bar + s.bars) * bar_ticks) for s in sections]
            stretch = style.melody.stretch
            return [
                replace(note, velocity=player.velocity, duration=max(1, round(note.duration * stretch)))
                for note in outline.melody
                if any(first <= note.onset < last for first, last in inside)
            ]
        case "groove":
            return play_drums(outline.plan, sections, player, style, rng)
        case "pattern" | "walking":
            return play_bass(outline, sections, player, rng)
        case "wash":
            # One note a bar over the whole piece keeps a texture alive without a seam.
            return [Note(bar * bar_ticks, bar_ticks, 60, player.velocity) for bar in range(outline.plan.bars)]
        case _:
            return play_chords(outline, sections, _with_register(player, brief, outline), rng)


def _with_register(player: PartStyle, brief: Brief, outline: Outline) -> PartStyle:
    """Bright pieces sit a few semitones higher, dark ones lower; none sits on top of the tune."""
    shift = round(8 * (brief.brightness - 0.5))
    low, high = player.low + shift, player.high + shift
    tune = sorted(note.pitch for note in outline.melody)
    if tune:
        high = max(low + 10, min(high, tune[len(tune) // 4] - 1))
        low = min(low, high - 14)
    return player.model_copy(update={"low": low, "high": high})


def _fit_instrument(notes: list[Note], name: str, player: PartStyle) -> tuple[Note, ...]:
    """Move notes by octaves into the instrument's range, in order of time; drums stay as they are."""
    if player.role in {"drums", "texture"}:
        loudest_last = sorted(notes, key=lambda note: (note.onset, note.pitch, note.velocity))
        return tuple({(note.onset, note.pitch): note for note in loudest_last}.values())
    instrument = INSTRUMENTS[name]
    fitted: dict[tuple[int, int], Note] = {}
    for note in notes:
        pitch = note.pitch
        while pitch < instrument.low:
            pitch += 12
        while pitch > instrument.high:
            pitch -= 12
        moved = replace(note, pitch=pitch, velocity=max(1, min(127, note.velocity)))
        fitted.setdefault((moved.onset, moved.pitch), moved)
    return tuple(sorted(fitted.values(), key=lambda note: (note.onset, note.pitch)))
