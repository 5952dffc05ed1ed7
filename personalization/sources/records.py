"""The records of one text file, read in pieces: JSON arrays, JSON lines, or CSV. Content decides, never the name."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from personalization.listens import HistoryError

CHUNK = 2**18  # characters
MAX_RECORD = 2**21  # characters; a play has a few hundred
MAX_MISTAKES = 1000
_NEXT = re.compile(r"[{\[\]]")
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
        start += chunk
        if len(start) > MAX_RECORD:
            return
    start = start.lstrip()
    if start[0] in "[{":
        yield from _json_records(name, start, text)
    else:
        yield from _csv_records(name, _lines(start, text))


def _json_records(name: str, window: str, text: TextIO) -> Iterator[Record]:
    """The objects of an array, or one after the other, out of a window that moves over the text.

    What is malformed is stepped over up to the next brace, so that a broken record costs no other one.
    """
    within = window[0] == "["
    at, before, closed, ended = int(within), 0, not within, False
    mistakes: list[int] = []
    while len(mistakes) < MAX_MISTAKES:
        found = _NEXT.search(window, at)
        at = found.start() if found else len(window)
        if found and found[0] == "]":
            at, closed = at + 1, True
            continue
        if found:
            value, end, whole = _value(name, window, at, ended=ended)
            if whole:
                yield from _objects(value)
            elif whole is not None:
                mistakes.append(before + at)
            if end:
                at, closed = end, not within
                continue
        if ended:
            break
        chunk = text.read(CHUNK)
        ended = not chunk
        before += at
        window, at = window[at:] + chunk, 0
    if mistakes or not closed:
        place = f" at character {mistakes[0] + 1}" if mistakes else ""
        raise HistoryError(f"{name} is cut off or damaged{place}; download it again.")


def _value(name: str, window: str, at: int, *, ended: bool) -> tuple[object, int, bool | None]:
    """The value that begins at `at`, where to go on (0: when more is read), and whether it is whole.

    None for one that is too large to be a record: it is looked into instead.
    """
    try:
        value, end = _DECODER.raw_decode(window, at)
    except RecursionError as error:
        raise HistoryError(f"{name} is nested too deeply to be a history export.") from error
    except ValueError as error:
        place = error.pos if isinstance(error, json.JSONDecodeError) else 0
        open_string = str(error).startswith("Unterminated")
        # An error well before the end of the window is one; at the end, more text may cure it.
        if ended or not (open_string or place > len(window) - 16):
            return None, at + 1, False
        if len(window) - at > MAX_RECORD:
            return None, at + 1, False if place < len(window) - CHUNK else None
        return None, 0, None
    return value, end, True


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
