"""What every synthesiser voice is given: a batch of notes of similar length, and shared noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generator.render import envelope
from generator.render.oscillator import pitch_hz


@dataclass(frozen=True, slots=True)
class Notes:
    """A batch of B notes to sound for `length` samples each.

    `pitch` [B] MIDI; `velocity` [B] in (0, 1]; `off_s` [B] seconds until the key is let go;
    `chance` [B, 24] fixed random numbers in [0, 1); `noise` [N] white noise of unit variance to cut from.
    """

    pitch: Tensor
    velocity: Tensor
    off_s: Tensor
    length: int
    chance: Tensor
    noise: Tensor

    @property
    def hertz(self) -> Tensor:
        return pitch_hz(self.pitch)

    @property
    def times(self) -> Tensor:
        """Control times in seconds [T]."""
        return envelope.points(self.length, self.pitch.device)

    def hiss(self, column: int) -> Tensor:
        """White noise [B, length], cut at a place given by `chance[:, column]`."""
        rows = [
            self.noise[start : start + self.length]
            for start in (self.chance[:, column] * (len(self.noise) - self.length)).long().tolist()
        ]
        return torch.stack(rows)

    def draw(self, curve: Tensor) -> Tensor:
        """A control curve [..., T] at sample rate [..., length]."""
        return envelope.draw(curve, self.length)


@dataclass(frozen=True, slots=True)
class Adsr:
    """Attack, decay and release in seconds (the last two to -60 dB), sustain in [0, 1]."""

    attack: float
    decay: float
    sustain: float
    release: float

    def curve(self, notes: Notes) -> Tensor:
        """Gain at control times [B, T]."""
        times = notes.times
        held = self.sustain + (1 - self.sustain) * torch.exp(-6.9 / self.decay * (times - self.attack).clamp(min=0.0))
        rise = (times / self.attack).clamp(max=1.0)
        rise = rise * (2 - rise)  # rounded at the top, as a charging capacitor
        let_go = torch.exp(-6.9 / self.release * (times - notes.off_s[:, None]).clamp(min=0.0))
        return rise * held * let_go


def soft_clip(sound: Tensor, drive: float) -> Tensor:
    """Saturate; 0 leaves the sound alone, 1 is strong. The level of quiet sounds is kept."""
    if drive <= 0:
        return sound
    push = 1.0 + 4.0 * drive
    return (sound * push).tanh_().mul_((1 + drive) / push)
