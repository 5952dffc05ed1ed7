"""Listening histories from files, streamed: Spotify, ListenBrainz, Last.fm and Apple Music exports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from personalization.listens import HistoryError, Listen
from personalization.sources.archive import Document, documents, readable
from personalization.sources.formats import format_of, wrong_package
from personalization.sources.records import records

_EXPECTED = (
    "send Spotify’s Extended Streaming History (Streaming_History_Audio_….json or its zip), a ListenBrainz export, "
    "a Last.fm CSV or Apple’s “Apple Music Play Activity.csv”"
)


class Export:
    """The plays of a file; iterate once. Afterwards `packages`, `skipped` and `notes` tell what it held.

    A file that breaks off gives what lies before the break and a note; only one that gives nothing is an error.
    """

    def __init__(self, path: Path) -> None:
        self.packages: Counter[str] = Counter()
        """Records by kind of export."""
        self.skipped: Counter[str] = Counter()
        """Records that are no plays, by reason."""
        self.notes: list[str] = []
        """Sentences for whoever sent it."""
        self._path = path
        self._wrong: str | None = None
        self._done: Callable[[], float] = lambda: 0.0

    def __iter__(self) -> Iterator[Listen]:
        """Raises:
        HistoryError: the file holds no history, is damaged from the start, or unpacks to more than is reasonable.
        """
        damage: list[HistoryError] = []
        try:
            for document in documents(self._path):
                self._done = document.done
                try:
                    with readable(document.name):
                        yield from self._plays(document)
                except HistoryError as error:
                    damage.append(error)
        except HistoryError as error:  # the archive itself
            damage.append(error)
        self._done = lambda: 1.0
        if not self.packages:
            raise damage[0] if damage else HistoryError(self._nothing())
        self.notes += [str(error) for error in damage]

    @property
    def fraction(self) -> float:
        """How much is read, 0 … 1."""
        return self._done()

    @property
    def package(self) -> str:
        """The kind of export that most records belong to."""
        return self.packages.most_common(1)[0][0]

    def _plays(self, document: Document) -> Iterator[Listen]:
        for record in records(document.name, document.text):
            kind = format_of(record)
            if kind is None:
                self.skipped["not a play"] += 1
                self._wrong = self._wrong or wrong_package(record)
                continue
            if kind.name not in self.packages and kind.note:
                self.notes.append(kind.note)
            self.packages[kind.name] += 1
            play = kind.read(record)
            if isinstance(play, Listen):
                yield play
            else:
                self.skipped[play] += 1

    def _nothing(self) -> str:
        what = f"is {self._wrong}" if self._wrong else f"holds no listening history I can read; {_EXPECTED}"
        return f"{self._path.name} {what}."
