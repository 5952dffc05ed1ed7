"""From an export or a linked service into the store, a batch at a time: neither memory nor the loop is ever full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import clock
from bot.errors import UserError
from bot.store.listens import Listens

if TYPE_CHECKING:
    from personalization.listens import Listen

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an export: plays added, plays known before, rows skipped by reason, sentences for the person."""

    source: str
    package: str
    new: int
    known: int
    skipped: dict[str, int]
    notes: tuple[str, ...] = ()


async def import_export(
    listens: Listens, listener_id: str, path: Path, progress: Callable[[float, int], None] | None = None
) -> Imported:
    """Read in a thread, store in batches. Raises UserError for a file that gives nothing."""
    from personalization.listens import HistoryError  # noqa: PLC0415 - the front starts without the sources
    from personalization.sources.exports import Export  # noqa: PLC0415

    export = Export(path)
    plays = iter(export)
    read = new = 0
    source = ""
    while True:
        try:
            batch = await asyncio.to_thread(lambda: list(islice(plays, BATCH)))
        except HistoryError as error:
            raise UserError(str(error)) from error
        if not batch:
            break
        source = source or batch[0].source
        new += await add_listens(listens, listener_id, batch)
        read += len(batch)
        if progress is not None:
            progress(export.fraction, read)
    return Imported(source, export.package, new, read - new, dict(export.skipped), tuple(export.notes))


async def add_listens(listens: Listens, listener_id: str, plays: Iterable[Listen]) -> int:
    """Store plays, which by their type may be kept; how many were new."""
    return await listens.add(listener_id, [_row(play) for play in plays], clock.now())


def _row(play: Listen) -> dict[str, Any]:
    return {
        "source": play.source.value,
        "played_at": play.played_at,
        "artist": play.artist,
        "title": play.title,
        "album": play.album,
        "ms_played": play.ms_played,
        "genres": list(play.genres),
    }
