"""The data sets a corpus is built from. Built-in sets register as a third party's would: `register(DataSet(...))`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generator.corpus.piece import Piece
from generator.errors import CorpusError


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a set (or one row of its table); `labels` is what the set says of it.

    `left_out` says why the item is not to be read, for items that are no pieces.
    """

    path: str
    licence: str
    labels: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A folder of music, how to list it and how to read one item of it.

    Attributes:
        name: unique; becomes `Piece.source`.
        folder: its folder's name under the sources.
        licence: of the set as a whole; single items may have their own.
        credit: what attribution asks for, for the model card.
        kind: a word of `Piece.kind`; readers may set a narrower one for a piece.
        items: lists what is there. Raises CorpusError when the set's tables are missing.
        read: yields the pieces of an item. Raises Unusable.
    """

    name: str
    folder: str
    licence: str
    credit: str
    kind: str
    items: Callable[[Path, DataSet], Iterable[Item]]
    read: Callable[[Path, DataSet, Item], Iterator[Piece]]


_SETS: dict[str, DataSet] = {}


def register(dataset: DataSet) -> DataSet:
    """Add a set. Raises CorpusError when the name is taken."""
    if dataset.name in _SETS:
        raise CorpusError(f"There is already a data set named {dataset.name}.")
    _SETS[dataset.name] = dataset
    return dataset


def datasets() -> tuple[DataSet, ...]:
    """All registered sets, in the order of registration."""
    return tuple(_SETS.values())


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated table with a header. Raises CorpusError when it is not there."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(lines, delimiter="\t")]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"The table {path.name} of the data set {path.parent.name} cannot be read.") from error
