"""Synthesised percussion: each sound is a few falling tones, noises and metal clusters, described in `kits.toml`.

A kit maps General MIDI percussion pitches to sounds; what it does not have is played by the nearest it has.
"""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib.resources import files

import torch
from pydantic import BaseModel, ConfigDict
from scipy.fft import next_fast_len
from torch import Tensor

from generator.render.filters import samples
from generator.render.notes import Notes, soft_clip
from generator.render.timing import SAMPLE_RATE

CHOKED_BY = {"open_hat": ("closed_hat", "pedal_hat")}


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tone(_Data):
    """A sine falling by `drop` octaves with time constant `drop_s` to `hz`; `decay` is seconds to -60 dB."""

    hz: float
    drop: float = 0.0
    drop_s: float = 0.03
    decay: float = 0.3
    level: float = 1.0
    attack: float = 0.0005


class Hiss(_Data):
    """Noise between `low` and `high` Hz; `bursts` repeats its attack every `gap` seconds (claps)."""

    low: float
    high: float = 18000.0
    decay: float = 0.2
    level: float = 1.0
    attack: float = 0.0005
    bursts: int = 1
    gap: float = 0.011


class Metal(_Data):
    """A cluster of inharmonic partials from `low` to `high` Hz, the high ones dying first."""

    low: float
    high: float = 14000.0
    decay: float = 0.5
    level: float = 1.0
    count: int = 40


class Sound(_Data):
    """One percussion sound. `pan` -1 … 1 as seen from the audience; `drive` in [0, 1]; `lowpass` in Hz."""

    tones: tuple[Tone, ...] = ()
    hisses: tuple[Hiss, ...] = ()
    metals: tuple[Metal, ...] = ()
    drive: float = 0.0
    lowpass: float = 20000.0
    level: float = 1.0
    pan: float = 0.0

    @property
    def length_s(self) -> float:
        decays = [part.decay for parts in (self.tones, self.hisses, self.metals) for part in parts]
        return max(decays) * 1.15 + 0.03

    def sound(self, notes: Notes) -> Tensor:
        """-> [B, 2, length]"""
        times = notes.times
        mid = torch.zeros(len(notes.pitch), notes.length, device=times.device)
        for tone in self.tones:
            mid += _tone(tone, times, notes)
        side = torch.zeros_like(mid)
        for number, hiss in enumerate(self.hisses):
            curve = notes.draw(_noise_curve(hiss, times, notes.velocity))
            mid += _band(notes.hiss(number), hiss.low, hiss.high) * curve
            side += 0.35 * _band(notes.hiss(number + 4), hiss.low, hiss.high) * curve
        for metal in self.metals:
            first, second = _metal(metal, notes)
            mid += first
            side += 0.5 * second
        # A soft hit is duller, not only quieter.
        cutoff = self.lowpass * torch.exp2(1.5 * (notes.velocity - 1.0))
        sides = torch.stack([mid + side, mid - side], 1)
        sides = soft_clip(_darken(sides, cutoff), self.drive)
        angle = (self.pan + 1) * math.pi / 4
        pan = torch.tensor([math.cos(angle), math.sin(angle)], device=times.device) * math.sqrt(2)
        return sides * pan[None, :, None] * self.level


def _tone(tone: Tone, times: Tensor, notes: Notes) -> Tensor:
    reach = 2.0**tone.drop - 1
    tuned = tone.hz * (1 + 0.012 * (notes.chance[:, 8:9] - 0.5))
    turns = tuned * (times + reach * tone.drop_s * (1 - torch.exp(-times / tone.drop_s)))
    curve = tone.level * torch.exp(-6.9 / tone.decay * times) * (times / tone.attack).clamp(max=1.0)
    return notes.draw(curve[None]) * torch.sin(2 * math.pi * notes.draw(turns))


def _noise_curve(hiss: Hiss, times: Tensor, velocity: Tensor) -> Tensor:
    """[B, T]; a soft stroke has a slower attack and a shorter tail."""
    decay = hiss.decay * (0.7 + 0.3 * velocity[:, None])
    curve = torch.zeros(len(velocity), len(times), device=times.device)
    for burst in range(hiss.bursts):
        since = times - burst * hiss.gap
        final = burst == hiss.bursts - 1
        fall = torch.exp(-6.9 / (decay if final else hiss.gap * 1.8) * since.clamp(min=0.0))
        rise = (since / hiss.attack).clamp(0.0, 1.0)
        curve = torch.maximum(curve, rise * fall)
    return hiss.level * curve


def _band(noise: Tensor, low: float, high: float) -> Tensor:
    """Noise [B, n] through a gentle band-pass (second order each side)."""
    size = next_fast_len(noise.shape[-1] + 2048, real=True)
    hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=noise.device)
    rising = 1j * hertz / low
    response = (rising / (1 + rising)) ** 2 / (1 + 1j * hertz / high) ** 2
    return samples(torch.fft.rfft(noise, n=size) * response, size, noise.shape[-1])


def _darken(sides: Tensor, cutoff: Tensor) -> Tensor:
    size = next_fast_len(sides.shape[-1] + 2048, real=True)
    hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=sides.device)
    response = 1 / (1 + 1j * hertz[None] / cutoff[:, None]) ** 2
    return samples(torch.fft.rfft(sides, n=size) * response[:, None], size, sides.shape[-1])


def _metal(metal: Metal, notes: Notes) -> tuple[Tensor, Tensor]:
    """Two decorrelated clusters of the same partials, written as one spectrum-shaped sum of damped sines.

    Every partial is a Lorentzian line, so the whole cluster costs one inverse transform. -> [B, n] twice
    """
    device = notes.pitch.device
    size = next_fast_len(notes.length + SAMPLE_RATE // 8, real=True)
    omega = 2j * math.pi * torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=device)[None]
    # Square-root-of-prime spacing is dense and inharmonic without being random: the same cymbal every time.
    k = torch.arange(metal.count, device=device, dtype=torch.float32)
    place = (k * 0.6180339887 + 0.13) % 1.0
    hertz = metal.low * (metal.high / metal.low) ** place
    damping = 6.9 / metal.decay * (0.6 + 0.8 * (hertz / metal.high))
    spectra = torch.zeros(2, len(notes.pitch), omega.shape[1], dtype=torch.complex64, device=device)
    turn = notes.chance[:, 10:11] + k[None] * 0.3819660113
    phase = 2 * math.pi * torch.stack([turn, turn + 0.25 * (k % 3)])
    turned = torch.polar(torch.ones_like(phase), phase)
    for number in range(metal.count):
        pole = damping[number] - 2j * math.pi * hertz[number]
        spectra.addcmul_(turned[..., number, None], 1 / (omega + pole))
    both = samples(spectra, size, notes.length) * (SAMPLE_RATE * 2 * metal.level / math.sqrt(metal.count))
    return both[0], both[1]


@cache
def kits() -> dict[str, dict[str, Sound]]:
    """Every kit of `kits.toml`; a kit may build `on` another and change some sounds."""
    raw = tomllib.loads(files(__package__).joinpath("kits.toml").read_text("utf-8"))
    loaded: dict[str, dict[str, Sound]] = {}
    for name, entries in raw.items():
        base = loaded[entries.pop("on")] if "on" in entries else {}
        loaded[name] = base | {piece: Sound(**entry) for piece, entry in entries.items()}
    return loaded
