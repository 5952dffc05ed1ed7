"""Writes that wait at the same moment share one transaction: the commit costs more than most of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from bot.errors import BotError
from bot.store.database import Database, Transaction

_MOST = 50  # in one transaction, so that other writers get their turn

Asked = TypeVar("Asked")
Result = TypeVar("Result")


class SharedWrites(Generic[Asked, Result]):
    """One per kind of write, database and process."""

    def __init__(
        self,
        database: Database,
        work: Callable[[Transaction, Sequence[Asked]], Awaitable[Sequence[Result | BotError]]],
    ) -> None:
        """`work` carries out several of what was asked, in order, and gives for each what came of it, or the refusal,
        for which it must not have written anything."""
        self._database = database
        self._work = work
        self._waiting: deque[tuple[Asked, asyncio.Future[Result]]] = deque()
        self._carrier: asyncio.Task[None] | None = None

    async def write(self, asked: Asked) -> Result:
        """What came of it, once it is committed; others that wait are carried out in the same transaction.

        When that fails as a whole, each is tried once more by itself. Raises the refusal, what `work` raises, and
        StoreError.
        """
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, done))
        if self._carrier is None or self._carrier.done():
            self._carrier = asyncio.create_task(self._carry_all(), name="shared writes")
        return await done

    async def _carry_all(self) -> None:
        while self._waiting:
            await self._carry([self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))])

    async def _carry(self, batch: list[tuple[Asked, asyncio.Future[Result]]]) -> None:
        try:
            async with self._database.write() as tx:
                outcomes = await self._work(tx, [asked for asked, _ in batch])
        except Exception as error:  # noqa: BLE001 - each of those who wait is told
            if len(batch) == 1:
                _tell(batch[0][1], error)
            else:
                for one in batch:  # so that nobody fails for another's mistake
                    await self._carry([one])
            return
        except asyncio.CancelledError:
            for _, done in batch:
                done.cancel()
            raise
        for (_, done), outcome in zip(batch, outcomes, strict=True):
            _tell(done, outcome)


def _tell(done: asyncio.Future[Any], outcome: Any) -> None:
    if done.done():  # whoever waited is gone
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
