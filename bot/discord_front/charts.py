"""A taste as a picture: bars of styles, and a radar of what is liked. Draws only; call it in a thread."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 480
_BACK, _INK, _FAINT, _TONE = "#1e1f2b", "#f2f0ff", "#4a4c63", "#7c5cff"
_MOST_BARS, _ROW = 8, 54
_LEAST_SPOKES, _MOST_SPOKES = 3, 9
_CENTRE, _RADIUS = (700, 245), 150


def taste_picture(view: Any) -> bytes:
    """A PNG of a `personalization.describe.TasteView`."""
    styles = [(name, share) for name, share, _ in view.styles[:_MOST_BARS]]
    traits = [(phrase, stars) for phrase, stars, _ in view.attributes[:_MOST_SPOKES]]
    round_ = len(traits) >= _LEAST_SPOKES
    rows = max(len(styles), len(traits), 1)
    image = Image.new("RGB", (WIDTH, HEIGHT if round_ else 40 + _ROW * rows), _BACK)  # little known, little shown
    draw = ImageDraw.Draw(image)
    _bars(draw, styles)
    if round_:
        _radar(draw, traits)
    else:
        _bars(draw, traits, left=500)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _bars(draw: ImageDraw.ImageDraw, rows: Sequence[tuple[str, float]], left: int = 30) -> None:
    """One line each, the longest filling the width."""
    longest = max((abs(value) for _, value in rows), default=0.0) or 1.0
    for number, (name, value) in enumerate(rows):
        top = 30 + number * _ROW
        draw.text((left, top), name, _INK, font=_font(18))
        draw.rounded_rectangle((left, top + 25, left + 400, top + 39), 7, fill=_FAINT)
        width = 14 + 386 * abs(value) / longest
        draw.rounded_rectangle((left, top + 25, left + width, top + 39), 7, fill=_TONE)


def _radar(draw: ImageDraw.ImageDraw, spokes: Sequence[tuple[str, float]]) -> None:
    """A spoke each; the strongest reaches the rim."""
    strongest = max(abs(value) for _, value in spokes) or 1.0
    for ring in (1 / 3, 2 / 3, 1.0):
        draw.polygon([_at(number, len(spokes), ring) for number in range(len(spokes))], outline=_FAINT)
    shape = [_at(n, len(spokes), 0.15 + 0.85 * abs(value) / strongest) for n, (_, value) in enumerate(spokes)]
    draw.polygon(shape, fill=_TONE, outline=_INK)
    for number, (name, _) in enumerate(spokes):
        draw.line((_CENTRE, _at(number, len(spokes), 1.0)), fill=_FAINT)
        draw.text(_at(number, len(spokes), 1.15), name, _INK, font=_font(16), anchor="mm")


def _at(number: int, count: int, share: float) -> tuple[float, float]:
    angle = 2 * math.pi * number / count - math.pi / 2
    return _CENTRE[0] + _RADIUS * share * math.cos(angle), _CENTRE[1] + _RADIUS * share * math.sin(angle)
