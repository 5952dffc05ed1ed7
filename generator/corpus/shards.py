"""A built corpus on disk: one shard of JSON lines for each data set, an index of its pieces and a manifest."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generator.corpus.codec import decode
from generator.corpus.piece import Piece
from generator.errors import CorpusError

VERSION = 1
"""Changes whenever a shard or the index changes its meaning, or a reader reads otherwise."""
MANIFEST, INDEX = "manifest.json", "index.json"


@dataclass(frozen=True, slots=True)
class PieceRef:
    """Where a piece lies and what is in it. `split` is "train" or "valid"; `offset` and `length` are bytes."""

    source: str
    path: str
    kind: str
    split: str
    bars: int
    notes: int
    parts: tuple[str, ...]
    styles: tuple[str, ...]
    has_lyrics: bool
    shard: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus folder. `manifest` holds each set's licence, credit, counts and checksum; `refs` all pieces, twins
    once."""

    folder: Path
    manifest: dict[str, Any]
    refs: tuple[PieceRef, ...]

    def load(self, ref: PieceRef) -> Piece:
        """One piece. Raises CorpusError when the shard has changed under our hands."""
        try:
            with (self.folder / ref.shard).open("rb") as shard:
                shard.seek(ref.offset)
                return decode(shard.read(ref.length))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise CorpusError(
                f"The piece {ref.path} cannot be read from {ref.shard}; build the corpus again."
            ) from error


def open_corpus(folder: Path) -> Corpus:
    """Open a finished corpus and check every shard against its checksum.

    Raises CorpusError when it is not there, of another version or damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise CorpusError(f"There is no finished corpus in {folder}; build one with “tunesmith corpus build”.")
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
        raise CorpusError(f"The corpus in {folder} was built by another version; build it again.")
    try:
        sums = {INDEX: manifest["index_sha256"]} | {s["shard"]: s["sha256"] for s in manifest["sets"].values()}
        for name, expected in sums.items():
            if file_sha256(folder / name) != expected:
                raise CorpusError(f"The file {name} of the corpus in {folder} is damaged; build the corpus again.")
        refs = tuple(
            PieceRef(**{**row, "parts": tuple(row["parts"]), "styles": tuple(row["styles"])})
            for row in read_json(folder / INDEX)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"The manifest of the corpus in {folder} is damaged; build the corpus again.") from error
    return Corpus(folder, manifest, refs)


def write_index(folder: Path, refs: list[PieceRef]) -> str:
    """Write the index and return its checksum."""
    data = json.dumps([asdict(ref) for ref in refs], ensure_ascii=False, separators=(",", ":")).encode()
    write_whole(folder / INDEX, data)
    return hashlib.sha256(data).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_json(path: Path) -> Any:
    """Raises CorpusError for a file that is missing or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CorpusError(f"The file {path} is missing or damaged; build the corpus again.") from error


def file_sha256(path: Path) -> str:
    """Empty for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
