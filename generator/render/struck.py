"""Struck, plucked and frequency-modulated voices: strings, bars and bells, electric pianos, drawbar organ."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from scipy.fft import next_fast_len
from torch import Tensor

from generator.render import oscillator
from generator.render.filters import samples
from generator.render.notes import Adsr, Notes, soft_clip
from generator.render.timing import SAMPLE_RATE


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    variants: int = 2


class Operator(_Data):
    """A sine carrier bent by a sine: frequency ratios, index at full velocity, fall times to -60 dB."""

    carrier: float = 1.0
    modulator: float = 1.0
    index: float = 1.0
    index_decay: float = 1.0
    level: float = 1.0
    decay: float = 6.0


class Fm(_Data):
    """A few carrier and modulator pairs, heard with a slow stereo tremolo."""

    kind: Literal["fm"]
    operators: tuple[Operator, ...]
    attack: float = 0.002
    release: float = 0.25
    velocity_index: float = 0.8
    tremolo: float = 0.0
    tremolo_hz: float = 4.5
    detune_cents: float = 0.0
    drive: float = 0.0

    @property
    def release_s(self) -> float:
        return self.release

    def sound(self, notes: Notes) -> Tensor:
        """-> [B, 2, length]"""
        times, hertz = notes.times, notes.hertz
        mono = torch.zeros(len(hertz), notes.length, device=hertz.device)
        for number, pair in enumerate(self.operators):
            # Sidebands reach (index + 1) modulators above the carrier: hold them below 18 kHz.
            room = ((18000.0 / hertz.float() - pair.carrier) / pair.modulator - 1).clamp(min=0.0)
            hard = 1 - self.velocity_index + self.velocity_index * notes.velocity
            index = torch.minimum(pair.index * hard, room)[:, None] * torch.exp(-6.9 / pair.index_decay * times)
            # Short notes sit high: everything falls faster there, as in struck metal.
            fall = torch.exp(-6.9 / pair.decay * times * torch.exp2((notes.pitch[:, None] - 60.0) / 24.0))
            modulator = oscillator.sine(hertz * pair.modulator, torch.zeros_like(hertz), notes.length)
            cents = self.detune_cents * (-1.0) ** number
            fixed = oscillator.phase(hertz * pair.carrier * 2 ** (cents / 1200), torch.zeros_like(hertz), notes.length)
            bent = oscillator.cycles(fixed).mul_(2 * math.pi).addcmul_(notes.draw(index), modulator)
            audible = (hertz * pair.carrier < 18000.0).float()[:, None]
            mono.addcmul_(notes.draw(fall * (pair.level * audible)), bent.sin_())
        envelope = Adsr(self.attack, 1.0, 1.0, self.release).curve(notes)
        mono = soft_clip(mono, self.drive).mul_(notes.draw(envelope))
        if self.tremolo <= 0:
            return mono[:, None]
        sway = self.tremolo * torch.sin(2 * math.pi * (self.tremolo_hz * times + notes.chance[:, :1]))
        return mono[:, None] * notes.draw(torch.stack([1 + sway, 1 - sway], 1))


class Partials(_Data):
    """Sines at fixed ratios (ratio, level, seconds to -60 dB at middle C; 0 = as long as the key is held)."""

    kind: Literal["partials"]
    partials: tuple[tuple[float, float, float], ...]
    attack: float = 0.001
    release: float = 0.4
    strike: float = 0.0
    strike_s: float = 0.02
    brightness: float = 0.5
    tremolo: float = 0.0
    tremolo_hz: float = 5.0
    vibrato_cents: float = 0.0
    drive: float = 0.0

    @property
    def release_s(self) -> float:
        return self.release

    def sound(self, notes: Notes) -> Tensor:
        """-> [B, 2, length]"""
        times, hertz = notes.times, notes.hertz
        mono = torch.zeros(len(hertz), notes.length, device=hertz.device)
        bend = None
        if self.vibrato_cents:
            depth = self.vibrato_cents * math.log(2) / 1200.0 / (2 * math.pi * self.tremolo_hz)
            turning = 1 - torch.cos(2 * math.pi * self.tremolo_hz * times)
            bend = notes.draw(hertz[:, None].float() * depth * turning)
        for number, (ratio, level, decay) in enumerate(self.partials):
            own = hertz * ratio
            soft = (1 - notes.velocity) * self.brightness * (0.0 if number == 0 else 1.0)
            gain = level * torch.exp(-soft * math.log(max(ratio, 1.0) + 1)) * (own < 18000.0)
            curve = gain[:, None].float().expand(-1, len(times))
            if decay > 0:
                faster = torch.exp2((notes.pitch[:, None] - 60.0) / 18.0)
                curve = curve * torch.exp(-6.9 / decay * faster * times)
            shifted = None if bend is None else bend * ratio
            fixed = oscillator.phase(own, notes.chance[:, number % 16] * (decay == 0), notes.length, shifted)
            mono.addcmul_(notes.draw(curve), oscillator.cycles(fixed).mul_(2 * math.pi).sin_())
        if self.strike > 0:
            mono += self.strike * notes.hiss(20) * notes.draw(torch.exp(-6.9 / self.strike_s * times)[None])
        envelope = Adsr(self.attack, 1.0, 1.0, self.release).curve(notes)
        if self.tremolo > 0:
            envelope = envelope * (1 - self.tremolo * (0.5 + 0.5 * torch.sin(2 * math.pi * self.tremolo_hz * times)))
        return (soft_clip(mono, self.drive) * notes.draw(envelope))[:, None]


class PluckedString(_Data):
    """A stiff damped string in the frequency domain: the closed form of a Karplus-Strong loop.

    `ring_s` is the time to -60 dB of the lowest partial at middle C, `damping_hz` the frequency where the loss
    doubles, `pick` the place of the pick (0 … 0.5 of the string), `stiffness` the inharmonicity coefficient B.
    """

    kind: Literal["string"]
    ring_s: float = 4.0
    damping_hz: float = 3000.0
    pick: float = 0.13
    bright_hz: float = 3500.0
    stiffness: float = 0.0
    strings: int = 1
    detune_cents: float = 0.0
    release: float = 0.12
    body: tuple[tuple[float, float, float], ...] = ()
    drive: float = 0.0
    width: float = 0.0

    @property
    def release_s(self) -> float:
        return self.release

    def sound(self, notes: Notes) -> Tensor:
        """-> [B, 2, length]"""
        size = next_fast_len(notes.length + SAMPLE_RATE // 4, real=True)
        hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=notes.pitch.device)[None]
        # Solved a little outside the unit circle (the sound times exp(-rate t)), so that what rings beyond the
        # end of the transform folds back 50 dB down; undone below.
        rate = 5.8 / (size / SAMPLE_RATE)
        left = torch.zeros(len(notes.pitch), hertz.shape[1], dtype=torch.complex64, device=hertz.device)
        right = torch.zeros_like(left)
        blow = self._blow(notes, hertz, size)
        for string in range(self.strings):
            place = (2 * string / (self.strings - 1) - 1) if self.strings > 1 else 0.0
            tuned = notes.hertz.float() * 2 ** (place * self.detune_cents / 1200)
            loop = self._loop(notes, hertz, tuned[:, None], rate)
            voice = blow / (1 - loop)
            left += voice * (1 - self.width * place)
            right += voice * (1 + self.width * place)
        both = torch.stack([left, right], 1) * self._colour(hertz)[:, None]
        sound = samples(both, size, notes.length)
        times = notes.times
        envelope = Adsr(0.0005, 1.0, 1.0, self.release).curve(notes) * torch.exp(rate * times)
        return soft_clip(sound / self.strings, self.drive) * notes.draw(envelope)[:, None]

    def _blow(self, notes: Notes, hertz: Tensor, size: int) -> Tensor:
        """Spectrum of the pick: a short burst, softer when played softly, with the comb of its place."""
        period = 1 / notes.hertz.float()[:, None]
        bright = self.bright_hz * torch.exp2(2.0 * (notes.velocity[:, None] - 0.75)) + notes.hertz.float()[:, None]
        slope = 1 / (1 + (hertz / bright) ** 2)
        comb = 1 - torch.polar(torch.ones_like(period * hertz), -2 * math.pi * hertz * self.pick * period)
        grain = 0.25 / 22.6 * torch.fft.rfft(notes.hiss(20)[:, :512], n=size)  # a short noise of unit spectrum, quieter
        scale = (SAMPLE_RATE / notes.hertz.float()[:, None] / 100.0) ** 0.5
        blow: Tensor = slope * comb * (1 + grain) * scale
        return blow

    def _loop(self, notes: Notes, hertz: Tensor, tuned: Tensor, rate: float) -> Tensor:
        """Once around the string: loss and delay for every frequency."""
        ring = self.ring_s * torch.exp2((60.0 - notes.pitch[:, None]) / 18.0)
        loss = 6.9 / ring * (1 + (hertz / self.damping_hz) ** 2)
        ratio = hertz / tuned
        if self.stiffness > 0:  # partial k lies at k f0 sqrt(1 + B k²); solved for k, with partial 1 on pitch
            b = self.stiffness
            squared = ratio**2 * (1 + b)
            turns = torch.sqrt(2 * squared / (1 + torch.sqrt(1 + 4 * b * squared)))
        else:
            turns = ratio
        return torch.polar(torch.exp(-(loss + rate) / tuned), -2 * math.pi * (turns % 1.0))

    def _colour(self, hertz: Tensor) -> Tensor:
        response = torch.ones_like(hertz, dtype=torch.complex64)
        safe = hertz.clamp(min=1.0)
        for centre, quality, gain_db in self.body:
            response = response + (10 ** (gain_db / 20) - 1) / (1 + 1j * quality * (safe / centre - centre / safe))
        return response * (hertz / (hertz + 25.0))
