"""The waveform: how loud a finished piece is over time, each section in a colour of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from generator.score import Score

if TYPE_CHECKING:  # pictures are drawn where torch need not be
    from torch import Tensor

Colour = tuple[int, int, int]

_COLOURS: tuple[Colour, ...] = (
    (46, 134, 171), (228, 87, 46), (79, 160, 136), (150, 88, 200), (226, 160, 20), (196, 65, 120), (108, 142, 62),
)  # fmt: skip
_PAPER, _INK, _SOFT, _LINE = (250, 247, 240), (38, 34, 44), (128, 120, 124), (226, 220, 210)
_SCALE = 2
_WIDTH, _HEIGHT = 1600 * _SCALE, 400 * _SCALE
_LEFT, _RIGHT, _TOP, _BOTTOM = 28 * _SCALE, 28 * _SCALE, 62 * _SCALE, 46 * _SCALE
_STEPS_S = (5, 10, 15, 30, 60, 120, 300)


def draw_waveform(audio: Tensor, rate: int, score: Score) -> Image.Image:
    """Paint audio [2, n], 1600 × 400 px: peaks pale, the mean level strong, sections named, seconds below."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    length_s = max(audio.shape[-1] / rate, 1e-6)
    _clock(draw, length_s)
    colours = _columns(draw, score, length_s)
    peak, mean = _levels(audio, _WIDTH - _LEFT - _RIGHT)
    middle, half = (_TOP + _HEIGHT - _BOTTOM) / 2, (_HEIGHT - _TOP - _BOTTOM) / 2 - 6 * _SCALE
    loudest = max(float(peak.max()), 1e-6)
    for column, colour in enumerate(colours):
        x = _LEFT + column
        for level, fill in ((peak[column], _pale(colour)), (mean[column], colour)):
            height = max(half * float(level) / loudest, _SCALE / 2)
            draw.line([x, middle - height, x, middle + height], fill)
    return image.reduce(_SCALE)


def _levels(audio: Tensor, columns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Peak and root mean square of both sides in every column. -> [columns], [columns]"""
    sides = audio.detach().cpu().numpy()
    length = sides.shape[1]
    if length == 0:
        return np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    edges = np.linspace(0, length, columns + 1).astype(np.int64)
    starts = np.minimum(edges[:-1], length - 1)
    peaks = [np.maximum(np.maximum.reduceat(side, starts), -np.minimum.reduceat(side, starts)) for side in sides]
    power = sum(np.add.reduceat(side * side, starts) for side in sides)
    return np.maximum(*peaks), np.sqrt(power / (2 * np.maximum(edges[1:] - starts, 1)))


def _columns(draw: ImageDraw.ImageDraw, score: Score, length_s: float) -> list[Colour]:
    """The colour of every column; what repeats has the colour it had. Names the sections on the way."""
    across = _WIDTH - _LEFT - _RIGHT
    names = list(dict.fromkeys(section.name for section in score.sections))
    colours = [_COLOURS[0]] * across
    font = ImageFont.load_default(15 * _SCALE)
    for section in score.sections:
        colour = _COLOURS[names.index(section.name) % len(_COLOURS)]
        bars = (section.start_bar, section.start_bar + section.bars)
        ends_s = [score.seconds_at(bar * score.meter.bar_ticks) for bar in bars]
        first, last = (min(round(end_s / length_s * across), across) for end_s in ends_s)
        last = across if section is score.sections[-1] else last  # with what rings on
        if last - first < 4 * _SCALE:
            continue
        colours[first:last] = [colour] * (last - first)
        left, right = _LEFT + first + _SCALE, _LEFT + last - _SCALE
        draw.rounded_rectangle([left, 18 * _SCALE, right, 46 * _SCALE], 5 * _SCALE, _pale(colour))
        if font.getlength(section.name) < right - left - 12 * _SCALE:
            draw.text((left + 9 * _SCALE, 32 * _SCALE), section.name, _INK, font, "lm")
    return colours


def _clock(draw: ImageDraw.ImageDraw, length_s: float) -> None:
    step = next((step for step in _STEPS_S if length_s / step <= 12), _STEPS_S[-1])
    font = ImageFont.load_default(13 * _SCALE)
    for second in range(0, int(length_s) + 1, step):
        x = _LEFT + second / length_s * (_WIDTH - _LEFT - _RIGHT)
        draw.line([x, _TOP, x, _HEIGHT - _BOTTOM], _LINE, _SCALE)
        draw.text((x, _HEIGHT - _BOTTOM + 16 * _SCALE), f"{second // 60}:{second % 60:02d}", _SOFT, font, "mm")


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(paper + (part - paper) * 0.35) for part, paper in zip(colour, _PAPER, strict=True))
    return (red, green, blue)
