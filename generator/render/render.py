"""From a Score to stems: every part played by the soundfont or by its synthesiser voice.

Knows nothing of mixing: stems come dry, at whatever level their instrument has.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from generator import blocks, hands
from generator.errors import SoundError
from generator.render.instruments import INSTRUMENTS, Instrument
from generator.render.sampler import play
from generator.render.sf2 import SoundFont, open_soundfont
from generator.render.timing import SAMPLE_RATE, TAIL_S, Event, events, total_samples
from generator.render.voices import perform
from generator.score import Part, Score

__all__ = ["SAMPLE_RATE", "TAIL_S", "render"]


def render(score: Score, soundfont: Path | None, *, seed: int, device: torch.device) -> dict[str, Tensor]:
    """Stems by part name: float32 [2, n] at 44.1 kHz, all n = score length + tail, the same for the same seed.

    Without a soundfont (or without the preset in it) the synthesiser voices play.
    Raises SoundError for an unreadable soundfont or an instrument that is not in the catalogue.
    """
    font = open_soundfont(soundfont) if soundfont is not None else None
    total = total_samples(score)

    def stem(part: Part) -> Tensor:
        instrument = _instrument(part.instrument)
        made = _stem(instrument, events(score, part), total, font, part.name, seed, device)
        return blocks.sound(made, f"The {instrument.label.lower()} of “{part.name}”")

    return dict(zip((part.name for part in score.parts), hands.each(stem, score.parts, device), strict=True))


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
    if font is not None and instrument.program is not None and font.zones(instrument.bank, instrument.program):
        return play(font, instrument.bank, instrument.program, played, total, kit=instrument.kit, device=device)
    return perform(instrument.voice, played, total, stream=f"{part}/{instrument.name}", seed=seed, device=device)
