"""Writing files whole: a file appears under its name complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.errors import EncodeError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary place in the same folder that becomes `path` if all goes well and vanishes if not.

    Raises EncodeError when the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    except OSError as error:
        raise EncodeError(f"The folder {path.parent} cannot be written to: {error.strerror}.") from error
    try:
        place = folder / path.name
        yield place
        place.replace(path)
    except OSError as error:
        raise EncodeError(f"The file {path} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
