"""The channel strip of a stem: cuts, equaliser, width, place, level, compressor, side-chain.

A stem is measured first (`probe`): what the other stems cover, and how wide it is, is only known when all are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from generator import blocks
from generator.measure.loudness import SILENCE_LUFS, nearly_lufs
from generator.produce import bands, dynamics, effects
from generator.produce.settings import Channel, Master
from generator.render.timing import SAMPLE_RATE

_SILENT_LUFS = -70.0
_WIDEST = 0.43
"""Largest ratio of side to mid energy of a stem: beyond it a mono loudspeaker loses the sound; the sides stay
correlated by about 0.4."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a stem is behind its cuts: power of each third octave in dB of the whole [COUNT], and how much the side has
    to be narrowed."""

    bands_db: Tensor
    narrow: float


class Strip:
    """The strip of one channel: its responses, computed once. `give_way` are gains per third octave, in dB [COUNT]."""

    def __init__(self, channel: Channel, master: Master, seed: int, device: torch.device) -> None:
        self._channel = channel
        self._hertz = blocks.frequencies(SAMPLE_RATE, device)
        self._colour = 0.5 * _colour(channel, master, self._hertz)
        spread = 0.6 * (channel.width - 1)
        self._spread = spread * effects.decorrelator(self._hertz, seed) if spread > 0 else None
        # Without phase: the side must still fit the middle.
        low = effects.highpass(self._hertz, master.mono_below_hz) if master.mono_below_hz > 0 else None
        self._above = low.abs().square() if low is not None else None

    def driven(self, stem: Tensor) -> Tensor:
        """What bends the sound and comes before everything else; `stem` is used up."""
        if self._channel.saturation > 0:
            stem = effects.saturate(stem, self._channel.saturation, into=stem)
        return effects.chorus(stem, self._channel.chorus) if self._channel.chorus > 0 else stem

    def probe(self, sound: Tensor) -> Probe:
        """Measure a stem [2, n] by stretches from all of it."""
        power = torch.zeros(2, len(self._hertz), dtype=torch.float64, device=sound.device)
        for spectra in blocks.sampled(sound):
            for row, part in enumerate(self._middle_and_side(spectra)):
                power[row] += blocks.power(part)
        middle, side = power.sum(1).tolist()
        excess = max(side / max(middle, 1e-20) / _WIDEST, 1.0)
        levels = bands.levels(power.sum(0), self._hertz)
        whole = 10 * math.log10(max(middle + side, 1e-20))
        return Probe(levels - whole, 1 / math.sqrt(excess))

    def shaped(self, sound: Tensor, narrow: float, give_way: Tensor | None = None) -> Tensor:
        """Equalise, widen and place a driven stem in one pass through its spectra, in place. -> [2, n]"""
        angle = (self._channel.pan + 1) * math.pi / 4
        gains = math.cos(angle) * math.sqrt(2), math.sin(angle) * math.sqrt(2)
        relief = bands.response(give_way, self._hertz) if give_way is not None else None

        def place(spectra: Tensor) -> Tensor:
            middle, side = self._middle_and_side(spectra)
            side = side * narrow
            left, right = (middle + side).mul_(gains[0]), (middle - side).mul_(gains[1])
            if self._above is not None:
                middle, rest = (left + right).mul_(0.5), (left - right).mul_(0.5)
                rest.mul_(self._above)
                left, right = middle + rest, middle - rest
            placed = torch.stack([left, right])
            return placed if relief is None else placed.mul_(relief)

        # All of it is linear: what becomes of each side alone says what becomes of any sound, in four products.
        sides = torch.eye(2, dtype=torch.complex64, device=sound.device)[..., None].expand(2, 2, len(self._hertz))
        answer = place(sides)  # [out, in, bins]

        def mixed(spectra: Tensor) -> Tensor:
            left = torch.addcmul(spectra[0] * answer[0, 0], spectra[1], answer[0, 1])
            right = torch.addcmul(spectra[0] * answer[1, 0], spectra[1], answer[1, 1])
            return torch.stack([left, right])

        return blocks.filtered(sound, mixed, into=sound)

    def levelled(self, sound: Tensor) -> float | None:
        """Compress a shaped stem and bring it to its loudness, in place. -> LUFS, where it could be measured"""
        channel = self._channel
        if channel.compression > 0:
            dynamics.compress(sound, dynamics.channel(channel.compression))
        loudness = nearly_lufs(sound, SAMPLE_RATE)
        if loudness > max(_SILENT_LUFS, SILENCE_LUFS):
            sound *= 10 ** ((channel.level_lufs - loudness) / 20)
            return channel.level_lufs
        # A few soft hits are below the loudness gate: level them by their peak instead.
        sound *= 10 ** ((channel.level_lufs + 12) / 20) / max(blocks.peak(sound), 1e-9)
        return None

    def duck(self, sound: Tensor, gain: Tensor) -> bool:
        """Let the kick through, in place; whether the channel does so at all. `gain` is what `effects.ducking` says."""
        amount = self._channel.sidechain
        if amount > 0:
            dynamics.apply_gain(sound, -12.0 * amount * gain, effects.DUCK_STEP, sound.shape[-1])
        return amount > 0

    def _middle_and_side(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        middle = (spectra[0] + spectra[1]).mul_(self._colour)
        side = (spectra[0] - spectra[1]).mul_(self._colour).mul_(self._channel.width)
        if self._spread is not None:
            side.addcmul_(middle, self._spread)
        return middle, side


def _colour(channel: Channel, master: Master, hertz: Tensor) -> Tensor:
    """Cuts and equaliser of a channel, with the bandwidth of the whole mix."""
    colour = effects.highpass(hertz, channel.highpass_hz)
    for cutoff in (channel.lowpass_hz, master.lowpass_hz):
        if cutoff < 20000:
            colour = colour * effects.lowpass(hertz, cutoff)
    for shelf_hz, gain_db, high in ((_LOW_SHELF_HZ, channel.low_db, False), (_HIGH_SHELF_HZ, channel.high_db, True)):
        if gain_db:
            colour = colour * effects.shelf(hertz, shelf_hz, gain_db, high=high)
    return colour * effects.bell(hertz, channel.mid_hz, channel.mid_db) if channel.mid_db else colour


_LOW_SHELF_HZ, _HIGH_SHELF_HZ = 150.0, 5000.0
