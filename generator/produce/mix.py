"""From stems to a mix: levels, places, one room, side-chain, lo-fi, ending.

Stems come out dry, each as its channel strip leaves it; what room and echo add to all of them is a stem of its own, as
on a desk with one return. Together they sum to the bus. What is not linear on the sum belongs to `master`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from generator import blocks
from generator.measure.loudness import integrated_lufs
from generator.produce import effects
from generator.produce.masking import relief
from generator.produce.settings import Channel, Master
from generator.produce.strip import Probe, Strip
from generator.render.timing import SAMPLE_RATE
from generator.render.vinyl import record_noise

CRACKLE = "crackle"
ROOM = "room"
_SILENT_PEAK = 1e-5
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
    silent = tuple(name for name, stem in stems.items() if blocks.peak(stem) < _SILENT_PEAK)
    sounding = {name: stem for name, stem in stems.items() if name not in silent}
    if not sounding:
        return Mix(next(iter(stems.values())).clone(), dict(stems), silent)
    length, device = next(iter(stems.values())).shape[-1], next(iter(stems.values())).device
    used = {name: channels.get(roles.get(name, ""), Channel()) for name in sounding}
    done = _dry(sounding, roles, used, master, seed)
    returned = _returned(done, used, master, seed, tempo_bpm)
    if returned is not None:
        done[ROOM] = returned
    if master.wow > 0:
        delay = effects.wow_delay(length, master.wow, seed, device)
        for name, stem in done.items():
            done[name] = effects.late(stem, delay)
    if master.crackle > 0:
        done[CRACKLE] = _crackle(length, master, seed, device)
    bus = _summed(done.values(), master.fade_out_s)
    _make_headroom((bus, *done.values()))
    return Mix(bus, done | {name: torch.zeros(2, length, device=device) for name in silent}, silent)


def _dry(
    stems: Mapping[str, Tensor], roles: Mapping[str, str], channels: Mapping[str, Channel], master: Master, seed: int
) -> dict[str, Tensor]:
    """Every stem through its channel strip."""
    device = next(iter(stems.values())).device
    strips = {name: Strip(channel, master, seed, device) for name, channel in channels.items()}
    probes: dict[str, Probe] = {}
    for name, stem in stems.items():
        probes[name] = strips[name].probe(stem)
    ways = relief({name: probe.bands_db + channels[name].level_lufs for name, probe in probes.items()}, roles)
    drums = [stem.mean(0, keepdim=True) for name, stem in stems.items() if roles.get(name) == "drums"]
    pushed = any(channel.sidechain > 0 for channel in channels.values())
    duck = effects.ducking(torch.stack(drums).sum(0)) if drums and pushed else None
    done: dict[str, Tensor] = {}
    for name, stem in stems.items():
        strip = strips[name]
        sound = strip.shaped(strip.driven(stem), probes[name].narrow, ways.get(name))
        done[name] = strip.levelled(sound, None if roles.get(name) == "drums" else duck)
    return done


def _returned(
    done: Mapping[str, Tensor], channels: Mapping[str, Channel], master: Master, seed: int, tempo_bpm: float
) -> Tensor | None:
    """What the room and the echo make of all stems together; None where no channel sends anything."""
    wet: Tensor | None = None
    if any(channels[name].reverb > 0 for name in done):
        sent = _sent((stem, channels[name].reverb) for name, stem in done.items())
        sent = blocks.pointwise(sent, lambda some: 0.75 * some + 0.25 * some.flip(0))  # each side hears the other
        answer = effects.room(master.reverb_s, master.reverb_brightness, master.reverb_predelay_ms, seed, sent.device)
        wet = blocks.convolved(sent, answer).mul_(0.7)
    if any(channels[name].delay > 0 for name in done):
        sent = _sent((stem, channels[name].delay) for name, stem in done.items()).mean(0, keepdim=True)
        repeats = effects.echo(sent.mul_(0.6), master.delay_beats * 60.0 / tempo_bpm, master.delay_feedback)
        wet = repeats if wet is None else wet.add_(repeats)
    return wet


def _sent(sends: Iterable[tuple[Tensor, float]]) -> Tensor:
    """Stems added up, each by so much of it as its channel sends."""
    (first, amount), *others = [(stem, amount) for stem, amount in sends if amount > 0]
    total = first * amount
    for stem, share in others:
        total.add_(stem, alpha=share)
    return total


def _summed(stems: Collection[Tensor], fade_s: float) -> Tensor:
    """Fade the stems out in place and add them up."""
    first = next(iter(stems))
    closing = _ending(first.shape[-1], fade_s, first.device)
    bus = torch.zeros_like(first)
    for stem in stems:
        stem[:, stem.shape[-1] - len(closing) :] *= closing
        bus += stem
    return bus


def _make_headroom(sounds: tuple[Tensor, ...]) -> None:
    """Turn bus and stems down together where any would clip in a file; mastering sets the loudness anyway."""
    peak = max(blocks.peak(sound) for sound in sounds)
    if peak > _HEADROOM_PEAK:
        for sound in sounds:
            sound.mul_(_HEADROOM_PEAK / peak)


def _crackle(length: int, master: Master, seed: int, device: torch.device) -> Tensor:
    noise = record_noise(length, seed=seed, name="crackle", device=device)
    level = -54.0 + 18.0 * master.crackle
    return noise.mul_(10 ** ((level - integrated_lufs(noise, SAMPLE_RATE)) / 20))


def _ending(length: int, fade_s: float, device: torch.device) -> Tensor:
    """Gain of the last samples, a rounded fade to silence of at least 50 ms."""
    fade = min(max(round(fade_s * SAMPLE_RATE), SAMPLE_RATE // 20), length)
    return 0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, fade, device=device))
