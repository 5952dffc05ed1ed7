"""From stems to a mix: levels, places, one room, side-chain, lo-fi, ending.

Stems come out dry, each as its channel strip leaves it; what room and echo add to all of them is a stem of its own, as
on a desk with one return. Together they sum to the bus. What is not linear on the sum belongs to `master`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor

from generator import blocks, hands, memory
from generator.measure.loudness import integrated_lufs
from generator.produce import effects
from generator.produce.masking import relief
from generator.produce.settings import Channel, Master
from generator.produce.strip import Strip
from generator.render.timing import SAMPLE_RATE
from generator.render.vinyl import record_noise

CRACKLE = "crackle"
ROOM = "room"
_SILENT_PEAK = 1e-5
_HEADROOM_PEAK = 0.95
_INAUDIBLE = 10 ** (-54 / 20)  # of the highest peak
_PIECE, _BREATH = SAMPLE_RATE // 20, SAMPLE_RATE // 10
_LEFT_OUT = round(0.4 * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix before mastering: `bus` [2, n], `stems` by name [2, n] that sum to it, and the names without sound."""

    bus: Tensor
    stems: dict[str, Tensor]
    silent: tuple[str, ...]


def mix(
    stems: MutableMapping[str, Tensor],
    roles: Mapping[str, str],
    channels: Mapping[str, Channel],
    master: Master,
    *,
    seed: int,
    tempo_bpm: float = 100.0,
) -> Mix:
    """Mix stems [2, n] by the channel of their role (the default channel where a role has none).

    `tempo_bpm` times the echoes. The result ends when nothing is heard any more, up to 0.4 s before the stems, and with
    a fade of `master.fade_out_s`.
    `stems` is emptied on the way: a long piece would not fit in memory twice.
    """
    length, device = next(iter(stems.values())).shape[-1], next(iter(stems.values())).device
    silent = tuple(name for name, stem in stems.items() if blocks.peak(stem) < _SILENT_PEAK)
    quiet = {name: stems.pop(name) for name in silent}
    if not stems:
        return Mix(next(iter(quiet.values())).clone(), quiet, silent)
    used = {name: channels.get(roles.get(name, ""), Channel()) for name in stems}
    done = _dry(stems, roles, used, master, seed)
    memory.give_back()
    returned = _returned(done, used, master, seed, tempo_bpm)
    if returned is not None:
        done[ROOM] = returned
    if master.wow > 0:
        delay = effects.wow_delay(length, master.wow, seed, device)
        hands.each(lambda stem: stem.copy_(effects.late(stem, delay)), done.values(), device)
    if master.crackle > 0:
        done[CRACKLE] = _crackle(length, master, seed, device)
    bus = blocks.sound(_summed(done.values()), "The mix")
    heard = _heard(bus)
    bus, *faded = (_faded(sound[:, :heard], master.fade_out_s) for sound in (bus, *done.values()))
    _make_headroom((bus, *faded))
    silence = {name: stem[:, :heard] for name, stem in quiet.items()}
    return Mix(bus, dict(zip(done, faded, strict=True)) | silence, silent)


def _dry(
    stems: MutableMapping[str, Tensor],
    roles: Mapping[str, str],
    channels: Mapping[str, Channel],
    master: Master,
    seed: int,
) -> dict[str, Tensor]:
    """Every stem through its channel strip."""
    device = next(iter(stems.values())).device
    strips = {name: Strip(channel, master, seed, device) for name, channel in channels.items()}
    probes = dict(
        zip(stems, hands.each(lambda item: strips[item[0]].probe(item[1]), stems.items(), device), strict=True)
    )
    ways = relief({name: probe.bands_db + channels[name].level_lufs for name, probe in probes.items()}, roles)
    drums = [stem.mean(0, keepdim=True) for name, stem in stems.items() if roles.get(name) == "drums"]
    pushed = any(channel.sidechain > 0 for channel in channels.values())
    duck = effects.ducking(torch.stack(drums).sum(0)) if drums and pushed else None

    def treated(name: str) -> Tensor:
        strip = strips[name]
        sound = strip.shaped(strip.driven(stems.pop(name)), probes[name].narrow, ways.get(name))
        return strip.levelled(sound, None if roles.get(name) == "drums" else duck)

    names = list(stems)
    return dict(zip(names, hands.each(treated, names, device), strict=True))


def _returned(
    done: Mapping[str, Tensor], channels: Mapping[str, Channel], master: Master, seed: int, tempo_bpm: float
) -> Tensor | None:
    """What the room and the echo make of all stems together; None where no channel sends anything."""
    wet = [
        _room(done, channels, master, seed) if any(channels[name].reverb > 0 for name in done) else None,
        _echo(done, channels, master, tempo_bpm) if any(channels[name].delay > 0 for name in done) else None,
    ]
    returned = [sound for sound in wet if sound is not None]
    return returned[0].add_(returned[1]) if len(returned) > 1 else next(iter(returned), None)


def _room(done: Mapping[str, Tensor], channels: Mapping[str, Channel], master: Master, seed: int) -> Tensor:
    sent = _sent(done, {name: channel.reverb for name, channel in channels.items()})
    blocks.pointwise(sent, lambda some: 0.75 * some + 0.25 * some.flip(0), into=sent)  # each side hears the other
    answer = effects.room(master.reverb_s, master.reverb_brightness, master.reverb_predelay_ms, seed, sent.device)
    return blocks.convolved(sent, answer).mul_(0.7)


def _echo(done: Mapping[str, Tensor], channels: Mapping[str, Channel], master: Master, tempo_bpm: float) -> Tensor:
    sent = _sent(done, {name: 0.6 * channel.delay for name, channel in channels.items()}, mono=True)
    return effects.echo(sent, master.delay_beats * 60.0 / tempo_bpm, master.delay_feedback)


def _sent(done: Mapping[str, Tensor], amounts: Mapping[str, float], *, mono: bool = False) -> Tensor:
    """Stems added up, each by so much of it as its channel sends. -> [2, n] or, `mono`, [1, n]"""
    first = next(iter(done.values()))
    total = first.new_zeros(1 if mono else 2, first.shape[-1])
    for name, stem in done.items():
        if amounts[name] > 0:
            total.add_(stem.mean(0, keepdim=True) if mono else stem, alpha=amounts[name])
    return total


def _summed(stems: Collection[Tensor]) -> Tensor:
    bus = torch.zeros_like(next(iter(stems)))
    for stem in stems:
        bus += stem
    return bus


def _heard(bus: Tensor) -> int:
    """Samples until the last sound has died away, and a breath: what follows would only be waited for. At most the
    last 0.4 s are left out, since the plan has met the asked length within half a bar."""
    length = bus.shape[-1]
    if length < _PIECE:
        return length
    pieces = bus[:, length % _PIECE :].view(2, -1, _PIECE)  # counted from the end
    peaks = torch.maximum(pieces.amax((0, 2)), -pieces.amin((0, 2)))
    loud = (peaks >= peaks.max() * _INAUDIBLE).nonzero()
    over = min(length % _PIECE + (int(loud[-1]) + 1) * _PIECE + _BREATH, length)
    return max(over, length - _LEFT_OUT)


def _faded(sound: Tensor, fade_s: float) -> Tensor:
    """Faded out in place."""
    closing = _ending(sound.shape[-1], fade_s, sound.device)
    sound[:, sound.shape[-1] - len(closing) :] *= closing
    return sound


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
