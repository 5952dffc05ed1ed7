"""Many pieces on one sheet: a small piano roll of each, with its label, in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from generator.produce.files import whole_file
from generator.score import Note, Score

COLUMNS = 3
BARS = 8
"""Of each piece that are shown, from the beginning of its fullest section."""

_COLOURS = {
    "melody": (228, 87, 46), "counter": (196, 65, 120), "chords": (46, 134, 171), "pad": (150, 178, 200),
    "bass": (79, 120, 86), "drums": (70, 64, 74),
}  # fmt: skip
_PAPER, _TILE, _INK, _SOFT, _LINE = (236, 231, 222), (250, 247, 240), (38, 34, 44), (128, 120, 124), (228, 222, 212)
_SCALE = 2
_WIDTH, _HEIGHT, _GAP, _HEAD = 500 * _SCALE, 270 * _SCALE, 12 * _SCALE, 40 * _SCALE
_LOW, _HIGH = 28, 92  # pitches that the roll shows; what lies outside stands at the edge
_LANE = 7 * _SCALE
_PALETTE = 96  # colours in the file


def contact_sheet(pieces: Sequence[tuple[str, Score]], path: Path) -> None:
    """Draw (label, score) tiles as a PNG of few colours. Raises EncodeError when the file cannot be written."""
    rows = -(-len(pieces) // COLUMNS)
    width = COLUMNS * (_WIDTH + _GAP) + _GAP
    sheet = Image.new("RGB", (width, rows * (_HEIGHT + _GAP) + _GAP + 26 * _SCALE), _PAPER)
    for index, (label, score) in enumerate(pieces):
        row, column = divmod(index, COLUMNS)
        sheet.paste(_tile(label, score), (_GAP + column * (_WIDTH + _GAP), _GAP + row * (_HEIGHT + _GAP)))
    _legend(ImageDraw.Draw(sheet), sheet.height - 18 * _SCALE)
    small = sheet.resize((sheet.width // _SCALE, sheet.height // _SCALE), Image.Resampling.LANCZOS)
    with whole_file(path) as place:
        small.quantize(_PALETTE, dither=Image.Dither.NONE).save(place, "PNG", optimize=True)


def _tile(label: str, score: Score) -> Image.Image:
    image = Image.new("RGB", (_WIDTH, _HEIGHT), _TILE)
    draw = ImageDraw.Draw(image)
    start = _fullest(score)
    span = min(BARS, score.bars) * score.meter.bar_ticks
    draw.text((14 * _SCALE, _HEAD // 2), label, _INK, _font(19), "lm")
    facts = f"{score.key}  ·  {score.tempo_bpm:.0f} bpm  ·  {score.meter}"
    draw.text((_WIDTH - 14 * _SCALE, _HEAD // 2), facts, _SOFT, _font(12), "rm")
    for tick in range(0, span + 1, score.meter.bar_ticks):
        x = _x(tick, span)
        draw.line([x, _HEAD, x, _HEIGHT - 10 * _SCALE], _LINE, _SCALE)
    drums = sorted({note.pitch for part in score.parts if part.role == "drums" for note in part.notes})
    for part in sorted(score.parts, key=lambda part: list(_COLOURS).index(part.role) if part.role in _COLOURS else -1,
                       reverse=True):  # fmt: skip
        for note in part.notes if part.role in _COLOURS else ():
            if start <= note.onset < start + span:
                _paint(draw, note, part.role, start, span, drums)
    return image


def _fullest(score: Score) -> int:
    """The tick at which the section with the most energy begins, early enough for all bars."""
    best = max(score.sections, key=lambda section: section.energy, default=None)
    bar = min(best.start_bar if best else 0, max(0, score.bars - BARS))
    return bar * score.meter.bar_ticks


def _x(tick: float, span: int) -> float:
    return 14 * _SCALE + tick / span * (_WIDTH - 28 * _SCALE)


def _paint(draw: ImageDraw.ImageDraw, note: Note, role: str, start: int, span: int, drums: Sequence[int]) -> None:
    left, right = _x(note.onset - start, span), _x(min(note.end - start, span), span)
    if role == "drums":
        lane = _HEIGHT - 14 * _SCALE - drums.index(note.pitch) * _LANE
        size = (0.8 + 2.0 * note.velocity / 127) * _SCALE
        draw.ellipse([left - size, lane - size, left + size, lane + size], _COLOURS[role])
        return
    floor = _HEIGHT - 22 * _SCALE - len(drums) * _LANE
    step = (floor - _HEAD - 4 * _SCALE) / (_HIGH - _LOW)
    y = floor - (min(max(note.pitch, _LOW), _HIGH) - _LOW) * step
    half = max(step * 0.42, 1.2 * _SCALE)
    draw.rounded_rectangle([left, y - half, max(right - _SCALE, left + 2 * _SCALE), y + half], half, _COLOURS[role])


def _legend(draw: ImageDraw.ImageDraw, y: int) -> None:
    x = float(_GAP + 4 * _SCALE)
    for role, colour in _COLOURS.items():
        draw.rounded_rectangle([x, y - 5 * _SCALE, x + 10 * _SCALE, y + 5 * _SCALE], 3 * _SCALE, colour)
        draw.text((x + 16 * _SCALE, y), role, _INK, _font(13), "lm")
        x += 30 * _SCALE + _font(13).getlength(role)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SCALE)
