"""A music file of any kind we know as a Score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from generator.errors import NotationError
from generator.notation.abc_in import read_abc
from generator.notation.exact import read_exact
from generator.notation.midi_in import read_midi
from generator.notation.musicxml_in import read_musicxml
from generator.score import Score

READERS: Mapping[str, Callable[[Path], Score]] = {
    ".mid": read_midi, ".midi": read_midi, ".musicxml": read_musicxml, ".xml": read_musicxml, ".mxl": read_musicxml,
    ".abc": read_abc, ".json": read_exact,
}  # fmt: skip

PAGES = frozenset({".musicxml", ".xml", ".mxl", ".abc"})
"""Endings of files that hold what is written, not how it is played."""


def read_score(path: Path) -> Score:
    """Read a file by its ending. Raises NotationError with one sentence."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise NotationError(f"{path.name} is not a music file I can read; give one of {', '.join(READERS)}.")
    if not path.is_file():
        raise NotationError(f"There is no file {path}.")
    return reader(path)
