"""Effects on whole stems [2, n]: equalising, width, chorus, wow, saturation, echo, room. Each is one plain function.

All but `saturate` are linear, so stems may be treated one by one and still sum to the treated mix.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from generator.render.filters import samples
from generator.render.timing import SAMPLE_RATE
from generator.seeds import stream

_WIDEST = 0.43
"""Largest ratio of side to mid energy of a stem."""


def spectrum(audio: Tensor, ring: int = 8192) -> tuple[Tensor, Tensor, int]:
    """Padded spectrum [2, bins] with room for `ring` samples, its frequencies in Hz [bins], and the padded length."""
    size = next_fast_len(audio.shape[-1] + ring, real=True)
    return torch.fft.rfft(audio, n=size), torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=audio.device), size


def highpass(hertz: Tensor, cutoff: float) -> Tensor:
    """Response of a second-order Butterworth high-pass."""
    x = hertz / cutoff
    return -(x * x) / torch.complex(1 - x * x, math.sqrt(2) * x)


def lowpass(hertz: Tensor, cutoff: float) -> Tensor:
    """Response of a second-order Butterworth low-pass."""
    x = hertz / cutoff
    return 1 / torch.complex(1 - x * x, math.sqrt(2) * x)


def shape(
    audio: Tensor,
    *,
    highpass_hz: float,
    lowpass_hz: tuple[float, ...],
    width: float,
    pan: float,
    mono_below_hz: float,
    seed: int,
) -> Tensor:
    """Equalise, widen and place a stem in one pass through the spectrum.

    `width` above 1 also spreads a mono sound: a decorrelated copy of the middle joins the side.
    """
    parts, hertz, size = spectrum(audio)
    colour = highpass(hertz, highpass_hz)
    for cutoff in lowpass_hz:
        if cutoff < 20000:
            colour = colour * lowpass(hertz, cutoff)
    mid = (parts[0] + parts[1]) * 0.5 * colour
    side = (parts[0] - parts[1]) * 0.5 * colour * width
    if width > 1:
        side = side + mid * _decorrelator(size, hertz, seed) * (0.6 * (width - 1))
    # Wider than this, and a mono loudspeaker loses the sound: the sides stay correlated by about 0.4.
    excess = (side.abs().pow(2).sum() / mid.abs().pow(2).sum().clamp(min=1e-20) / _WIDEST).clamp(min=1.0)
    side = side / excess.sqrt()
    angle = (pan + 1) * math.pi / 4
    left = (mid + side) * (math.cos(angle) * math.sqrt(2))
    right = (mid - side) * (math.sin(angle) * math.sqrt(2))
    if mono_below_hz > 0:
        middle, rest = (left + right) * 0.5, (left - right) * 0.5
        rest = rest * highpass(hertz, mono_below_hz).abs() ** 2  # without phase: the side must still fit the middle
        left, right = middle + rest, middle - rest
    return samples(torch.stack([left, right]), size, audio.shape[-1])


def _decorrelator(size: int, hertz: Tensor, seed: int) -> Tensor:
    """Response of 18 ms of fading noise, nothing below 300 Hz, unit energy."""
    count = int(0.018 * SAMPLE_RATE)
    noise = stream(seed, "width").standard_normal(count) * np.exp(-3.0 * np.arange(count) / count)
    noise /= np.sqrt((noise**2).sum())
    response = torch.fft.rfft(torch.from_numpy(noise.astype(np.float32)).to(hertz.device), n=size)
    spread: Tensor = response * highpass(hertz, 300.0)
    return spread


def saturate(audio: Tensor, amount: float) -> Tensor:
    """Tape-like saturation, even and odd harmonics, driven relative to the sound's own level."""
    loud = float(audio.pow(2).mean().sqrt())
    if loud < 1e-7:
        return audio
    push = (0.15 + 1.1 * amount) / (4 * loud)
    bias = 0.25 * amount
    driven = torch.tanh(audio * push + bias) - math.tanh(bias)
    return driven / push


class Late:
    """Reads sounds [2, n] late by a delay [n] in samples (0 or more) that may move: chorus, wow.

    Cubic (Catmull-Rom) interpolation; the weights are computed once and serve every stem.
    """

    def __init__(self, delay: Tensor) -> None:
        length = len(delay)
        back = delay.ceil()
        t = back - delay
        at = torch.arange(2, length + 2, device=delay.device, dtype=torch.int32) - back.int()
        alive = (at > 1).float()
        self._at = at.clamp_(1, length + 2)
        square, cube = t * t, t * t * t
        self._weights = (
            0.5 * (2 * square - cube - t) * alive,
            0.5 * (3 * cube - 5 * square + 2) * alive,
            0.5 * (4 * square - 3 * cube + t) * alive,
            0.5 * (cube - square) * alive,
        )

    def __call__(self, audio: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(audio, (2, 4))
        out = torch.zeros_like(audio)
        for shift, weight in zip((-1, 0, 1, 2), self._weights, strict=True):
            out.addcmul_(padded.index_select(1, self._at + shift), weight)
        return out


def chorus(audio: Tensor, amount: float) -> Tensor:
    """Two slow voices on each side beside the dry sound."""
    times = torch.arange(audio.shape[-1], device=audio.device, dtype=torch.float32) / SAMPLE_RATE
    wet = torch.zeros_like(audio)
    for rate, base_ms, turn, gains in ((0.53, 11.0, 0.0, (1.0, 0.35)), (0.71, 15.5, 0.4, (0.35, 1.0))):
        swing = torch.sin(2 * math.pi * (rate * times + turn))
        voice = Late((base_ms + 2.6 * swing) * (SAMPLE_RATE / 1000))(audio)
        wet += voice * torch.tensor(gains, device=audio.device)[:, None]
    return (audio + 0.7 * amount * wet) / math.sqrt(1 + 0.7 * amount)


def wow_delay(length: int, amount: float, seed: int, device: torch.device) -> Tensor:
    """Delay in samples [n] of a worn tape machine: slow wow and a trace of flutter."""
    times = torch.arange(length, device=device, dtype=torch.float32) / SAMPLE_RATE
    turns = stream(seed, "wow").random(3)
    cents_to_speed = math.log(2) / 1200.0
    delay = torch.zeros(length, device=device)
    for (rate, cents), turn in zip(((0.45, 16.0), (0.83, 8.0), (6.3, 1.6)), turns, strict=True):
        depth = amount * cents * cents_to_speed / (2 * math.pi * rate) * SAMPLE_RATE
        delay += depth * (1 + torch.sin(2 * math.pi * (rate * times + float(turn))))
    return delay


def echo(audio: Tensor, seconds: float, feedback: float) -> Tensor:
    """Ping-pong repeats of a stem, each duller than the sound itself; without the dry sound."""
    parts, hertz, size = spectrum(audio)
    source = samples(parts * (highpass(hertz, 220.0) * lowpass(hertz, 3600.0)), size, audio.shape[-1])
    step = max(round(seconds * SAMPLE_RATE), 1)
    out = torch.zeros_like(audio)
    level = 1.0
    middle = source.mean(0)
    for repeat in range(1, 9):
        at = repeat * step
        if at >= audio.shape[-1] or level < 0.02:
            break
        near, far = (0, 1) if repeat % 2 else (1, 0)
        out[near, at:] += level * 0.9 * middle[:-at]
        out[far, at:] += level * 0.3 * middle[:-at]
        level *= feedback
    return out


def room(seconds: float, brightness: float, predelay_ms: float, seed: int, device: torch.device) -> Tensor:
    """A synthetic room [2, m]: fading noise, high bands fading sooner, after a few early reflections; unit energy."""
    random = stream(seed, "room")
    count = int((seconds * 1.15 + 0.05) * SAMPLE_RATE)
    times = np.arange(count) / SAMPLE_RATE
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    noise = np.fft.rfft(random.standard_normal((2, count)))
    edges = (0.0, 350.0, 1200.0, 3500.0, 8000.0, 22050.0)
    high_loss = 0.75 - 0.55 * brightness
    response = np.zeros((2, count))
    for band, (low, high) in enumerate(pairwise(edges)):
        mask = 1 / (1 + (low / np.maximum(hertz, 1.0)) ** 8) / (1 + (hertz / high) ** 8)
        fall = seconds * (1 - high_loss) ** (band / 2.0) * (0.85 if band == 0 else 1.0)
        level = (1.0 - 0.45 * (1 - brightness)) ** band
        response += level * np.fft.irfft(noise * mask, n=count) * np.exp(-6.9 * times / fall)
    response *= np.minimum(times / (0.004 + 0.01 * seconds), 1.0)  # the sound of a room builds up
    early = np.zeros((2, count))
    for side in range(2):
        at = (random.uniform(0.005, 0.045, 7) * SAMPLE_RATE * (0.6 + 0.3 * seconds)).astype(int).clip(0, count - 1)
        early[side, at] += random.choice([-1.0, 1.0], 7) * np.linspace(1.0, 0.4, 7)
    response += early * (0.35 * np.sqrt((response**2).sum(1, keepdims=True) / 7))
    pre = int(predelay_ms / 1000 * SAMPLE_RATE)
    response = np.pad(response, ((0, 0), (pre, 0)))
    spectrum_ = np.fft.rfft(response)
    low_cut = np.fft.rfftfreq(response.shape[1], 1 / SAMPLE_RATE)
    spectrum_ *= (low_cut / 180.0) ** 2 / np.sqrt(1 + (low_cut / 180.0) ** 4)  # a wet low end only muddies
    response = np.fft.irfft(spectrum_, n=response.shape[1])
    response /= np.sqrt((response**2).sum(1, keepdims=True))
    return torch.from_numpy(response.astype(np.float32)).to(device)
