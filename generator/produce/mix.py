"""From stems to a mix: levels, places, rooms, side-chain, lo-fi, ending.

Every stem comes out finished, with its own share of room and echo, so that the stems sum to the bus. What is not
linear on the sum belongs to `master`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from generator.measure.loudness import SILENCE_LUFS, integrated_lufs
from generator.produce import effects
from generator.produce.settings import Channel, Master
from generator.render.filters import samples
from generator.render.timing import SAMPLE_RATE
from generator.render.vinyl import record_noise

CRACKLE = "crackle"
_SILENT_LUFS = -70.0
_DUCK_STEP = 64
_HEADROOM_PEAK = 0.95


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix before mastering: `bus` [2, n], `stems` by name [2, n] that sum to it, and the names without sound."""

    bus: Tensor
    stems: dict[str, Tensor]
    silent: tuple[str, ...]


def mix(
    stems: Mapping[str, Tensor],
    roles: Mapping[str, str],
    channels: Mapping[str, Channel],
    master: Master,
    *,
    seed: int,
    tempo_bpm: float = 100.0,
) -> Mix:
    """Mix stems [2, n] by the channel of their role (the default channel where a role has none).

    `tempo_bpm` times the echoes. The result is as long as the stems and ends with a fade of `master.fade_out_s`.
    """
    silent = tuple(name for name, stem in stems.items() if float(stem.abs().max()) < 1e-5)
    sounding = {name: stem for name, stem in stems.items() if name not in silent}
    if not sounding:
        return Mix(next(iter(stems.values())).clone(), dict(stems), silent)
    length = next(iter(sounding.values())).shape[-1]
    device = next(iter(sounding.values())).device
    drums = [stem for name, stem in sounding.items() if roles.get(name) == "drums"]
    duck = _ducking(torch.stack(drums).sum(0)) if drums else None
    hall = _Room(master, length, seed, device)
    wow = effects.Late(effects.wow_delay(length, master.wow, seed, device)) if master.wow > 0 else None
    done: dict[str, Tensor] = {}
    for name, stem in sounding.items():
        channel = channels.get(roles.get(name, ""), Channel())
        dry = _strip(stem, channel, master, None if roles.get(name) == "drums" else duck, seed)
        wet = dry + hall.sound(dry, channel.reverb)
        if channel.delay > 0:
            wet += 0.6 * channel.delay * effects.echo(dry, master.delay_beats * 60.0 / tempo_bpm, master.delay_feedback)
        done[name] = wow(wet) if wow is not None else wet
    if master.crackle > 0:
        done[CRACKLE] = _crackle(length, master, seed, device)
    ending = _ending(length, master.fade_out_s, device)
    bus = torch.zeros(2, length, device=device)
    for stem in done.values():  # in place: all stems of a long piece once more would be gigabytes
        stem.mul_(ending)
        bus += stem
    done |= {name: torch.zeros(2, length, device=device) for name in silent}
    _make_headroom((bus, *done.values()))
    return Mix(bus, done, silent)


def _make_headroom(sounds: Sequence[Tensor]) -> None:
    """Turn bus and stems down together where any would clip in a file; mastering sets the loudness anyway."""
    peak = max(float(sound.abs().max()) for sound in sounds)
    if peak > _HEADROOM_PEAK:
        for sound in sounds:
            sound.mul_(_HEADROOM_PEAK / peak)


def _strip(stem: Tensor, channel: Channel, master: Master, duck: Tensor | None, seed: int) -> Tensor:
    """The channel strip up to the fader."""
    sound = effects.saturate(stem, channel.saturation) if channel.saturation > 0 else stem
    if channel.chorus > 0:
        sound = effects.chorus(sound, channel.chorus)
    sound = effects.shape(
        sound,
        highpass_hz=channel.highpass_hz,
        lowpass_hz=(channel.lowpass_hz, master.lowpass_hz),
        width=channel.width,
        pan=channel.pan,
        mono_below_hz=master.mono_below_hz,
        seed=seed,
    )
    loudness = integrated_lufs(sound, SAMPLE_RATE)
    if loudness > max(_SILENT_LUFS, SILENCE_LUFS):
        sound = sound * 10 ** ((channel.level_lufs - loudness) / 20)
    else:  # a few soft hits are below the loudness gate: level them by their peak instead
        sound = sound * (10 ** ((channel.level_lufs + 12) / 20) / max(float(sound.abs().max()), 1e-9))
    if duck is not None and channel.sidechain > 0:
        sound = sound * 10 ** (-12.0 * channel.sidechain / 20 * duck)
    return sound


class _Room:
    """The shared room, its spectrum computed once."""

    def __init__(self, master: Master, length: int, seed: int, device: torch.device) -> None:
        answer = effects.room(master.reverb_s, master.reverb_brightness, master.reverb_predelay_ms, seed, device)
        self._size = next_fast_len(length + answer.shape[1], real=True)
        self._answer = torch.fft.rfft(answer, n=self._size)

    def sound(self, dry: Tensor, amount: float) -> Tensor:
        """What the room adds to a stem; each side hears some of the other."""
        if amount <= 0:
            return torch.zeros_like(dry)
        sent = 0.75 * dry + 0.25 * dry.flip(0)
        wet = samples(torch.fft.rfft(sent, n=self._size) * self._answer, self._size, dry.shape[1])
        return 0.7 * amount * wet


def _ducking(drums: Tensor) -> Tensor:
    """How far the kick pushes other parts down at each sample, 0 … 1: down in 6 ms, back within 260 ms.

    Kicks are found as jumps of the level below 110 Hz; a fixed shape follows each, so that the pump is even.
    """
    length = drums.shape[-1]
    parts, hertz, size = effects.spectrum(drums.mean(0, keepdim=True))
    low = samples(parts * effects.lowpass(hertz, 90.0) ** 2, size, length)[0]
    padded = torch.nn.functional.pad(low, (0, -length % _DUCK_STEP))
    level = padded.view(-1, _DUCK_STEP).abs().amax(1).cpu().numpy()
    curve = torch.zeros(len(level) + 1, dtype=torch.float32)
    times = torch.arange(round(0.3 * SAMPLE_RATE / _DUCK_STEP)) * (_DUCK_STEP / SAMPLE_RATE)
    back = 0.5 + 0.5 * torch.cos(math.pi * ((times - 0.04) / 0.22).clamp(0.0, 1.0))
    form = (times / 0.006).clamp(max=1.0) * back
    threshold, wait, last = 0.4 * float(level.max()), round(0.11 * SAMPLE_RATE / _DUCK_STEP), -10_000
    for block in range(1, len(level)):
        if level[block] >= threshold > level[block - 1] and block - last > wait:
            last = block
            span = curve[max(block - 1, 0) : block - 1 + len(form)]
            torch.maximum(span, form[: len(span)], out=span)
    curve = curve.to(drums.device)
    ramp = torch.arange(_DUCK_STEP, device=drums.device) / _DUCK_STEP
    return (curve[:-1, None] + curve.diff()[:, None] * ramp).flatten()[:length]


def _crackle(length: int, master: Master, seed: int, device: torch.device) -> Tensor:
    noise = record_noise(length, seed=seed, name="crackle", device=device)
    level = -54.0 + 18.0 * master.crackle
    return noise * 10 ** ((level - integrated_lufs(noise, SAMPLE_RATE)) / 20)


def _ending(length: int, fade_s: float, device: torch.device) -> Tensor:
    """Gain [length] that closes the piece with a rounded fade to silence."""
    fade = min(max(round(fade_s * SAMPLE_RATE), SAMPLE_RATE // 20), length)
    gain = torch.ones(length, device=device)
    gain[length - fade :] = 0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, fade, device=device))
    return gain
