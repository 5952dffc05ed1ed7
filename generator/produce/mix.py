"""From stems to a mix: levels, places, one room, side-chain, lo-fi, ending.

Stems come out dry, each as its channel strip leaves it; what room and echo add to all of them is a stem of its own, as
on a desk with one return. Together they sum to the bus. What is not linear on the sum belongs to `master`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from generator import blocks, hands
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
_INAUDIBLE = 10 ** (-54 / 20)  # of the highest peak
_PIECE, _BREATH = SAMPLE_RATE // 20, SAMPLE_RATE // 10
_LEFT_OUT = round(0.4 * SAMPLE_RATE)
_SECOND_DB = 4.0
"""How far behind the tune the voices stand that double or follow it."""


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix before mastering: `bus` [2, n], `stems` by name [2, n] that sum to it, the loudness in LUFS of those whose
    is known, and the names without sound."""

    bus: Tensor
    stems: dict[str, Tensor]
    levels: dict[str, float]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """A stem on the desk: driven by its strip, with what that measured before.

    `beat` is the dry middle [1, n] of drums that others may duck under.
    """

    sound: Tensor
    strip: Strip
    probe: Probe
    beat: Tensor | None


class Desk:
    """Mixes stems by the channel of their role, the default channel where a role has none. Of several melodies the
    first is the tune, and the others stand behind it.

    A stem is taken as soon as it has been played, while others still are; how it is treated is decided when all are
    there. `seed` is for what is drawn by chance: the room, the worn tape.
    """

    def __init__(self, roles: Mapping[str, str], channels: Mapping[str, Channel], master: Master, seed: int) -> None:
        self._roles, self._channels, self._master, self._seed = roles, channels, master, seed
        self._tune = next((name for name, role in roles.items() if role == "melody"), None)
        self._ducks = any(channel.sidechain > 0 for channel in channels.values())

    @cached_property
    def _room(self) -> Tensor:
        """The answer of the room; made when the first stem is taken, beside the others' playing."""
        how = self._master
        return effects.room(
            how.reverb_s, how.reverb_brightness, how.reverb_predelay_ms, self._seed, torch.device("cpu")
        )

    def take(self, name: str, stem: Tensor) -> Taken | Tensor:
        """Measure a stem [2, n] and drive it; `stem` is used up. Where nothing sounds it comes back as it is."""
        if blocks.peak(stem) < _SILENT_PEAK:
            return stem
        if self._channel(name).reverb > 0:
            self._room  # noqa: B018 - made now
        strip = Strip(self._channel(name), self._master, self._seed, stem.device)
        probe = strip.probe(stem)
        beat = stem.mean(0, keepdim=True) if self._ducks and self._roles.get(name) == "drums" else None
        return Taken(strip.driven(stem), strip, probe, beat)

    def mix(self, stems: MutableMapping[str, Taken | Tensor], tempo_bpm: float) -> Mix:
        """Mix what `take` has made of all stems, by name. `tempo_bpm` times the echoes.

        The result ends when nothing is heard any more, up to 0.4 s before the stems, and with a fade of
        `master.fade_out_s`. `stems` is emptied on the way: a long piece would not fit in memory twice.
        """
        master = self._master
        quiet = {name: stem for name, stem in stems.items() if isinstance(stem, Tensor)}
        taken = {name: stem for name, stem in stems.items() if isinstance(stem, Taken)}
        silent = tuple(quiet)
        stems.clear()
        if not taken:
            return Mix(next(iter(quiet.values())).clone(), quiet, {}, silent)
        done, levels = self._dry(taken)
        length, device = next(iter(done.values())).shape[-1], next(iter(done.values())).device
        returned = self._returned(done, tempo_bpm)
        if returned is not None:
            done[ROOM] = returned
        if master.wow > 0:
            delay = effects.wow_delay(length, master.wow, self._seed, device)
            hands.each(lambda stem: stem.copy_(effects.late(stem, delay)), done.values(), device)
        if master.crackle > 0:
            done[CRACKLE] = _crackle(length, master, self._seed, device)
        bus = blocks.sound(_summed(done.values()), "The mix")
        heard = _heard(bus)
        bus, *faded = (_faded(sound[:, :heard], master.fade_out_s) for sound in (bus, *done.values()))
        turned_db = _make_headroom((bus, *faded))
        silence = {name: stem[:, :heard] for name, stem in quiet.items()}
        return Mix(
            bus,
            dict(zip(done, faded, strict=True)) | silence,
            {name: level + turned_db for name, level in levels.items()},
            silent,
        )

    def _dry(self, taken: MutableMapping[str, Taken]) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Every stem through its channel strip, and the loudness of those that nothing ducks."""
        device = next(iter(taken.values())).sound.device
        levels = {name: one.probe.bands_db + self._channel(name).level_lufs for name, one in taken.items()}
        ways = relief(levels, self._roles)
        beats = [one.beat for one in taken.values() if one.beat is not None]
        duck = effects.ducking(torch.stack(beats).sum(0)) if beats else None

        def treated(name: str) -> tuple[Tensor, float | None]:
            one = taken.pop(name)
            sound = one.strip.shaped(one.sound, one.probe.narrow, ways.get(name))
            level = one.strip.levelled(sound)
            ducks = duck is not None and self._roles.get(name) != "drums" and one.strip.duck(sound, duck)
            return sound, None if ducks else level

        names = list(taken)
        made = dict(zip(names, hands.each(treated, names, device), strict=True))
        known = {name: level for name, (_, level) in made.items() if level is not None}
        return {name: sound for name, (sound, _) in made.items()}, known

    def _returned(self, done: Mapping[str, Tensor], tempo_bpm: float) -> Tensor | None:
        """What the room and the echo make of all stems together; None where no channel sends anything."""
        channels, device = {name: self._channel(name) for name in done}, next(iter(done.values())).device
        wet = hands.both(
            lambda: _resounding(done, channels, self._room.to(device)) if _any(channels, "reverb") else None,
            lambda: _echo(done, channels, self._master, tempo_bpm) if _any(channels, "delay") else None,
            device,
        )
        returned = [sound for sound in wet if sound is not None]
        return returned[0].add_(returned[1]) if len(returned) > 1 else next(iter(returned), None)

    def _channel(self, name: str) -> Channel:
        role = self._roles.get(name, "")
        channel = self._channels.get(role, Channel())
        if role != "melody" or name == self._tune:
            return channel
        return channel.model_copy(update={"level_lufs": channel.level_lufs - _SECOND_DB})


def mix(
    stems: MutableMapping[str, Tensor],
    roles: Mapping[str, str],
    channels: Mapping[str, Channel],
    master: Master,
    *,
    seed: int,
    tempo_bpm: float = 100.0,
) -> Mix:
    """`Desk.mix` of stems [2, n] that are all there; `stems` is emptied on the way."""
    desk, device = Desk(roles, channels, master, seed), next(iter(stems.values())).device
    names = list(stems)
    taken = hands.each(lambda name: desk.take(name, stems.pop(name)), names, device)
    return desk.mix(dict(zip(names, taken, strict=True)), tempo_bpm)


def _any(channels: Mapping[str, Channel], setting: str) -> bool:
    return any(getattr(channel, setting) > 0 for channel in channels.values())


def _resounding(done: Mapping[str, Tensor], channels: Mapping[str, Channel], answer: Tensor) -> Tensor:
    """What a room with this answer [2, m] makes of all stems."""
    sent = _sent(done, {name: channel.reverb for name, channel in channels.items()})
    blocks.pointwise(sent, lambda some: 0.75 * some + 0.25 * some.flip(0), into=sent)  # each side hears the other
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


def _make_headroom(sounds: tuple[Tensor, ...]) -> float:
    """Turn bus and stems down together where any would clip in a file; mastering sets the loudness anyway. -> dB"""
    device = sounds[0].device
    peak = max(hands.each(blocks.peak, sounds, device))
    if peak <= _HEADROOM_PEAK:
        return 0.0
    hands.each(lambda sound: sound.mul_(_HEADROOM_PEAK / peak), sounds, device)
    return 20 * math.log10(_HEADROOM_PEAK / peak)


def _crackle(length: int, master: Master, seed: int, device: torch.device) -> Tensor:
    noise = record_noise(length, seed=seed, name="crackle", device=device)
    level = -54.0 + 18.0 * master.crackle
    return noise.mul_(10 ** ((level - integrated_lufs(noise, SAMPLE_RATE)) / 20))


def _ending(length: int, fade_s: float, device: torch.device) -> Tensor:
    """Gain of the last samples, a rounded fade to silence of at least 50 ms."""
    fade = min(max(round(fade_s * SAMPLE_RATE), SAMPLE_RATE // 20), length)
    return 0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, fade, device=device))
