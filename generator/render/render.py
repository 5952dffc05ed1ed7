"""From a Score to stems: every part played by the soundfont or by its synthesiser voice.

Knows nothing of mixing: stems come dry, at whatever level their instrument has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from generator import blocks
from generator.errors import SoundError
from generator.render.controls import ride
from generator.render.instruments import INSTRUMENTS, Instrument
from generator.render.sampler import play
from generator.render.sf2 import SoundFont, open_soundfont
from generator.render.timing import MOST_VOICES, SAMPLE_RATE, TAIL_S, Event, events, left_out, total_samples
from generator.render.voices import perform
from generator.score import Score

__all__ = ["SAMPLE_RATE", "TAIL_S", "notices", "playing", "render"]

_KITS = 128
_FAMILY = 8  # General MIDI has its programs in families of eight


def render(score: Score, soundfont: Path | None, *, seed: int, device: torch.device) -> dict[str, Tensor]:
    """`playing`, all stems by part name."""
    return dict(playing(score, soundfont, seed=seed, device=device))


def playing(
    score: Score, soundfont: Path | None, *, seed: int, device: torch.device
) -> Iterator[tuple[str, Tensor]]:  # fmt: skip
    """Part names with their stems, one after the other: float32 [2, n] at 44.1 kHz, all n = score length + tail, the
    same for the same seed.

    One at a time, since it is many short operations: threads that share Python's lock would be no faster.
    Without a soundfont (or with none that has a preset near enough) the synthesiser voices play.
    Raises SoundError for an unreadable soundfont or an instrument that is not in the catalogue.
    """
    font = open_soundfont(soundfont) if soundfont is not None else None
    total = total_samples(score)
    for part in score.parts:
        instrument = _instrument(part.instrument)
        made = _stem(instrument, events(score, part), total, font, part.name, seed, device)
        made = ride(made, score, part)
        yield part.name, blocks.sound(made, f"The {instrument.label.lower()} of “{part.name}”")


def notices(score: Score, soundfont: Path | None) -> list[str]:
    """Sentences on what `render` plays otherwise than the score asks: other presets, notes left out."""
    font = open_soundfont(soundfont) if soundfont is not None else None
    said = []
    for part in score.parts:
        instrument = _instrument(part.instrument)
        if font is not None and instrument.program is not None:
            found = _preset(font, instrument)
            if found is None:
                said.append(
                    f"The soundfont has no {instrument.label.lower()}; a synthesised voice plays “{part.name}”."
                )
            elif found != (instrument.bank, instrument.program):
                said.append(
                    f"The soundfont has no {instrument.label.lower()}; its preset {found[1]} in bank {found[0]} plays "
                    f"“{part.name}”."
                )
        if missing := left_out(score, part):
            said.append(f"“{part.name}” plays {MOST_VOICES} notes at once at most; {missing} were left out.")
    return said


def _preset(font: SoundFont, instrument: Instrument) -> tuple[int, int] | None:
    """Bank and program that play an instrument: its own, else the program in another bank, else the nearest program of
    its family. A kit is only replaced by a kit."""
    if instrument.program is None:
        return None
    bank, program = instrument.bank, instrument.program
    near = [
        found
        for found in font.presets
        if (found[0] == bank if instrument.kit else found[0] != _KITS and found[1] // _FAMILY == program // _FAMILY)
    ]
    near.sort(key=lambda found: (abs(found[1] - program), found[0] != bank, found))
    return next((found for found in near if font.zones(*found)), None)


def _instrument(name: str) -> Instrument:
    if name not in INSTRUMENTS:
        raise SoundError(f"There is no instrument called “{name}”.")
    return INSTRUMENTS[name]


def _stem(
    instrument: Instrument,
    played: tuple[Event, ...],
    total: int,
    font: SoundFont | None,
    part: str,
    seed: int,
    device: torch.device,
) -> Tensor:
    found = _preset(font, instrument) if font is not None else None
    if font is not None and found is not None:
        return play(font, *found, played, total, kit=instrument.kit, device=device)
    return perform(instrument.voice, played, total, stream=f"{part}/{instrument.name}", seed=seed, device=device)
