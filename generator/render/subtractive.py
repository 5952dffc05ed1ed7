"""Waves through a resonant filter: basses, pads, leads, bowed and blown fallbacks.

Several detuned oscillators per note spread over the stereo field, optional noise, one moving low-pass per side,
optional body resonances. All parameters are data (`voices.toml`).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from generator.render import oscillator
from generator.render.filters import samples, swept_lowpass
from generator.render.notes import Adsr, Notes, soft_clip
from generator.render.timing import SAMPLE_RATE


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wave(_Data):
    """One oscillator: a named shape or the levels of its harmonics, `semitones` away from the note."""

    shape: Literal["sine", "triangle", "square", "saw"] | tuple[float, ...]
    level: float = 1.0
    semitones: float = 0.0
    unison: int = 1


class Subtractive(_Data):
    """See the field names; times in seconds, depths in cents, octaves or [0, 1]."""

    kind: Literal["subtractive"]
    waves: tuple[Wave, ...]
    amp: tuple[float, float, float, float]
    detune_cents: float = 0.0
    spread: float = 0.0
    noise: float = 0.0
    cutoff_hz: float = 18000.0
    tracking: float = 0.5
    q: float = 0.707
    sweep_octaves: float = 0.0
    sweep: tuple[float, float, float, float] = (0.005, 0.3, 0.0, 0.3)
    velocity_octaves: float = 1.0
    lfo_octaves: float = 0.0
    lfo_hz: float = 0.2
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.2
    vibrato_delay: float = 0.35
    drift_cents: float = 0.0
    drop_octaves: float = 0.0
    drop_s: float = 0.03
    drive: float = 0.0
    body: tuple[tuple[float, float, float], ...] = ()
    hop: int = 512
    variants: int = 2

    @property
    def release_s(self) -> float:
        return self.amp[3]

    @property
    def mono(self) -> bool:
        """Whether left and right are alike."""
        return self.noise == 0 and (self.spread == 0 or all(wave.unison == 1 for wave in self.waves))

    def sound(self, notes: Notes) -> Tensor:
        """-> [B, 2, length], or [B, 1, length] where both sides are alike"""
        sides = self._oscillators(notes)
        if self.noise > 0:
            breath = torch.stack([notes.hiss(20), notes.hiss(21)], 1)
            sides = breath.mul_(self.noise).add_(sides)
        if self.cutoff_hz < 17000 or self.sweep_octaves < 0:
            sides = self._filter(sides, notes)
        if self.body:
            sides = _resonate(sides, self.body)
        sides = soft_clip(sides, self.drive)
        return sides.mul_(notes.draw(Adsr(*self.amp).curve(notes))[:, None])

    def _oscillators(self, notes: Notes) -> Tensor:
        """-> [B, 1 or 2, length]"""
        device = notes.pitch.device
        ratios = torch.tensor(
            [2.0 ** (wave.semitones / 12.0) for wave in self.waves], device=device, dtype=torch.float64
        )
        tuned = notes.hertz[:, None] * ratios
        cycles = [oscillator.tables(wave.shape, hertz) for wave, hertz in zip(self.waves, tuned.unbind(1), strict=True)]
        which, detuned, levels = [], [], []
        for number, wave in enumerate(self.waves):
            for voice in range(wave.unison):
                place = (2 * voice / (wave.unison - 1) - 1) if wave.unison > 1 else 0.0
                angle = (place * self.spread * (-1) ** voice + 1) * math.pi / 4
                level = wave.level * math.sqrt(2 / wave.unison)
                which.append(number)
                detuned.append(2.0 ** (place * self.detune_cents / 1200.0))
                levels.append((level * math.cos(angle), level * math.sin(angle)))
        hertz = tuned[:, which] * torch.tensor(detuned, device=device, dtype=tuned.dtype)
        start = notes.chance[:, [column % 16 for column in range(len(which))]]
        mixing = torch.tensor(levels, device=device).T[: 1 if self.mono else 2]
        return oscillator.chorus(torch.stack(cycles, 1), which, hertz, start, mixing, notes.length, self._bend(notes))

    def _bend(self, notes: Notes) -> Tensor | None:
        """Phase in cycles that vibrato, drift and the initial drop add to the steady phase; [B, length]."""
        if not (self.vibrato_cents or self.drift_cents or self.drop_octaves):
            return None
        times, hertz = notes.times, notes.hertz[:, None].float()
        turn = 2 * math.pi
        cycles = torch.zeros(len(notes.pitch), len(times), device=times.device)
        if self.vibrato_cents:
            depth = self.vibrato_cents * math.log(2) / 1200.0
            swell = ((times - self.vibrato_delay) / 0.4).clamp(0.0, 1.0)
            rate = self.vibrato_hz * (0.95 + 0.1 * notes.chance[:, 16:17])
            cycles += hertz * depth * swell * (1 - torch.cos(turn * rate * times)) / (turn * rate)
        if self.drift_cents:
            depth = self.drift_cents * math.log(2) / 1200.0
            for column, slow_rate in ((17, 0.23), (18, 0.61)):
                start = turn * notes.chance[:, column : column + 1]
                slow = torch.cos(start) - torch.cos(turn * slow_rate * times + start)
                cycles += hertz * 0.5 * depth * slow / (turn * slow_rate)
        if self.drop_octaves:  # the pitch starts high and falls to the note: the knock of an 808
            reach = 2.0**self.drop_octaves - 1
            cycles += hertz * reach * self.drop_s * (1 - torch.exp(-times / self.drop_s))
        return notes.draw(cycles)

    def _filter(self, sides: Tensor, notes: Notes) -> Tensor:
        count = notes.length // self.hop + 2
        frames = torch.arange(count, device=sides.device) * (self.hop / SAMPLE_RATE)
        attack, decay, sustain, release = self.sweep
        shape = sustain + (1 - sustain) * torch.exp(-6.9 / decay * (frames - attack).clamp(min=0.0))
        shape = shape * (frames / attack).clamp(max=1.0)
        shape = shape * torch.exp(-6.9 / release * (frames - notes.off_s[:, None]).clamp(min=0.0))
        octaves = self.sweep_octaves * shape + self.velocity_octaves * (notes.velocity[:, None] - 0.7)
        octaves = octaves + self.tracking * (notes.pitch[:, None] - 60.0) / 12.0
        wander = torch.sin(2 * math.pi * (self.lfo_hz * frames + notes.chance[:, 19:20]))
        cutoff = self.cutoff_hz * torch.exp2(octaves + self.lfo_octaves * wander)
        return swept_lowpass(sides, cutoff.clamp(30.0, 18000.0), self.q, self.hop)


def _resonate(sides: Tensor, peaks: tuple[tuple[float, float, float], ...]) -> Tensor:
    """Add body resonances (Hz, quality, gain in dB): each a second-order band-pass beside the direct sound."""
    length = sides.shape[-1]
    size = 1 << (length + 4096 - 1).bit_length()
    hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=sides.device).clamp(min=1.0)
    response = torch.ones_like(hertz, dtype=torch.complex64)
    for centre, quality, gain_db in peaks:
        off = quality * (hertz / centre - centre / hertz)
        response = response + (10 ** (gain_db / 20) - 1) / (1 + 1j * off)
    return samples(torch.fft.rfft(sides, n=size) * response, size, length)
