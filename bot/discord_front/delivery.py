"""Keeps the chat informed of jobs and posts what is finished, exactly once.

Works from the store alone, so it makes no difference which process composes, or whether this one was
restarted in between. Before a post the job is `posting`; after it the message id is recorded. A post that was
interrupted in between is looked for in the chat before it is made again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import discord

from bot import clock
from bot.discord_front.boundary import AWAY, TOO_MANY, transient
from bot.discord_front.buttons import piece_view, single_view
from bot.discord_front.pairs import SideBySide, coming
from bot.discord_front.replies import (
    STAR_EMOJI,
    carries,
    language_in,
    only,
    progress_line,
    track_embed,
    track_files,
)
from bot.errors import BotError, FrontError, NotFoundError
from bot.i18n.catalogue import say
from bot.i18n.told import told
from bot.jobs.job import INTERRUPTED, MAX_POSTS, Job
from bot.jobs.progress import Throttle
from bot.jobs.queue import Queue
from bot.logs import logger
from bot.service import Service, TrackRecord
from bot.store.store import Store
from generator.errors import EncodeError
from generator.produce.fit import Fit, fit

_GONE = (401, 403, 404)  # HTTP: this token or message is no more
_LOOK_BACK = 100  # messages of the channel searched for an interrupted post
_AT_ONCE = 20  # replies that are told how far the work is; more would stand in the way of those that come
_ORIGINAL: Any = "@original"  # stands for the id of the reply; the library only passes it on
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the store is looked at and a message is edited, in seconds; `rest_s` lies between two looks even when
    many wake us, since one look sees them all, and `compare_s` between two pieces whose reactions are compared."""

    poll_s: float = 1.0
    edit_s: float = 3.0
    rest_s: float = 0.2
    compare_s: float = 1.0


class Courier:
    """One per front; `run` until cancelled, then `pause`."""

    def __init__(
        self,
        client: discord.Client,
        store: Store,
        queue: Queue,
        service: Service,
        *,
        worker: str,
        pace: Pace | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._client = client
        self._store = store
        self._queue = queue
        self._service = service
        self._worker = worker
        self._pace = pace or Pace()
        self._now = now
        self._side_by_side = SideBySide(self, service, store.pairs)
        self._woken = asyncio.Event()
        self._throttles: dict[str, Throttle[str]] = {}
        self._showing = asyncio.Semaphore(_AT_ONCE)
        self._dead: set[str] = set()  # jobs whose reply token ended early
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._held: set[str] = set()  # interactions that are being acknowledged: before that there is nothing to edit

    def wake(self) -> None:
        self._woken.set()

    @contextmanager
    def held(self, interaction_id: str) -> Iterator[None]:
        """Leave the reply to an interaction alone meanwhile."""
        self._held.add(interaction_id)
        try:
            yield
        finally:
            self._held.discard(interaction_id)

    async def run(self) -> None:
        try:
            while True:
                await self._look()
                await asyncio.sleep(min(self._pace.rest_s, self._pace.poll_s))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.poll_s):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            tasks = list(self._busy.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def pause(self) -> None:
        """Tell those who still wait that this process stops."""
        with suppress(BotError, *AWAY, discord.HTTPException):
            async with asyncio.timeout(3):
                for row in await self._store.messages.open():
                    if row["state"] in {"queued", "running"} and self._token_lives(row):
                        await self._edit(row, content=say(language_in(row), "progress.paused"), view=None)

    async def _look(self) -> None:
        try:
            await self._queue.expire()
            rows = await self._store.messages.open()
            pairs = await self._store.pairs.open()
        except BotError as error:
            _log.warning("cannot look for replies", reason=str(error))
            return
        present = {row["job_id"] for row in rows}
        for job_id in set(self._throttles) - present:
            del self._throttles[job_id]
        self._dead &= present
        usual_s = await self._usual_s(rows)
        at_once = max(1, sum(row["state"] == "running" for row in rows))  # what is running shows how many can
        ahead = 0
        for row in rows:
            job_id = row["job_id"]
            if job_id not in self._busy and row["interaction_id"] not in self._held:
                wait_s = None if usual_s is None else usual_s * (1 + (ahead + 1) / at_once)
                self._begin(job_id, row["state"], partial(self._serve, row, ahead, wait_s))
            ahead += row["state"] == "queued"
        for row in pairs:
            if (name := f"pair {row['job_id']}") not in self._busy:
                self._begin(name, "done", partial(self._side_by_side.show, row))

    def _begin(self, name: str, state: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._carefully(name, state, work), name=f"reply {name}")
        self._busy[name] = task
        task.add_done_callback(partial(self._served, name))

    async def _usual_s(self, rows: Sequence[Any]) -> float | None:
        """How long a piece takes lately; asked only while somebody waits."""
        if not any(row["state"] == "queued" for row in rows):
            return None
        try:
            return await self._service.pieces.usual_s()
        except BotError as error:
            _log.warning("cannot estimate", reason=str(error))
            return None

    def _served(self, name: str, task: asyncio.Task[None]) -> None:
        del task, self._busy[name]

    async def _serve(self, row: Any, ahead: int, wait_s: float | None) -> None:
        """One look at one reply."""
        match row["state"]:
            case "queued" | "running":
                await self._show(row, ahead, wait_s)
            case "rendered" if row["not_before"] is None or row["not_before"] <= self._now():
                await self._post(row)
            case "failed" | "cancelled":
                await self._tell(row)
            case "done":
                await self._seed(row)

    async def _carefully(self, name: str, state: str, work: Callable[[], Awaitable[None]]) -> None:
        """Anything that goes wrong is tried again at the next look."""
        log = _log.bind(job=name, state=state)
        try:
            await work()
        except AWAY as error:
            log.info("chat is away", reason=repr(error))
        except discord.HTTPException as error:
            log.warning("chat refused", status=error.status, code=error.code)
        except BotError as error:
            log.warning("reply failed", reason=str(error))
        except Exception:
            log.exception("reply failed by a mistake of ours")

    async def _show(self, row: Any, ahead: int, wait_s: float | None) -> None:
        throttle = self._throttles.setdefault(row["job_id"], Throttle(self._pace.edit_s))
        line = progress_line(row, ahead, wait_s)
        if self._token_lives(row) and throttle.due(line, time.monotonic()):
            try:
                async with self._showing:
                    await self._edit(row, content=line, view=single_view("cancel", row["job_id"], language_in(row)))
            except discord.HTTPException as error:
                if error.status not in _GONE:
                    raise
                self._dead.add(row["job_id"])
                _log.info("reply token is dead", job=row["job_id"], code=error.code)

    async def _post(self, row: Any) -> None:
        job = await self._queue.take_post(row["job_id"], self._worker)
        if job is None:
            return
        try:
            track = await self._service.track(job.id)
            message = await self._found_or_sent(row, job, track)
        except (FrontError, NotFoundError) as error:
            await self._queue.put_back(job, str(error), final=True)
        except AWAY as error:
            _log.warning("post put back", job=job.id, reason=repr(error))
            await self._queue.put_back(job, "Discord could not be reached to post the piece; it is in your history.")
        except discord.HTTPException as error:
            _log.warning("post refused", job=job.id, status=error.status, code=error.code)
            reason = "Discord did not take the piece; it is in your history."
            await self._queue.put_back(job, reason, final=error.status != TOO_MANY)
        else:
            await self._queue.posted(job, str(message.id), str(message.channel.id))
            self.wake()  # to put the numbers under it

    async def _found_or_sent(self, row: Any, job: Job, track: TrackRecord) -> discord.Message:
        found = await self._find(row, job) if job.posts > 1 else None
        if found is None and job.posts > MAX_POSTS:
            raise FrontError(INTERRUPTED)
        return found or await self._send(row, track)

    async def _send(self, row: Any, track: TrackRecord) -> discord.Message:
        audio, smaller = await self.fitting(track, row["upload_limit"])
        language = language_in(row)
        words = coming(await self._store.pairs.of_first(track.id), language)
        parent = None if track.parent_id is None else await self._link(track.parent_id)
        embed = track_embed(track, language, row["proposal"], smaller, parent)
        view = piece_view(track.id, language)
        if self._token_lives(row):
            try:
                files = track_files(track, audio)
                return await self._edit(row, content=words or None, embed=embed, attachments=files, view=view)
            except discord.HTTPException as error:
                if error.status not in _GONE:
                    raise
                _log.info("reply token is dead", job=track.id, code=error.code)
        channel = self._channel(row)
        return await channel.send(
            content=f"<@{row['user_id']}> {words}".strip(),
            embed=embed,
            files=track_files(track, audio),
            view=view,
            nonce=track.id,  # Discord drops a second message with the same nonce for some minutes
            allowed_mentions=only(row),
        )

    async def _find(self, row: Any, job: Job) -> discord.Message | None:
        """The message an interrupted post may have left behind."""
        if self._token_lives(row):
            try:
                original = await self._webhook(row).fetch_message(_ORIGINAL)
            except discord.HTTPException as error:
                if error.status not in _GONE:
                    raise
            else:
                if carries(job.id, original.attachments):
                    return original
        if row["channel_open"] and row["channel_id"] is not None:
            with suppress(discord.NotFound, discord.Forbidden):
                since = row["created_at"] - timedelta(minutes=1)
                async for message in self._channel(row).history(limit=_LOOK_BACK, after=since, oldest_first=False):
                    if carries(job.id, message.attachments):
                        return message
        return None

    async def _tell(self, row: Any) -> None:
        """Say why there is no piece; a chat that does not want to know is left alone."""
        cancelled = row["state"] == "cancelled" or row["error"] is None
        language = language_in(row)
        sentence = say(language, "cancel.done") if cancelled else told(language, row["error"])
        try:
            if self._token_lives(row):
                await self._edit(row, content=sentence, embeds=[], attachments=[], view=None)
            else:
                channel = self._channel(row)
                content = f"<@{row['user_id']}> {sentence}"
                await channel.send(content=content, nonce=row["job_id"], allowed_mentions=only(row))
        except (discord.HTTPException, FrontError) as error:
            if isinstance(error, discord.HTTPException) and transient(error):
                raise
            _log.info("nobody to tell", job=row["job_id"], reason=str(error))
        await self._queue.answered(row["job_id"])

    async def _link(self, track_id: str) -> str | None:
        """Where a piece was posted, as far as that can be linked to."""
        place = await self._service.pieces.place(track_id)
        if place is None or place.message_id is None or place.channel_id is None:
            return None
        channel = self._client.get_channel(int(place.channel_id))
        guild = getattr(getattr(channel, "guild", None), "id", None)
        if guild is None and place.channel_open:
            guild = "@me"
        return None if guild is None else f"https://discord.com/channels/{guild}/{place.channel_id}/{place.message_id}"

    async def remove(self, track_id: str) -> bool:
        """Delete the message of a piece where we may; whether it is gone."""
        row = await self._store.messages.of_job(track_id)
        if row is None or row["message_id"] is None:
            return True
        try:
            if self._token_lives(row):
                await self._webhook(row).delete_message(_ORIGINAL)
            else:
                channel = self._client.get_partial_messageable(int(row["channel_id"]))
                await channel.get_partial_message(int(row["message_id"])).delete()
        except discord.NotFound:
            return True
        except (discord.HTTPException, BotError) as error:
            _log.info("message stays", job=track_id, reason=str(error))
            return False
        return True

    async def _seed(self, row: Any) -> None:
        """Put the numbers under a posted piece, where we may."""
        if row["channel_open"] and row["message_id"] is not None:
            channel = self._client.get_partial_messageable(int(row["channel_id"]))
            message = channel.get_partial_message(int(row["message_id"]))
            try:
                for emoji in STAR_EMOJI:
                    await message.add_reaction(emoji)
            except (discord.Forbidden, discord.NotFound) as error:
                _log.info("no numbers under the piece", job=row["job_id"], code=error.code)
        await self._queue.answered(row["job_id"], seeded=True)

    async def posted_message(self, row: Any) -> discord.Message:
        """A message that we posted, as it is now. Raises FrontError where we cannot reach it any more."""
        if self._token_lives(row):
            message: discord.Message = await self._webhook(row).fetch_message(_ORIGINAL)
            return message
        return await self._channel(row).fetch_message(int(row["message_id"]))

    async def edit_posted(self, row: Any, message: discord.Message, **changes: Any) -> None:
        """Change such a message; doing so again is harmless."""
        if self._token_lives(row):
            await self._edit(row, **changes)
        else:
            await message.edit(**changes)

    @staticmethod
    async def fitting(track: TrackRecord, limit_bytes: int) -> tuple[Path, Fit | None]:
        """The audio as it can be posted. Raises FrontError when no part of it fits."""
        try:
            return await asyncio.to_thread(fit, track.dir / "track.mp3", track.measured["length_s"], limit_bytes)
        except EncodeError as error:
            raise FrontError(str(error)) from error

    async def _edit(self, row: Any, **changes: Any) -> discord.Message:
        message: discord.Message
        changes = {"allowed_mentions": only(row), **changes}
        message = await self._webhook(row).edit_message(_ORIGINAL, **changes)
        return message

    def _webhook(self, row: Any) -> discord.Webhook:
        token = self._store.seal.open(row["job_id"], row["sealed_token"])
        return discord.Webhook.partial(int(row["application_id"]), token, client=self._client)

    def _channel(self, row: Any) -> discord.PartialMessageable:
        if not row["channel_open"] or row["channel_id"] is None:
            raise FrontError("This took longer than Discord lets me answer here; /history lists the piece.")
        return self._client.get_partial_messageable(int(row["channel_id"]))

    def _token_lives(self, row: Any) -> bool:
        return bool(self._now() < row["token_until"]) and row["job_id"] not in self._dead
