"""The pictures of a piece: its cover, and its notes as a piano roll."""

from __future__ import annotations

from pathlib import Path

from generator.brief import Brief
from generator.produce import canvas
from generator.produce.files import whole_file
from generator.produce.roll import draw_roll
from generator.produce.scenes import SCENES
from generator.score import Score
from generator.seeds import stream

COVER_SIZE = 1024


def cover(score: Score, brief: Brief, path: Path) -> None:
    """Paint a 1024 px PNG from the piece: the style chooses scene and colours, the mood shifts them, the notes draw.

    The same score and brief give the same picture. Raises EncodeError when the file cannot be written.
    """
    random = stream(brief.seed, "cover")
    colours = canvas.palette(brief, random)
    image = canvas.finish(SCENES[colours.scene](score, colours, random), random, COVER_SIZE)
    with whole_file(path) as place:
        image.save(place, "PNG")


def piano_roll(score: Score, path: Path) -> None:
    """Draw every part's notes over time with sections, bars and a legend, as a PNG 1600 px wide.

    Raises EncodeError when the file cannot be written.
    """
    image = draw_roll(score)
    with whole_file(path) as place:
        image.save(place, "PNG", optimize=True)
