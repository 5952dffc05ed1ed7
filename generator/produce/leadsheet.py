"""The lead sheet: melody, chord symbols, sections and words as a musician reads them, engraved by verovio.

verovio and resvg are loaded when a sheet is drawn. Text is set in the STIX face that lies beside this module: its
letters are as wide as those verovio reckons with, and the picture does not depend on the fonts of a machine.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from generator.errors import EncodeError
from generator.notation.musicxml import write_musicxml
from generator.score import PPQ, Note, Part, Score

WIDTH = 1600
_SUNG = ("melody", "counter", "chords", "pad", "bass")
_BREATH = PPQ
_TITLE_HEIGHT, _MARGIN = 132, 80
_PAPER, _INK, _SOFT = 255, 24, 107
# verovio sets accidentals of chord names and the metronome's note in its music font (at SMuFL's places); the text
# font has them at Unicode's.
_SYMBOLS = {
    "\uea63": "♭♭", "\uea64": "♭", "\uea65": "♮", "\uea66": "♯", "\uea67": "♯♯", "\ueca5": "♩", "\ueca7": "♪",
    "\uecb7": ".",
}  # fmt: skip
_IN_MUSIC_SIZE = re.compile(r'(<tspan[^>]* font-size=")([\d.]+)(px"[^>]*>[♭♮♯])')
_TO_TEXT_SIZE = 0.44
# Strokes are for what has a width: verovio's style gives them to every sign as well, so thin that they only take time.
_ALL_STROKED, _STROKED = re.compile(r"#\w+ path, "), "path[stroke-width], "
_PART_NAME = re.compile(r"<part-name>[^<]*</part-name>|<part-abbreviation>[^<]*</part-abbreviation>")
_DEGREE = re.compile(r"<degree\b.*?</degree>", re.DOTALL)
_OPTIONS = {
    "adjustPageHeight": True, "breaks": "auto", "footer": "none", "header": "none", "pageHeight": 60000,
    "pageWidth": 2100, "pageMarginLeft": 105, "pageMarginRight": 105, "pageMarginTop": 40, "pageMarginBottom": 60,
    "scale": 40, "spacingSystem": 8, "svgViewBox": True, "lyricSize": 4.0, "spacingLinear": 0.3,
    "spacingNonLinear": 0.55, "smuflTextFont": "none",
}  # fmt: skip


def draw_leadsheet(score: Score) -> Image.Image:
    """Engrave the leading part of a score in grey, 1600 px wide and as high as it takes. Raises EncodeError."""
    with as_file(files(__package__).joinpath("fonts", "STIXGeneral.ttf")) as font:
        music = _png(_svg(replace(score, parts=_lead(score.parts))), font)
        page = Image.new("L", (WIDTH, _TITLE_HEIGHT + music.height), _PAPER)
        page.paste(music, (0, _TITLE_HEIGHT))
        _head(ImageDraw.Draw(page), score, font)
    return page


def _lead(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The part that carries the tune; where nobody does, the next that has pitches."""
    leading = sorted((part for part in parts if part.role in _SUNG), key=lambda part: _SUNG.index(part.role))
    return tuple(replace(part, notes=_unbroken(part.notes)) for part in leading[:1])


def _unbroken(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Notes that last until the next where less than `_BREATH` is between them, or they overlap by less: a sheet shows
    the rhythm, and how short a note is touched, or how long it rings, is the player's."""
    onsets = sorted({note.onset for note in notes})
    following = dict(pairwise(onsets))
    return tuple(
        replace(note, duration=following[note.onset] - note.onset)
        if note.onset in following and abs(following[note.onset] - note.end) < _BREATH
        else note
        for note in notes
    )


def _svg(score: Score) -> str:
    import verovio  # noqa: PLC0415 - its fonts take time to load

    verovio.enableLog(verovio.LOG_OFF)
    # verovio knows where its fonts are only in the thread that first imported it.
    verovio.setDefaultResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "lead.musicxml"
        write_musicxml(score, page)
        # A sheet of one part needs no name before its staff, and verovio would set "add9" twice.
        music = _PART_NAME.sub("<part-name/>", page.read_text(encoding="utf-8"), count=1)
        if not toolkit.loadData(_DEGREE.sub("", music)):
            raise EncodeError("The lead sheet could not be engraved.")
    svg = _ALL_STROKED.sub(_STROKED, str(toolkit.renderToSVG(1)), count=1)
    for private, public in _SYMBOLS.items():
        svg = svg.replace(private, public)
    return _IN_MUSIC_SIZE.sub(lambda found: f"{found[1]}{float(found[2]) * _TO_TEXT_SIZE:.0f}{found[3]}", svg)


def _png(svg: str, font: Path) -> Image.Image:
    import resvg_py  # noqa: PLC0415 - as above

    try:
        data = resvg_py.svg_to_bytes(
            svg_string=svg, width=WIDTH, background="#ffffff", skip_system_fonts=True, font_files=[str(font)],
            font_family="STIXGeneral", serif_family="STIXGeneral",
        )  # fmt: skip
    except ValueError as error:
        raise EncodeError(f"The lead sheet could not be drawn: {error}.") from error
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("L")


def _head(draw: ImageDraw.ImageDraw, score: Score, font: Path) -> None:
    title, facts = ImageFont.truetype(font, 44), ImageFont.truetype(font, 24)
    draw.text((WIDTH / 2, 66), score.title or "Untitled", _INK, title, "mm")
    draw.text((_MARGIN, 112), str(score.key).replace("b ", "♭ ", 1).replace("# ", "♯ ", 1), _SOFT, facts, "lm")
    draw.text((WIDTH - _MARGIN, 112), "Tunesmith", _SOFT, facts, "rm")
