"""Carries jobs out: claim, propose, order from the engine, publish. Knows no chat and writes no SQL."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bot.engine.api import Engine, Finished, Order, Progress
from bot.errors import BotError, EngineError, EngineLost, JobCancelled, LeaseLost, PieceRefused, StoreError
from bot.jobs.job import Job, State
from bot.jobs.queue import Queue
from bot.logs import logger

_log = logger(__name__)

Propose = Callable[[Job], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Places:
    """Where pieces are made and where they are kept; both on one file system."""

    work: Path
    tracks: Path


class Runner:
    """One per process; as many jobs at once as the engine has slots."""

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        propose: Propose,
        *,
        places: Places,
        soundfont: Callable[[], Path | None],
        worker: str,
        delivery: dict[str, Any] | None = None,
        beat_s: float = 1.0,
        poll_s: float = 1.0,
    ) -> None:
        """`propose` gives a job's proposal as JSON and may raise UserError with a sentence for the person.

        `delivery` is `Order.delivery` of every job.
        """
        self._queue = queue
        self._engine = engine
        self._propose = propose
        self._places = places
        self._soundfont = soundfont
        self._worker = worker
        self._delivery = delivery or {}
        self._beat_s = beat_s
        self._poll_s = poll_s
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for work now instead of at the next poll."""
        self._woken.set()

    async def warm_up(self) -> None:
        """Start the workers before the first job needs them."""
        await self._engine.warm_up()

    async def run(self) -> None:
        """Work until cancelled; then stop the running jobs and put them back for the next start."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep(), name="sweep")
            slots = asyncio.Semaphore(self._engine.slots)
            while True:
                await slots.acquire()
                job = await self._claim()
                if job is None:
                    slots.release()
                    await self._wait()
                    continue
                task = tasks.create_task(self._carry(job), name=f"job {job.id}")
                task.add_done_callback(lambda _: slots.release())

    async def run_only(self, job_id: str) -> None:
        """Carry out this one job, and return when it is composed or over.

        When another process has it, wait, and take over if that one goes silent.
        """
        while True:
            await self._queue.expire()
            job = await self._queue.claim(self._worker, only=job_id)
            if job is not None:
                await self._carry(job)
            job = await self._queue.get(job_id)
            if job is None or job.state not in {State.QUEUED, State.RUNNING}:
                return
            if job.state is State.RUNNING:
                await asyncio.sleep(self._poll_s)

    async def _claim(self) -> Job | None:
        try:
            return await self._queue.claim(self._worker)
        except StoreError as error:
            _log.warning("cannot look for work", reason=str(error))
            return None

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._woken.wait()
        self._woken.clear()

    async def _sweep(self) -> None:
        while True:
            try:
                if expired := await self._queue.expire():
                    _log.warning("leases expired", jobs=expired)
                    self.wake()
            except StoreError as error:
                _log.warning("cannot look for silent workers", reason=str(error))
            await asyncio.sleep(self._poll_s)

    async def _carry(self, job: Job) -> None:
        """One attempt, whatever happens; every way out is written to the job."""
        log = _log.bind(job=job.id, attempt=job.attempts)
        log.info("job started")
        try:
            await self._attempt(job)
            log.info("job rendered")
        except asyncio.CancelledError:
            with suppress(LeaseLost, StoreError):
                await asyncio.shield(self._queue.release(job))
            raise
        except LeaseLost as error:
            log.info("job left", reason=str(error))
        except EngineLost as error:
            log.warning("engine lost", reason=str(error))
            await self._fail(job, str(error), retry=True)
        except PieceRefused as error:
            log.warning("piece refused", reason=str(error))
            ours = job.request.get("seed") is None  # a seed somebody chose is kept, and the refusal told
            await self._fail(job, str(error), retry=ours, reseed=ours)
        except BotError as error:
            log.warning("job failed", reason=str(error))
            await self._fail(job, str(error), retry=False)
        except Exception as error:
            log.exception("job failed by a mistake of ours")
            sentence = f"This failed because of a mistake of ours ({type(error).__name__}); it is in the log."
            await self._fail(job, sentence, retry=False)

    async def _fail(self, job: Job, reason: str, *, retry: bool, reseed: bool = False) -> None:
        try:
            await self._queue.fail(job, reason, retry=retry, reseed=reseed)
        except (LeaseLost, StoreError) as error:  # the lease will pass, and the job be found
            _log.warning("cannot say that a job failed", job=job.id, reason=str(error))

    async def _attempt(self, job: Job) -> None:
        if job.proposal is None:
            job = await self._queue.propose(job, await self._propose(job))
        proposal = job.proposal or {}
        folder = self._places.work / f"{job.id}-{job.fence}"
        draft = folder / "piece"
        order = Order(
            track_id=job.id,
            brief=proposal["brief"],
            out_dir=str(draft),
            takes=int(job.request.get("takes", 1)),
            ranker=proposal["ranker"],
            soundfont=_text(await asyncio.to_thread(self._soundfont)),
            delivery=self._delivery,
            parent=proposal.get("parent"),
            changes=job.request.get("changes", {}),
        )
        try:
            await asyncio.to_thread(_make_room, folder, job)
            track = await self._follow(job, order)
            files = await asyncio.to_thread(_check_files, draft, track["files"])
            home = self._places.tracks / job.id
            await self._queue.finish(job, _row(job, track, files, home), partial(_publish, draft, home))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _follow(self, job: Job, order: Order) -> dict[str, Any]:
        """The finished track; meanwhile renews the lease, and stops the engine when it is lost."""
        ticket = await self._engine.submit(order)
        latest = [Progress("", 0.0)]
        beats = asyncio.create_task(self._beat(job, ticket, latest), name=f"beat {job.id}")
        try:
            async for event in self._engine.events(ticket):
                if isinstance(event, Finished):
                    return event.track
                latest[0] = event
        except JobCancelled:
            await asyncio.wait([beats], timeout=self._beat_s)
            if beats.done():
                beats.result()  # LeaseLost, if that is why
            raise
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)
            await self._engine.cancel(ticket)
        raise EngineError("The engine ended without a piece.")

    async def _beat(self, job: Job, ticket: str, latest: list[Progress]) -> None:
        while True:
            try:
                await self._queue.beat(job, latest[0].stage, latest[0].fraction)
            except LeaseLost:
                await self._engine.cancel(ticket)
                raise
            except StoreError as error:  # a beat may be missed; three in a row cost the lease
                _log.warning("cannot renew the lease", job=job.id, reason=str(error))
            await asyncio.sleep(self._beat_s)


def _make_room(folder: Path, job: Job) -> None:
    """An empty folder for this attempt; what earlier attempts left when they were killed goes."""
    for earlier in folder.parent.glob(f"{job.id}-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _check_files(draft: Path, files: dict[str, Any]) -> dict[str, Any]:
    """The files by role, relative to their folder, each there, not empty and safely on disk.

    Raises EngineError when one is not.
    """
    checked: dict[str, Any] = {}
    for role, names in files.items():
        paths = [draft / name for name in (names if isinstance(names, list) else [names])]
        for path in paths:
            if not path.is_file() or path.stat().st_size == 0:
                raise EngineError(f"The piece is incomplete: {path.name} is missing.")
            with path.open("rb") as file:
                os.fsync(file.fileno())
        relative = [path.relative_to(draft).as_posix() for path in paths]
        checked[role] = relative if isinstance(names, list) else relative[0]
    return checked


def _publish(draft: Path, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    if home.exists():  # an attempt that moved its files and died before it could say so
        shutil.rmtree(home)
    draft.replace(home)


def _row(job: Job, track: dict[str, Any], files: dict[str, Any], home: Path) -> dict[str, Any]:
    proposal = job.proposal or {}
    return {
        "id": job.id,
        "listener_id": job.listener_id,
        "title": track["title"],
        "brief": track["brief"],
        "attributes": track["attributes"],
        "measured": track["measured"],
        "timings_s": track["timings_s"],
        "why": proposal["why"],
        "probability": proposal["probability"],
        "parent_id": job.request.get("parent"),
        "files": files,
        "dir": str(home),
    }
