"""The text files of an export: one file, or an archive read from its stream within bounds, never unpacked to disk."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TextIO

from personalization.listens import HistoryError

MAX_FILE_BYTES = 512 * 2**20  # one file; read in pieces, so this bounds time, not memory
MAX_TOTAL_BYTES = 1024 * 2**20  # unpacked, of all files in an archive
MAX_INNER_BYTES = 128 * 2**20  # an archive within an archive is held in memory
MAX_ENTRIES = 2_000
MAX_RATIO = 200  # text packs about 15 : 1; beyond this it is a bomb
_TEXT = (".json", ".jsonl", ".csv")


@dataclass(frozen=True, slots=True)
class Document:
    """A text file of an export; `done` says what share of the whole export is read, 0 … 1, while it is open."""

    name: str
    text: TextIO
    done: Callable[[], float]


def documents(path: Path) -> Iterator[Document]:
    """Each text file of an export, one open at a time.

    Raises:
        HistoryError: the file is missing, unreadable, damaged, or unpacks to more than is reasonable.
    """
    if not path.is_file():
        raise HistoryError(f"There is no file {path.name}; check the path.")
    with readable(path.name):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from _entries(path.name, archive, nested=False)
            return
        if path.suffix.lower() == ".zip":
            raise HistoryError(f"{path.name} is broken or not a zip archive; download it again.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise HistoryError(f"{path.name} is larger than {MAX_FILE_BYTES // 2**20} MB; send its parts or the zip.")
        with path.open("rb") as stream:
            yield Document(path.name, _text(stream), lambda: stream.tell() / max(1, size))


@contextmanager
def readable(name: str) -> Iterator[None]:
    """What goes wrong while reading `name`, as a HistoryError with one sentence."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise HistoryError(f"{name} is not a text file; send the .json, .jsonl, .csv or .zip of the export.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise HistoryError(f"{name} is a damaged zip archive; download it again.") from error
    except OSError as error:
        raise HistoryError(f"{name} cannot be read: {error.strerror or error}.") from error


def _entries(name: str, archive: zipfile.ZipFile, *, nested: bool) -> Iterator[Document]:
    entries = [entry for entry in archive.infolist() if entry.filename.lower().endswith(_TEXT)]
    # Apple packs archives into an archive; nobody else has a reason to.
    inner = [entry for entry in archive.infolist() if not nested and _apples(entry.filename)]
    if not entries and not inner:
        raise HistoryError(f"{name} holds no JSON or CSV files; it is not a listening-history export.")
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or total > MAX_TOTAL_BYTES:
        raise HistoryError(f"{name} unpacks to more than I accept; send the history files alone.")
    if any(_is_bomb(entry, MAX_FILE_BYTES) for entry in entries) or any(_is_bomb(e, MAX_INNER_BYTES) for e in inner):
        raise HistoryError(f"{name} holds a file that unpacks to an unreasonable size.")
    before = 0
    for entry in entries:
        # The stream ends at the declared size, so that a size that lies is harmless.
        with archive.open(entry) as stream:
            share = partial(_share, stream, before, max(1, total))
            yield Document(PurePosixPath(entry.filename).name, _text(stream), share)
        before += entry.file_size
    for entry in inner:
        with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as within:
            yield from _entries(PurePosixPath(entry.filename).name, within, nested=True)


def _share(stream: IO[bytes], before: int, total: int) -> float:
    return (before + stream.tell()) / total


def _apples(filename: str) -> bool:
    name = PurePosixPath(filename).name.lower()
    return name.endswith(".zip") and name.startswith("apple")


def _is_bomb(entry: zipfile.ZipInfo, limit: int) -> bool:
    return entry.file_size > limit or entry.file_size > MAX_RATIO * max(1, entry.compress_size)


def _text(stream: IO[bytes]) -> TextIO:
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
