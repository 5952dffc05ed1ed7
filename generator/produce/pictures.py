"""The pictures of a piece: its cover, its notes as a piano roll and as a lead sheet, its sound as a waveform."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from generator.brief import Brief
from generator.produce import canvas
from generator.produce.files import whole_file
from generator.produce.leadsheet import draw_leadsheet
from generator.produce.roll import draw_roll
from generator.produce.scenes import SCENES
from generator.produce.waveform import draw_waveform
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


def leadsheet(score: Score, path: Path) -> None:
    """Engrave melody, chords and words as a PNG 1600 px wide. Raises EncodeError as above, and where it cannot be."""
    image = draw_leadsheet(score)
    with whole_file(path) as place:
        image.quantize(16).save(place, "PNG", optimize=True)


def waveform(audio: Tensor, rate: int, score: Score, path: Path) -> None:
    """Draw the finished sound [2, n] with its sections as a PNG 1600 px wide. Raises EncodeError as above."""
    image = draw_waveform(audio, rate, score)
    with whole_file(path) as place:
        image.save(place, "PNG", optimize=True)
