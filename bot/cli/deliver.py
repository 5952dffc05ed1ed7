"""Putting a finished piece into the folder somebody named; the library under the home folder keeps its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bot.errors import UserError
from bot.service import TrackRecord

_OURS = "provenance.json"  # a folder that holds this was filled by us before


def prepare_out(folder: Path) -> None:
    """Raises UserError before anything is composed when the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".tunesmith-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be written: {error.strerror or error}.") from error


def deliver(track: TrackRecord, folder: Path) -> Path:
    """Link or copy the files into `folder`, each one whole or not at all; returns the folder.

    Raises UserError when it cannot be written.
    """
    names = [name for value in track.files.values() for name in (value if isinstance(value, list) else [value])]
    try:
        _clear_stems(folder)
        for name in names:
            source = Path(name)
            target = folder / source.relative_to(track.dir)
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(source, target)
    except OSError as error:
        raise UserError(
            f"The piece is safe as track {track.id}, but {folder} cannot be written: {error.strerror or error}."
        ) from error
    return folder


def _clear_stems(folder: Path) -> None:
    """Stems of the piece that was here before would look like stems of this one."""
    if (folder / _OURS).exists():
        for stem in (folder / "stems").glob("*.flac"):
            stem.unlink()


def _place(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        draft.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, draft)
    draft.replace(target)
