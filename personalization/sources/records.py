"""The records of one text file, read in pieces: JSON arrays, JSON lines, or CSV. Content decides, never the name."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from personalization.listens import HistoryError

CHUNK = 2**18  # characters
MAX_RECORD = 2**21  # characters; a play has a few hundred
_SPACE = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()

Record = dict[str, Any]


def records(name: str, text: TextIO) -> Iterator[Record]:
    """Every object of a JSON file, or every row of a CSV file under its lower-case header.

    A CSV file whose first row holds no header gives its rows under "0", "1", ….

    Raises:
        HistoryError: the file is cut off, malformed or nested absurdly; the records before that have been given.
        UnicodeDecodeError, OSError, zipfile.BadZipFile: as the stream.
    """
    start = ""
    while not start.strip():
        chunk = text.read(CHUNK)
        if not chunk:
            return
        start += chunk.lstrip("\ufeff")
        if len(start) > MAX_RECORD:
            return
    start = start.lstrip()
    if start[0] in "[{":
        yield from _json_records(name, start, text)
    else:
        yield from _csv_records(name, itertools.chain(_lines(start, text)))


def _json_records(name: str, window: str, text: TextIO) -> Iterator[Record]:
    """The objects of an array, or one after the other, out of a window that moves over the text."""
    within = window[0] == "["
    at, ended = int(within), False
    while True:
        at = _SPACE.match(window, at).end()  # type: ignore[union-attr] # it matches nothing, too
        if at < len(window) and not (within and window[at] == "]"):
            try:
                value, at = _DECODER.raw_decode(window, at)
            except RecursionError as error:
                raise HistoryError(f"{name} is nested too deeply to be a history export.") from error
            except ValueError as error:
                if ended or len(window) - at > MAX_RECORD:
                    raise HistoryError(
                        f"{name} is not complete JSON after character {text_position(error)}; it may be cut off, "
                        "download it again."
                    ) from error
            else:
                yield from _objects(value)
                continue
        elif at < len(window):
            return
        if ended:
            if within:
                raise HistoryError(f"{name} is not complete JSON; it may be cut off, download it again.")
            return
        chunk = text.read(CHUNK)
        ended = not chunk
        window, at = window[at:] + chunk, 0


def text_position(error: ValueError) -> int:
    return error.pos if isinstance(error, json.JSONDecodeError) else 0


def _objects(value: object) -> Iterator[Record]:
    """A record, or the records of a page: some exporters write an array of pages."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))


def _lines(start: str, text: TextIO) -> Iterator[str]:
    """Lines of bounded length: a file without line breaks must not end up in memory."""
    window = start
    while window:
        *whole, window = window.splitlines(keepends=True)
        yield from whole
        chunk = text.read(CHUNK)
        if not chunk or len(window) > MAX_RECORD:
            yield window
            window = ""
        window += chunk


def _csv_records(name: str, lines: Iterable[str]) -> Iterator[Record]:
    rows = csv.reader(lines)
    header: list[str] | None = None
    try:
        for row in rows:
            if header is None:
                header = [cell.strip().lower() for cell in row]
                if not _is_header(header):
                    header = [str(number) for number in range(len(row))]
                    yield dict(zip(header, row, strict=False))
            elif row:
                yield dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise HistoryError(f"{name} is not a whole CSV file (line {rows.line_num}); export it again.") from error


def _is_header(cells: list[str]) -> bool:
    return any(cell in {"artist", "uts", "song name", "track", "track name", "artist name"} for cell in cells)
