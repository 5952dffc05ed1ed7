"""What a listener does with pieces that are in the making or finished: wait, stop, find again, delete."""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import NotFoundError, UserError
from bot.jobs.queue import Queue
from bot.store.store import Store

FAVOURITE = 4  # stars, and more
_RECENT = 20  # pieces that an estimate is drawn from


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message with a piece is; `channel_open` says whether we may write there."""

    channel_id: str | None
    message_id: str | None
    channel_open: bool


class Pieces:
    def __init__(self, store: Store, queue: Queue) -> None:
        self._store = store
        self._queue = queue

    async def usual_s(self) -> float | None:
        """How long composing took lately, the median in seconds; None while nothing was composed."""
        taken = await self._store.jobs.recent_durations_s(_RECENT)
        return statistics.median(taken) if taken else None

    async def cancel(self, listener_id: str, job_id: str) -> bool:
        """Stop an own request that is not composed yet, and its other take; False when it is too late.

        Raises UserError.
        """
        await self._own_job(listener_id, job_id)
        await self._cancel_other(job_id)
        return await self._queue.cancel(job_id)

    async def cancel_background(self, job_id: str) -> bool:
        """Stop a job that nobody waits for any more; False when it is too late."""
        return await self._queue.cancel(job_id)

    async def place(self, track_id: str) -> Place | None:
        """Where a piece was posted, as far as that is known."""
        row = await self._store.messages.of_job(track_id)
        return None if row is None else Place(row["channel_id"], row["message_id"], row["channel_open"])

    async def favourites(self, listener_id: str, limit: int) -> list[tuple[Mapping[str, Any], int]]:
        """Rows of the tracks a listener rated 4 or 5 and the stars, the newest rating first."""
        rated = await self._store.ratings.of_listener(listener_id)
        best = [row for row in reversed(rated) if row["stars"] >= FAVOURITE][:limit]
        found = [(await self._store.tracks.get(row["track_id"]), row["stars"]) for row in best]
        return [(dict(track), stars) for track, stars in found if track is not None]

    async def delete(self, listener_id: str, track_id: str) -> None:
        """Delete an own piece: its row, ratings, request and files. Raises UserError."""
        await self._own_job(listener_id, track_id)
        track = await self._store.tracks.get(track_id)
        await self._cancel_other(track_id)
        await self._store.jobs.remove(track_id)
        if track is not None:
            await asyncio.to_thread(shutil.rmtree, Path(track["dir"]), ignore_errors=True)

    async def _cancel_other(self, first_id: str) -> None:
        """Make no second take of what nobody wants."""
        pair = await self._store.pairs.of_first(first_id)
        if pair is not None:
            await self._queue.cancel(pair["second_id"])

    async def _own_job(self, listener_id: str, job_id: str) -> None:
        job = await self._queue.get(job_id)
        if job is None:
            raise NotFoundError(f"There is no piece {job_id} any more.")
        if job.listener_id != listener_id:
            raise UserError("Only the one who asked for this piece can do that.")
