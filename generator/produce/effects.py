"""Effects on whole stems [2, n]: filters, chorus, wow, saturation, echo, room, and where a kick makes others duck.

Each is one plain function. All but `saturate` are linear, so stems may be treated one by one and still sum to the
treated mix.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from generator import blocks
from generator.render.timing import SAMPLE_RATE
from generator.seeds import stream

STEP = 16
"""Samples between the points at which a moving delay is given."""
DUCK_STEP = 64


def highpass(hertz: Tensor, cutoff: float) -> Tensor:
    """Response of a second-order Butterworth high-pass."""
    x = hertz / cutoff
    return -(x * x) / torch.complex(1 - x * x, math.sqrt(2) * x)


def lowpass(hertz: Tensor, cutoff: float) -> Tensor:
    """Response of a second-order Butterworth low-pass."""
    x = hertz / cutoff
    return 1 / torch.complex(1 - x * x, math.sqrt(2) * x)


def shelf(hertz: Tensor, corner: float, gain_db: float, *, high: bool) -> Tensor:
    """Response of a second-order shelf that raises what lies above (or below) `corner` by `gain_db`."""
    x = hertz / corner if high else corner / hertz.clamp(min=1e-3)
    root = 10 ** (gain_db / 80)  # the poles and zeros lie apart by the square root of the gain
    up, down = x * root, x / root
    sign = 1.0 if high else -1.0
    top = torch.complex(1 - up * up, sign * math.sqrt(2) * up)
    return top / torch.complex(1 - down * down, sign * math.sqrt(2) * down)


def bell(hertz: Tensor, centre: float, gain_db: float, quality: float = 0.9) -> Tensor:
    """Response of a second-order bell of `gain_db` at `centre`."""
    x = hertz.clamp(min=1e-3) / centre
    off, root = quality * (x - 1 / x), 10 ** (gain_db / 40)
    return torch.complex(torch.full_like(x, root), off) / torch.complex(torch.full_like(x, 1 / root), off)


def decorrelator(hertz: Tensor, seed: int) -> Tensor:
    """Response at the bins of a block of 18 ms of fading noise, nothing below 300 Hz, unit energy."""
    count = int(0.018 * SAMPLE_RATE)
    noise = stream(seed, "width").standard_normal(count) * np.exp(-3.0 * np.arange(count) / count)
    noise /= np.sqrt((noise**2).sum())
    response = torch.fft.rfft(torch.from_numpy(noise.astype(np.float32)).to(hertz.device), n=blocks.SIZE)
    spread: Tensor = response * highpass(hertz, 300.0)
    return spread


def saturate(audio: Tensor, amount: float, into: Tensor | None = None) -> Tensor:
    """Tape-like saturation, even and odd harmonics, driven relative to the sound's own level. The result is new, or
    `into`, which may be `audio`."""
    loud = float(torch.linalg.vector_norm(audio)) / math.sqrt(max(audio.numel(), 1))
    if loud < 1e-7:
        return audio
    push = (0.15 + 1.1 * amount) / (4 * loud)
    bias = 0.25 * amount
    offset = math.tanh(bias)

    def driven(some: Tensor) -> Tensor:
        return (some * push).add_(bias).tanh_().sub_(offset).div_(push)

    return blocks.pointwise(audio, driven, into)


def late(audio: Tensor, delay: Tensor, gains: tuple[float, float] = (1.0, 1.0), into: Tensor | None = None) -> Tensor:
    """Sound [2, n] read late by a delay that may move, in samples (0 or more) at every `STEP` samples: chorus, wow.

    The result is new, or is added to `into`; `gains` are for left and right.

    Cubic (Catmull-Rom) interpolation, a stretch at a time.
    """
    length = audio.shape[-1]
    out = torch.zeros_like(audio) if into is None else into
    sides = torch.tensor(gains, device=audio.device)[:, None]
    ramp = torch.arange(STEP, device=audio.device) / STEP
    reach = math.ceil(float(delay.max())) + 2
    for at in range(0, length, blocks.SIZE):
        kept = min(blocks.SIZE, length - at)
        points = delay[at // STEP : (at + kept - 1) // STEP + 2]
        drawn = (points[:-1, None] + points.diff()[:, None] * ramp).flatten()[:kept]
        back = drawn.ceil()
        t = back - drawn
        begin, end = at - reach, min(at + kept + 2, length)
        near = torch.nn.functional.pad(audio[:, max(begin, 0) : end], (max(-begin, 0), at + kept + 2 - end))
        where = torch.arange(reach, reach + kept, device=audio.device) - back.long()
        square, cube = t * t, t * t * t
        weights = (2 * square - cube - t, 3 * cube - 5 * square + 2, 4 * square - 3 * cube + t, cube - square)
        sound = torch.zeros(len(audio), kept, device=audio.device, dtype=audio.dtype)
        for shift, weight in zip((-1, 0, 1, 2), weights, strict=True):
            sound.addcmul_(near.index_select(1, where + shift), weight, value=0.5)
        out[:, at : at + kept].addcmul_(sound, sides)
    return out


def chorus(audio: Tensor, amount: float) -> Tensor:
    """Two slow voices on each side beside the dry sound."""
    times = _steps(audio.shape[-1], audio.device)
    sound = audio.clone()
    for rate, base_ms, turn, gains in ((0.53, 11.0, 0.0, (1.0, 0.35)), (0.71, 15.5, 0.4, (0.35, 1.0))):
        swing = torch.sin(2 * math.pi * (rate * times + turn))
        left, right = (0.7 * amount * gain for gain in gains)
        late(audio, (base_ms + 2.6 * swing) * (SAMPLE_RATE / 1000), (left, right), into=sound)
    return sound.div_(math.sqrt(1 + 0.7 * amount))


def wow_delay(length: int, amount: float, seed: int, device: torch.device) -> Tensor:
    """Delay in samples, every `STEP` samples, of a worn tape machine: slow wow and a trace of flutter."""
    times = _steps(length, device)
    turns = stream(seed, "wow").random(3)
    cents_to_speed = math.log(2) / 1200.0
    delay = torch.zeros_like(times)
    for (rate, cents), turn in zip(((0.45, 16.0), (0.83, 8.0), (6.3, 1.6)), turns, strict=True):
        depth = amount * cents * cents_to_speed / (2 * math.pi * rate) * SAMPLE_RATE
        delay += depth * (1 + torch.sin(2 * math.pi * (rate * times + float(turn))))
    return delay


def _steps(length: int, device: torch.device) -> Tensor:
    """Times in seconds of the control points that cover a length; the last lies after the end."""
    return torch.arange(length // STEP + 2, device=device, dtype=torch.float32) * (STEP / SAMPLE_RATE)


def echo(sent: Tensor, seconds: float, feedback: float) -> Tensor:
    """Ping-pong repeats of a sound [1, n], each duller than the sound itself; without the dry sound. -> [2, n]

    `sent` is used up.
    """
    hertz = blocks.frequencies(SAMPLE_RATE, sent.device)
    colour = highpass(hertz, 220.0) * lowpass(hertz, 3600.0)
    middle = blocks.filtered(sent, lambda spectra: spectra.mul_(colour), into=sent)[0]
    step = max(round(seconds * SAMPLE_RATE), 1)
    out = middle.new_zeros(2, len(middle))
    level = 1.0
    for repeat in range(1, 9):
        at = repeat * step
        if at >= len(middle) or level < 0.02:
            break
        near, far = (0, 1) if repeat % 2 else (1, 0)
        out[near, at:].add_(middle[:-at], alpha=level * 0.9)
        out[far, at:].add_(middle[:-at], alpha=level * 0.3)
        level *= feedback
    return out


def ducking(drums: Tensor) -> Tensor:
    """How far the kick pushes other parts down, 0 … 1, at every `DUCK_STEP` samples: down in 6 ms, back within 260 ms.

    Kicks are found as jumps of the level below 110 Hz in drums [1, n]; a fixed shape follows each, so that the pump is
    even.
    """
    hertz = blocks.frequencies(SAMPLE_RATE, drums.device)
    response = lowpass(hertz, 90.0) ** 2
    low = blocks.filtered(drums, lambda spectra: spectra.mul_(response))[0]
    padded = torch.nn.functional.pad(low, (0, -len(low) % DUCK_STEP)).view(-1, DUCK_STEP)
    level = torch.maximum(padded.amax(1), -padded.amin(1)).cpu()
    times = torch.arange(round(0.3 * SAMPLE_RATE / DUCK_STEP)) * (DUCK_STEP / SAMPLE_RATE)
    back = 0.5 + 0.5 * torch.cos(math.pi * ((times - 0.04) / 0.22).clamp(0.0, 1.0))
    form = (times / 0.006).clamp(max=1.0) * back
    threshold, wait, last = 0.4 * float(level.max()), round(0.11 * SAMPLE_RATE / DUCK_STEP), -10_000
    curve = torch.zeros(len(level) + 1)
    for block in ((level[1:] >= threshold) & (level[:-1] < threshold)).nonzero().flatten().tolist():
        if block - last > wait:
            last = block
            span = curve[block : block + len(form)]
            torch.maximum(span, form[: len(span)], out=span)
    return curve.to(drums.device)


def room(seconds: float, brightness: float, predelay_ms: float, seed: int, device: torch.device) -> Tensor:
    """A synthetic room [2, m]: fading noise, high bands fading sooner, after a few early reflections; unit energy."""
    random = stream(seed, "room")
    count = int((seconds * 1.15 + 0.05) * SAMPLE_RATE)
    pre = int(predelay_ms / 1000 * SAMPLE_RATE)
    size = next_fast_len(pre + count, real=True)
    times = np.arange(count) / SAMPLE_RATE
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    noise = np.fft.rfft(random.standard_normal((2, count)), n=size)
    edges = (0.0, 350.0, 1200.0, 3500.0, 8000.0, 22050.0)
    high_loss = 0.75 - 0.55 * brightness
    response = np.zeros((2, count))
    for band, (low, high) in enumerate(pairwise(edges)):
        mask = 1 / (1 + (low / np.maximum(hertz, 1.0)) ** 8) / (1 + (hertz / high) ** 8)
        fall = seconds * (1 - high_loss) ** (band / 2.0) * (0.85 if band == 0 else 1.0)
        level = (1.0 - 0.45 * (1 - brightness)) ** band
        response += level * np.fft.irfft(noise * mask, n=size)[:, :count] * np.exp(-6.9 * times / fall)
    response *= np.minimum(times / (0.004 + 0.01 * seconds), 1.0)  # the sound of a room builds up
    early = np.zeros((2, count))
    for side in range(2):
        at = (random.uniform(0.005, 0.045, 7) * SAMPLE_RATE * (0.6 + 0.3 * seconds)).astype(int).clip(0, count - 1)
        early[side, at] += random.choice([-1.0, 1.0], 7) * np.linspace(1.0, 0.4, 7)
    response += early * (0.35 * np.sqrt((response**2).sum(1, keepdims=True) / 7))
    spectrum_ = np.fft.rfft(np.pad(response, ((0, 0), (pre, 0))), n=size)
    spectrum_ *= (hertz / 180.0) ** 2 / np.sqrt(1 + (hertz / 180.0) ** 4)  # a wet low end only muddies
    response = np.fft.irfft(spectrum_, n=size)[:, : pre + count]
    response /= np.sqrt((response**2).sum(1, keepdims=True))
    return torch.from_numpy(response.astype(np.float32)).to(device)
