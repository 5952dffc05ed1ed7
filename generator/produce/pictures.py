"""The pictures of a piece: its cover, its notes as a piano roll and as a lead sheet, its sound as a waveform."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from generator.brief import Brief
from generator.produce import canvas
from generator.produce.files import whole_file
from generator.produce.leadsheet import draw_leadsheet
from generator.produce.roll import draw_roll
from generator.produce.scenes import SCENES
from generator.produce.waveform import draw_waveform
from generator.score import Score
from generator.seeds import stream

if TYPE_CHECKING:  # pictures are drawn where torch need not be
    from torch import Tensor

COVER_SIZE = 1024
_EFFORT = 4  # of 9: a twentieth larger than the most usual one leaves it
_SIXTEEN_GREYS = [round(level / 17) * 17 for level in range(256)]


def cover(score: Score, brief: Brief, path: Path) -> Image.Image:
    """Paint a 1024 px PNG from the piece: the style chooses scene and colours, the mood shifts them, the notes draw.

    The same score and brief give the same picture. Raises EncodeError when the file cannot be written.
    """
    random = stream(brief.seed, "cover")
    colours = canvas.palette(brief, random)
    image = canvas.finish(SCENES[colours.scene](score, colours, random), random, COVER_SIZE)
    # Its grain does not shrink, however hard one tries; a search for what comes back would only take time.
    _save(image, path, compress_type=zlib.Z_HUFFMAN_ONLY)
    return image


def piano_roll(score: Score, path: Path) -> None:
    """Draw every part's notes over time with sections, bars and a legend, as a PNG 1600 px wide.

    Raises EncodeError when the file cannot be written.
    """
    _save(draw_roll(score), path)


def leadsheet(score: Score, path: Path) -> None:
    """Engrave melody, chords and words as a PNG 1600 px wide. Raises EncodeError as above, and where it cannot be."""
    _save(draw_leadsheet(score).point(_SIXTEEN_GREYS), path)


def waveform(audio: Tensor, rate: int, score: Score, path: Path) -> None:
    """Draw the finished sound [2, n] with its sections as a PNG 1600 px wide. Raises EncodeError as above."""
    _save(draw_waveform(audio, rate, score), path)


def _save(image: Image.Image, path: Path, **how: int) -> None:
    with whole_file(path) as place:
        image.save(place, "PNG", compress_level=_EFFORT, **how)
