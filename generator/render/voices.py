"""Plays synthesiser voices: loads their data, computes every distinct note once and places it.

A note is computed once for its pitch, length (to 10 ms), loudness step and variant; variants differ in phase and
noise, so that repeated notes are not copies of each other.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Protocol

import numpy as np
import torch
from pydantic import Field, TypeAdapter
from torch import Tensor

from generator.errors import SoundError
from generator.render import drums, envelope
from generator.render.batches import batches
from generator.render.bend import Bend
from generator.render.instruments import piece
from generator.render.notes import Notes
from generator.render.stems import silence
from generator.render.struck import Fm, Partials, PluckedString
from generator.render.subtractive import Subtractive
from generator.render.timing import SAMPLE_RATE, Event
from generator.render.vinyl import record_noise
from generator.seeds import stream as random_stream

Voice = Annotated[Subtractive | Fm | Partials | PluckedString, Field(discriminator="kind")]

_BATCH_SAMPLES = 1 << 18
_LENGTH_STEP = SAMPLE_RATE // 100
_LOUDNESS_STEPS = 6
_LONGEST_S = 40.0
_DRUM_VARIANTS = 3
_CHANCES = 24
_CHOKE = SAMPLE_RATE // 25
_FADE = SAMPLE_RATE // 200
VINYL = "vinyl"


class _Playable(Protocol):
    def sound(self, notes: Notes) -> Tensor:
        """-> [B, 2, length], or [B, 1, length] where both sides are alike"""
        ...


@dataclass(frozen=True, slots=True)
class _Key:
    """A distinct sound: pitch, samples held and in all, loudness step, variant; they are of the straight sound where
    there is a `bend`, whose number it is."""

    pitch: int
    held: int
    length: int
    step: int
    variant: int
    bend: int = 0


@cache
def voices() -> dict[str, Voice]:
    """Every melodic voice by name."""
    raw = tomllib.loads(files(__package__).joinpath("voices.toml").read_text("utf-8"))
    return TypeAdapter(dict[str, Voice]).validate_python(raw)


def perform(voice: str, played: Sequence[Event], total: int, *, stream: str, seed: int, device: torch.device) -> Tensor:
    """A stem [2, total] of the events on a voice or synthesised kit; `stream` names its randomness.

    Raises SoundError when there is no such voice.
    """
    stem = silence(total, device)
    if not played:
        return stem
    if voice == VINYL:
        return _record(stem, played, stream, seed)
    if voice in drums.kits():
        for name, (sound, strokes) in sorted(_strokes(drums.kits()[voice], played).items()):
            length = round(sound.length_s * SAMPLE_RATE)
            _play(
                stem, sound, strokes, _Extent(length, 0, held_by_note=False), f"{stream}/{name}", seed, _DRUM_VARIANTS
            )
        return stem
    if voice not in voices():
        raise SoundError(f"There is no voice called “{voice}”.")
    model = voices()[voice]
    extent = _Extent(round(_LONGEST_S * SAMPLE_RATE), round(1.05 * model.release_s * SAMPLE_RATE), held_by_note=True)
    _play(stem, model, [_Stroke(event) for event in played], extent, stream, seed, model.variants)
    return stem


@dataclass(frozen=True, slots=True)
class _Stroke:
    """An event and the sample after its start at which another sound chokes it."""

    event: Event
    choke: int | None = None


@dataclass(frozen=True, slots=True)
class _Extent:
    """How long notes sound: at most `longest` plus `release`; drums always their full length."""

    longest: int
    release: int
    held_by_note: bool

    def held(self, event: Event) -> int:
        """Of the straight sound: a note that is bent upwards uses more of it than it lasts."""
        length = event.bend.straight(event.length) if event.bend is not None else event.length
        steps = max(-(-length // _LENGTH_STEP), 1)
        return min(steps * _LENGTH_STEP, self.longest) if self.held_by_note else self.longest


def _strokes(kit: dict[str, drums.Sound], played: Sequence[Event]) -> dict[str, tuple[drums.Sound, list[_Stroke]]]:
    """The events of every piece of the kit, with what chokes them."""
    starts: dict[str, list[int]] = {}
    for event in played:
        starts.setdefault(piece(event.pitch), []).append(event.start)
    strokes: dict[str, tuple[drums.Sound, list[_Stroke]]] = {}
    for event in played:
        name = piece(event.pitch)
        chokers = [at for other in drums.CHOKED_BY.get(name, ()) for at in starts.get(other, []) if at > event.start]
        choke = min(chokers) - event.start if chokers else None
        strokes.setdefault(name, (kit[name], []))[1].append(_Stroke(event, choke))
    return strokes


def _play(
    stem: Tensor, model: _Playable, strokes: Sequence[_Stroke], extent: _Extent, stream: str, seed: int, variants: int
) -> None:
    """Compute the distinct notes in batches of similar length and add every stroke to the stem."""
    places: dict[_Key, list[_Stroke]] = {}
    turns: Counter[tuple[int, int]] = Counter()
    for stroke in strokes:
        event = stroke.event
        held = extent.held(event)
        bend = event.start + 1 if event.bend is not None and extent.held_by_note else 0
        step = -(-event.velocity * _LOUDNESS_STEPS // 127)
        variant = turns[event.pitch, held] % variants
        turns[event.pitch, held] += 1
        key = _Key(event.pitch, held, held + extent.release, step, variant, bend)
        places.setdefault(key, []).append(stroke)
    noise = torch.from_numpy(
        random_stream(seed, f"noise/{stream}").standard_normal(
            max(key.length for key in places) + 2 * SAMPLE_RATE, dtype=np.float32
        )
    ).to(stem.device)
    fade = torch.linspace(1.0, 0.0, _FADE, device=stem.device)
    ordered = sorted(places, key=lambda key: (key.length, key.pitch, key.step, key.variant))
    for batch in batches(ordered, lambda key: key.length, _BATCH_SAMPLES):
        sounds = model.sound(_notes(batch, noise, stream, seed))
        for key, sound in zip(batch, sounds.unbind(), strict=True):
            whole = sound[:, : key.length]
            whole[:, -_FADE:].mul_(fade[-whole.shape[1] :])
            for stroke in places[key]:
                heard = _bent(whole, stroke.event.bend, key.length) if key.bend and stroke.event.bend else whole
                _place(stem, heard, stroke, (stroke.event.velocity / 127.0) ** 1.6)


def _bent(sound: Tensor, bend: Bend, length: int) -> Tensor:
    """Straight sound [c, n] along a bend, at most `length` samples of it or until the sound is over. -> [c, m]"""
    points = torch.from_numpy(bend.advance(-(-length // envelope.STEP) + 1)).to(sound.device)
    position = envelope.draw(points, length)
    position = position[position < sound.shape[-1] - 1]
    before = position.long()
    share = (position - before).to(sound.dtype)
    return torch.lerp(sound[:, before], sound[:, before + 1], share)


def _place(stem: Tensor, sound: Tensor, stroke: _Stroke, gain: float) -> None:
    start = stroke.event.start
    length = min(sound.shape[1], stem.shape[1] - start)
    if stroke.choke is not None and stroke.choke + _CHOKE < length:
        length = stroke.choke + _CHOKE
        sound = sound[:, :length].clone()
        sound[:, -_CHOKE:].mul_(torch.linspace(1.0, 0.0, _CHOKE, device=stem.device))
    if length > 0:
        stem[:, start : start + length].add_(sound[:, :length], alpha=gain)


def _notes(batch: Sequence[_Key], noise: Tensor, stream: str, seed: int) -> Notes:
    device = noise.device
    chance = [random_stream(seed, f"{stream}/{key.pitch}/{key.variant}").random(_CHANCES) for key in batch]
    return Notes(
        pitch=torch.tensor([float(key.pitch) for key in batch], device=device),
        velocity=torch.tensor([key.step / _LOUDNESS_STEPS for key in batch], device=device),
        off_s=torch.tensor([key.held / SAMPLE_RATE for key in batch], device=device),
        length=max(key.length for key in batch),
        chance=torch.from_numpy(np.stack(chance)).float().to(device),
        noise=noise,
    )


def _record(stem: Tensor, played: Sequence[Event], stream: str, seed: int) -> Tensor:
    """Record noise for as long as the notes last, faded in and out."""
    noise = record_noise(stem.shape[1], seed=seed, name=stream, device=stem.device)
    gate = torch.zeros_like(stem[0])
    ramp = SAMPLE_RATE // 2
    for event in played:
        end = min(event.start + event.length, len(gate))
        span = gate[event.start : end]
        rise = torch.arange(1, len(span) + 1, device=stem.device) / ramp
        swell = torch.minimum(rise, rise.flip(0)).clamp(max=1.0) * (event.velocity / 127.0)
        gate[event.start : end] = torch.maximum(span, swell)
    return noise * gate
