"""What the covers are painted with: colours shifted by mood, contours of the music, gradients, glow and grain."""

from __future__ import annotations

import colorsys
import tomllib
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from generator.brief import Brief
from generator.score import Note, Score

SIZE = 2048
"""Covers are painted at twice their size and reduced, which smooths every edge."""

Colour = tuple[int, int, int]
Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Palette:
    """`scene` names the composition; `dark` and `light` end the background; three accents; `ink` is nearly black."""

    scene: str
    dark: Colour
    light: Colour
    accents: tuple[Colour, Colour, Colour]
    ink: Colour

    def blend(self, place: float) -> Colour:
        """A colour between dark (0) and light (1)."""
        return between(self.dark, self.light, place)


def palette(brief: Brief, random: np.random.Generator) -> Palette:
    """The style's colours, turned a little by the seed, warmer and lighter with valence, stronger with arousal."""
    entry = tomllib.loads(files(__package__).joinpath("palettes.toml").read_text("utf-8"))[brief.style]
    turn = float(random.uniform(-0.035, 0.035)) - 0.02 * brief.mood.valence
    strength = 1.0 + 0.18 * brief.mood.arousal
    light = 1.0 + 0.08 * brief.mood.valence
    colours = [_shifted(text, turn, strength, light) for text in entry["colours"]]
    accents = [colours[2], colours[3], colours[4]]
    order = random.permutation(3) if entry["scene"] in {"mosaic", "orbit", "arches"} else range(3)
    first, second, third = (accents[index] for index in order)
    return Palette(entry["scene"], colours[0], colours[1], (first, second, third), colours[5])


def _shifted(text: str, turn: float, strength: float, light: float) -> Colour:
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    mixed = colorsys.hsv_to_rgb((hue + turn) % 1.0, min(saturation * strength, 1.0), min(value * light, 1.0))
    return (round(mixed[0] * 255), round(mixed[1] * 255), round(mixed[2] * 255))


def between(first: Colour, second: Colour, place: float) -> Colour:
    """Straight mix in sRGB, 0 … 1."""
    at = min(max(place, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * at) for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def contour(score: Score, notes: tuple[Note, ...], points: int, smooth: float) -> Curve:
    """The height of a line of notes over the piece, 0 … 1, smoothed over a fraction `smooth` of it. -> [points]"""
    height, weight = np.zeros(points), np.full(points, 1e-6)
    end = max(score.end_tick, 1)
    for note in notes:
        first = min(int(note.onset / end * points), points - 1)
        last = min(max(int(note.end / end * points), first + 1), points)
        height[first:last] += note.pitch * note.velocity
        weight[first:last] += note.velocity
    if not notes:
        return np.full(points, 0.5)
    mean = float(np.mean([note.pitch for note in notes]))
    height = (height + 1e-6 * mean) / weight
    width = max(int(points * smooth), 3)
    window = np.hanning(width + 2)
    held = np.pad(height, width, mode="reflect" if points > width else "edge")
    curve: Curve = np.convolve(held, window / window.sum(), mode="same")[width:-width]
    span = float(curve.max() - curve.min())
    return (curve - curve.min()) / span if span > 1e-6 else np.full(points, 0.5)


def lines(score: Score) -> list[tuple[Note, ...]]:
    """The pitched parts' notes, the leading part first."""
    order = {"melody": 0, "counter": 1, "chords": 2, "pad": 3, "bass": 4}
    parts = sorted(score.pitched, key=lambda part: order.get(part.role, 5))
    return [part.notes for part in parts] or [()]


def energy(score: Score, points: int) -> Curve:
    """The sections' energy over the piece, 0 … 1. -> [points]"""
    curve = np.full(points, 0.5)
    for section in score.sections:
        first = int(section.start_bar / max(score.bars, 1) * points)
        last = int((section.start_bar + section.bars) / max(score.bars, 1) * points)
        curve[first:last] = section.energy
    return curve


def gradient(stops: list[tuple[float, Colour]], size: int = SIZE) -> Image.Image:
    """A vertical gradient through (place, colour) stops."""
    places = [place for place, _ in stops]
    at = np.linspace(0, 1, size)
    columns = np.stack([np.interp(at, places, [colour[k] for _, colour in stops]) for k in range(3)], 1)
    return Image.fromarray(np.repeat(columns.astype(np.uint8)[:, None], size, 1), "RGB")


def glow(image: Image.Image, layer: Image.Image, radius: float, strength: float) -> Image.Image:
    """Add a blurred copy of a light-on-black layer to an image of half the layer's size, which is the size pictures end
    at; light on light does not burn out."""
    shrunk = 4 if radius > 8 else 2
    soft = layer.reduce(shrunk).filter(ImageFilter.GaussianBlur(radius / shrunk))
    light = soft.point([min(int(level * strength), 255) for level in range(256)] * 3)
    return ImageChops.screen(image, light.resize(image.size, Image.Resampling.BILINEAR))


def halved(image: Image.Image) -> Image.Image:
    """At the size that `glow` takes."""
    return image.reduce(2)


def doubled(image: Image.Image) -> Image.Image:
    """Back at the size to paint in; what is already there gets no new edges."""
    return image.resize((SIZE, SIZE), Image.Resampling.NEAREST)


def finish(image: Image.Image, random: np.random.Generator, size: int, grain: float = 3.5) -> Image.Image:
    """Reduce to `size`, darken the corners a little, add the grain of print."""
    small = np.asarray(image.reduce(image.width // size), np.float32)
    across = np.linspace(-1, 1, size)
    away = across[:, None] ** 2 + across[None, :] ** 2
    noise = random.standard_normal((size, size, 1), np.float32)
    noise *= grain
    shaded = small * (1 - 0.11 * away[..., None] ** 1.5).astype(np.float32)
    shaded += noise
    return Image.fromarray(shaded.clip(0, 255, out=shaded).astype(np.uint8), "RGB")
