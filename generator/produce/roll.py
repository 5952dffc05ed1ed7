"""The piano roll: all notes of a piece over time, pitched parts above, drums in lanes below."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from generator.render.instruments import INSTRUMENTS, piece
from generator.score import Part, Score

Colour = tuple[int, int, int]

_COLOURS: tuple[Colour, ...] = (
    (228, 87, 46), (46, 134, 171), (226, 160, 20), (79, 160, 136), (150, 88, 200), (196, 65, 120), (108, 142, 62),
    (141, 106, 79),
)  # fmt: skip
_PAPER, _INK, _SOFT, _LINE = (250, 247, 240), (38, 34, 44), (128, 120, 124), (226, 220, 210)
_BLACK_KEYS = {1, 3, 6, 8, 10}
_SCALE = 2
_WIDTH, _LEFT, _RIGHT, _TOP = 1600 * _SCALE, 92 * _SCALE, 28 * _SCALE, 128 * _SCALE
_LANE, _LEGEND = 15 * _SCALE, 64 * _SCALE


def draw_roll(score: Score) -> Image.Image:
    """Paint the score, 1600 px wide."""
    return _Roll(score).paint()


class _Roll:
    """Where things lie: x is time in ticks, y is pitch; drum pieces have a lane each."""

    def __init__(self, score: Score) -> None:
        self._score = score
        kits = {part.name for part in score.parts if part.role == "drums"}
        self._tonal = [part for part in score.parts if part.name not in kits and part.role != "texture"]
        self._drums = [part for part in score.parts if part.name in kits]
        pitches = [note.pitch for part in self._tonal for note in part.notes] or [60]
        self._low, self._high = min(pitches) - 2, max(pitches) + 2
        self._row = min(max(520 * _SCALE // (self._high - self._low + 1), 6), 14 * _SCALE)
        self._lanes = sorted({note.pitch for part in self._drums for note in part.notes})
        self._tones_end = _TOP + self._row * (self._high - self._low + 1)
        self._end = self._tones_end + (len(self._lanes) * _LANE + 18 * _SCALE if self._lanes else 0)
        self._image = Image.new("RGB", (_WIDTH, self._end + _LEGEND), _PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._colour = {part.name: _COLOURS[at % len(_COLOURS)] for at, part in enumerate(score.parts)}

    def paint(self) -> Image.Image:
        self._background()
        self._sections()
        for part in reversed(self._tonal):
            self._notes(part)
        for part in self._drums:
            self._strokes(part)
        self._titles()
        self._legend()
        return self._image.reduce(_SCALE)

    def _x(self, tick: float) -> float:
        return _LEFT + tick / max(self._score.end_tick, 1) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, pitch: int) -> int:
        return _TOP + (self._high - pitch) * self._row

    def _background(self) -> None:
        for pitch in range(self._low, self._high + 1):
            if pitch % 12 in _BLACK_KEYS:
                self._draw.rectangle(
                    [_LEFT, self._y(pitch), _WIDTH - _RIGHT, self._y(pitch) + self._row], (244, 240, 231)
                )
            if pitch % 12 == 0:
                y = self._y(pitch) + self._row
                self._draw.line([_LEFT, y, _WIDTH - _RIGHT, y], _LINE, _SCALE)
                self._text((_LEFT - 10 * _SCALE, y - self._row / 2), f"C{pitch // 12 - 1}", 13, _SOFT, "rm")
        bar, bars = self._score.meter.bar_ticks, self._score.bars
        every = max(1, round(bars / 24))
        for number in range(bars + 1):
            x = self._x(number * bar)
            self._draw.line([x, _TOP, x, self._end], _LINE, _SCALE if number % 4 else 2 * _SCALE)
            if number % every == 0 and number < bars:
                self._text((x + 3 * _SCALE, _TOP - 4 * _SCALE), str(number + 1), 11, _SOFT, "ls")

    def _sections(self) -> None:
        """A band above the notes; the stronger the colour, the higher the energy."""
        bar = self._score.meter.bar_ticks
        for section in self._score.sections:
            left, right = self._x(section.start_bar * bar), self._x((section.start_bar + section.bars) * bar)
            shade = tuple(round(236 + (c - 236) * (0.15 + 0.6 * section.energy)) for c in (228, 87, 46))
            box = [left + _SCALE, _TOP - 46 * _SCALE, right - _SCALE, _TOP - 22 * _SCALE]
            self._draw.rounded_rectangle(box, 5 * _SCALE, (shade[0], shade[1], shade[2]))
            if right - left > 9 * _SCALE * len(section.name):
                self._text((left + 9 * _SCALE, _TOP - 34 * _SCALE), section.name, 14, _INK, "lm")
            self._draw.line([left, _TOP - 46 * _SCALE, left, self._end], (190, 180, 170), _SCALE)

    def _notes(self, part: Part) -> None:
        colour = self._colour[part.name]
        for note in part.notes:
            share = 0.35 + 0.65 * note.velocity / 127
            fill = tuple(round(250 + (c - 250) * share) for c in colour)
            left, right = self._x(note.onset), max(self._x(note.end) - _SCALE, self._x(note.onset) + 3 * _SCALE)
            top = self._y(note.pitch)
            box = [left, top + 1, right, top + self._row - 1]
            self._draw.rounded_rectangle(box, min(self._row / 2 - 1, 4 * _SCALE), (fill[0], fill[1], fill[2]), colour)

    def _strokes(self, part: Part) -> None:
        for lane, pitch in enumerate(self._lanes):
            y = self._lane(lane)
            self._draw.line([_LEFT, y, _WIDTH - _RIGHT, y], _LINE, _SCALE)
            self._text((_LEFT - 10 * _SCALE, y), piece(pitch).replace("_", " "), 11, _SOFT, "rm")
        for note in part.notes:
            x, y = self._x(note.onset), self._lane(self._lanes.index(note.pitch))
            size = (1.5 + 4.0 * note.velocity / 127) * _SCALE
            self._draw.ellipse([x - size, y - size, x + size, y + size], self._colour[part.name])

    def _lane(self, number: int) -> int:
        return self._tones_end + 18 * _SCALE + number * _LANE + _LANE // 2

    def _titles(self) -> None:
        score = self._score
        self._text((_LEFT, 34 * _SCALE), score.title or "Untitled", 28, _INK, "lm")
        minutes, seconds = divmod(round(score.length_s), 60)
        facts = "  ·  ".join(
            (
                str(score.key),
                f"{score.tempo_bpm:.0f} bpm",
                str(score.meter),
                f"{score.bars} bars",
                f"{minutes}:{seconds:02d}",
            )
        )
        self._text((_WIDTH - _RIGHT, 34 * _SCALE), facts, 16, _SOFT, "rm")

    def _legend(self) -> None:
        x, y = float(_LEFT), self._end + _LEGEND // 2
        for part in self._score.parts:
            size = 6 * _SCALE
            label = INSTRUMENTS[part.instrument].label if part.instrument in INSTRUMENTS else part.instrument
            text = f"{part.role}: {label}"
            width = self._font(14).getlength(text)
            if x + width > _WIDTH - _RIGHT:
                break
            self._draw.rounded_rectangle([x, y - size, x + 2 * size, y + size], 3 * _SCALE, self._colour[part.name])
            self._text((x + 2 * size + 7 * _SCALE, y), text, 14, _INK, "lm")
            x += width + 2 * size + 30 * _SCALE

    def _text(self, place: tuple[float, float], text: str, size: int, colour: Colour, anchor: str) -> None:
        self._draw.text(place, text, colour, self._font(size), anchor)

    @staticmethod
    def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * _SCALE)
