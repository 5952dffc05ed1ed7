"""The default engine: supervised worker processes on this machine, kept warm between orders.

Not `ProcessPoolExecutor`: there one killed worker fails everybody's futures, and a running job cannot be
stopped. Here every slot owns one child; stopping an order is killing its child.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.engine.api import Finished, Order, Progress
from bot.errors import EngineError, EngineLost, JobCancelled, PieceRefused
from bot.logs import logger

_LINE_LIMIT = 16 * 1024 * 1024
_GOODBYE_S = 1.0
_log = logger(__name__)


def child_command(composer: str, editor: str = "generator.remake:edit_folder") -> tuple[str, ...]:
    """The command that starts a worker around two functions, each `module:function`."""
    return (sys.executable, "-m", "bot.engine.child", composer, editor)


@dataclass(slots=True)
class _Run:
    order: Order
    events: asyncio.Queue[Progress | Finished | EngineError] = field(default_factory=asyncio.Queue)
    task: asyncio.Task[None] | None = None


class LocalEngine:
    """`slots` children at most; each starts when first needed and serves order after order."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str], slots: int = 1) -> None:
        self._command = command
        self._environment = dict(environment)
        self._slots = slots
        self._free = asyncio.Semaphore(slots)
        self._idle: list[_Worker] = []
        self._runs: dict[str, _Run] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    @property
    def slots(self) -> int:
        return self._slots

    async def warm_up(self) -> None:
        while len(self._idle) < self._slots:
            self._idle.append(await _Worker.start(self._command, self._environment))

    async def submit(self, order: Order) -> str:
        if self._closed:
            raise EngineError("The engine is shutting down.")
        ticket = f"{order.track_id}/{next(self._numbers)}"
        run = _Run(order)
        self._runs[ticket] = run
        run.task = asyncio.create_task(self._carry(run), name=f"engine {ticket}")
        return ticket

    async def events(self, ticket: str) -> AsyncIterator[Progress | Finished]:
        run = self._runs[ticket]
        try:
            while True:
                event = await run.events.get()
                if isinstance(event, EngineError):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            # Whoever watches may be stopped before the work is: until that has ended it can still be cancelled.
            if run.task is not None:
                run.task.add_done_callback(lambda _: self._runs.pop(ticket, None))

    async def cancel(self, ticket: str) -> None:
        run = self._runs.get(ticket)
        if run is not None and run.task is not None:
            _cancel_once(run.task)
            await asyncio.wait([run.task])

    async def close(self) -> None:
        self._closed = True
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for task in tasks:
            _cancel_once(task)
        await asyncio.gather(*tasks, return_exceptions=True)
        workers, self._idle = self._idle, []
        await asyncio.gather(*(worker.stop() for worker in workers))

    async def _carry(self, run: _Run) -> None:
        """Never raises: what goes wrong is an event."""
        try:
            async with self._free:
                await self._carry_in_slot(run)
        except asyncio.CancelledError:
            run.events.put_nowait(JobCancelled("The piece was cancelled."))
        except EngineError as error:
            run.events.put_nowait(error)
        except OSError as error:
            run.events.put_nowait(EngineError(f"A worker process cannot be started: {error}."))

    async def _carry_in_slot(self, run: _Run) -> None:
        worker = await self._worker()
        try:
            async for event in worker.carry_out(run.order):
                run.events.put_nowait(event)
        except (EngineLost, asyncio.CancelledError):
            await asyncio.shield(worker.kill())
            raise
        except EngineError:
            self._idle.append(worker)
            raise
        self._idle.append(worker)

    async def _worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.kill()
        return await _Worker.start(self._command, self._environment)


class _Worker:
    """One child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last_words: deque[str] = deque(maxlen=5)
        self._listener = asyncio.create_task(self._listen(), name=f"worker {process.pid} stderr")

    @staticmethod
    async def start(command: tuple[str, ...], environment: Mapping[str, str]) -> _Worker:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=dict(environment),
            limit=_LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is for us; we tell the children
        )
        return _Worker(process)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def carry_out(self, order: Order) -> AsyncIterator[Progress | Finished]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise EngineLost("The worker process has no pipes.")
        with suppress(ConnectionError):  # a dead child shows as the end of its output, just below
            stdin.write(json.dumps(asdict(order)).encode() + b"\n")
            await stdin.drain()
        while line := await stdout.readline():
            message: dict[str, Any] = json.loads(line)
            if "progress" in message:
                yield Progress(*message["progress"])
            elif "refused" in message:
                raise PieceRefused(message["refused"])
            elif "failed" in message:
                if "trace" in message:
                    _log.error("composing failed", track=order.track_id, trace=message["trace"])
                raise EngineError(message["failed"])
            elif "finished" in message:
                yield Finished(message["finished"])
                return
        code = await self._process.wait()
        _log.warning("worker lost", exit_code=code, last_words=list(self._last_words))
        raise EngineLost(f"The worker process ended unexpectedly ({_ending(code)}).")

    async def stop(self) -> None:
        """Let it end by itself, then make it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # what it has started goes with it
        # communicate() drains and closes the pipes, which wait() alone would leave open.
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        await self._process.communicate()

    async def _listen(self) -> None:
        if self._process.stderr is None:
            return
        while line := await self._process.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self._last_words.append(text)
            _log.debug("worker says", pid=self._process.pid, text=text)


def _cancel_once(task: asyncio.Task[None]) -> None:
    """A second cancellation would interrupt the killing that the first one began."""
    if not task.cancelling():
        task.cancel()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
