"""One data set into one shard: read by several processes, written in order, whole or not at all, and resumable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from generator.corpus.codec import encode
from generator.corpus.licences import is_allowed
from generator.corpus.music import LeftOut, Unusable
from generator.corpus.piece import PARTS, Piece
from generator.corpus.registry import DataSet, Item
from generator.corpus.shards import VERSION, file_sha256, write_whole
from generator.corpus.twins import Fingerprint, fingerprint

CHUNK = 8
"""Items handed to a process at once."""
Progress = Callable[[str, int, int], None]
"""Called with the set's name, items done and items in all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece in a shard: what the index says of it, and its fingerprint."""

    path: str
    kind: str
    licence: str
    bars: int
    notes: int
    parts: tuple[str, ...]
    styles: tuple[str, ...]
    has_lyrics: bool
    offset: int
    length: int
    basis: str
    hashes: tuple[int, ...]

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.basis, self.hashes)


@dataclass(frozen=True, slots=True)
class Staged:
    """What came of a set: its pieces, and (path, reason) of what failed and of what was left out on purpose."""

    version: int
    inputs: str
    shard: str
    sha256: str
    files: int
    entries: tuple[Entry, ...]
    failures: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]

    @staticmethod
    def load(path: Path) -> Staged | None:
        """None when there is none, or not one of this version."""
        try:
            data = json.loads(path.read_bytes())
            if data["version"] != VERSION:
                return None
            data["entries"] = tuple(
                Entry(**{**e, **{name: tuple(e[name]) for name in ("parts", "styles", "hashes")}})
                for e in data["entries"]
            )
            data["failures"] = tuple((path, reason) for path, reason in data["failures"])
            data["left_out"] = tuple((path, reason) for path, reason in data["left_out"])
            return Staged(**data)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        write_whole(path, json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class _Result:
    path: str
    pieces: tuple[tuple[bytes, Entry], ...] = ()
    failure: str = ""
    left_out: str = ""


def stage(dataset: DataSet, folder: Path, out: Path, pool: Executor, progress: Progress) -> Staged:
    """Build a set's shard in `out`, or take the finished one when its inputs have not changed.

    Raises CorpusError when the set's tables cannot be read.
    """
    items = list(dataset.items(folder, dataset))
    inputs = _inputs(dataset, folder, items)
    sidecar = out / f"{dataset.name}.json"
    shard = f"{dataset.name}.jsonl"
    done = Staged.load(sidecar)
    if done is not None and done.inputs == inputs and file_sha256(out / shard) == done.sha256:
        progress(dataset.name, len(items), len(items))
        return done
    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    results = pool.map(_read_chunk, *zip(*((dataset, folder, chunk) for chunk in chunks), strict=True)) if items else ()
    with _Writer(out / shard) as writer:
        for chunk in results:
            for result in chunk:
                writer.add(result)
            progress(dataset.name, writer.files, len(items))
    staged = writer.staged(inputs)
    staged.save(sidecar)
    return staged


class _Writer:
    """A shard in the making: beside its place until it is whole."""

    def __init__(self, path: Path) -> None:
        self.files = 0
        self._path, self._part = path, path.with_name(f".{path.name}.part")
        self._digest = hashlib.sha256()
        self._entries: list[Entry] = []
        self._failures: list[tuple[str, str]] = []
        self._left_out: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            self._part.replace(self._path)

    def add(self, result: _Result) -> None:
        self.files += 1
        for line, entry in result.pieces:
            self._entries.append(replace(entry, offset=self._file.tell()))
            self._file.write(line)
            self._digest.update(line)
        if result.failure:
            self._failures.append((result.path, result.failure))
        if result.left_out:
            self._left_out.append((result.path, result.left_out))

    def staged(self, inputs: str) -> Staged:
        lists = tuple(self._entries), tuple(self._failures), tuple(self._left_out)
        return Staged(VERSION, inputs, self._path.name, self._digest.hexdigest(), self.files, *lists)


def _inputs(dataset: DataSet, folder: Path, items: Iterable[Item]) -> str:
    """A hash over everything that goes into a shard: the items, their labels and the bytes of their files."""
    digest = hashlib.sha256(f"{VERSION} {dataset.name} {dataset.licence}".encode())
    for item in items:
        digest.update(json.dumps([item.path, item.licence, item.left_out, dict(item.labels)], sort_keys=True).encode())
        digest.update(file_sha256(folder / item.path).encode())
    return digest.hexdigest()


def _read_chunk(dataset: DataSet, folder: Path, items: list[Item]) -> list[_Result]:
    return [_read_item(dataset, folder, item) for item in items]


def _read_item(dataset: DataSet, folder: Path, item: Item) -> _Result:
    refused = "" if is_allowed(item.licence) else f"the licence “{item.licence}” is not on the allow-list"
    if refused or item.left_out:
        return _Result(item.path, left_out=refused or item.left_out)
    try:
        pieces = tuple(
            (line := encode(piece), _entry(piece, len(line))) for piece in dataset.read(folder, dataset, item)
        )
    except LeftOut as reason:
        return _Result(item.path, left_out=str(reason))
    except Unusable as reason:
        return _Result(item.path, failure=str(reason))
    except FileNotFoundError:
        return _Result(item.path, failure="the file is missing")
    except Exception as error:  # noqa: BLE001 - a reader's fault in one file is reported with the others, by name
        return _Result(item.path, failure=f"the reader failed: {type(error).__name__}: {error}")
    return _Result(item.path, pieces, failure="" if pieces else "no piece in it")


def _entry(piece: Piece, length: int) -> Entry:
    found = fingerprint(piece)
    notes = sum(len(getattr(bar, part)) for bar in piece.bars for part in PARTS if part != "chords")
    return Entry(
        piece.path, piece.kind, piece.licence, len(piece.bars), notes, piece.parts, piece.styles, piece.has_lyrics,
        0, length, found.basis, found.hashes,
    )  # fmt: skip
