"""Writes that share a transaction: one commit for many, and nobody fails for another's mistake."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event

from bot.app import App
from bot.errors import UserError
from bot.store.database import Transaction
from bot.store.shared import SharedWrites
from tests.bot.making import START


async def test_a_crowd_waits_for_few_commits(app: App) -> None:
    commits: list[object] = []
    event.listen(app.store.database._engine.sync_engine, "commit", commits.append)
    shared = SharedWrites(app.store.database)

    async def add(number: int) -> int:
        async def work(tx: Transaction) -> int:
            await app.store.listeners.ensure(tx, f"listener {number}", START)
            return number

        return await shared.write(work)

    assert await asyncio.gather(*(add(number) for number in range(40))) == list(range(40))
    assert len(commits) <= 2
    for number in range(40):
        assert await app.store.listeners.exists(f"listener {number}")


async def test_a_refusal_and_a_mistake_are_their_own(app: App) -> None:
    shared = SharedWrites(app.store.database)

    async def add(name: str, trouble: Exception | None = None) -> str:
        async def work(tx: Transaction) -> str:
            if isinstance(trouble, UserError):
                raise trouble
            await app.store.listeners.ensure(tx, name, START)
            if trouble is not None:
                raise trouble
            return name

        return await shared.write(work)

    found = await asyncio.gather(
        add("ada"), add("bob", UserError("no")), add("eve", UnicodeEncodeError("utf-8", "x", 0, 1, "surrogate")),
        add("max"), return_exceptions=True,
    )  # fmt: skip
    assert (found[0], found[3]) == ("ada", "max")
    assert isinstance(found[1], UserError)
    assert isinstance(found[2], UnicodeEncodeError)
    assert [await app.store.listeners.exists(name) for name in ("ada", "bob", "eve", "max")] == [
        True,
        False,
        False,
        True,
    ]


async def test_whoever_stops_waiting_does_not_stop_the_others(app: App) -> None:
    shared = SharedWrites(app.store.database)

    async def work(tx: Transaction) -> None:
        await app.store.listeners.ensure(tx, "ada", START)

    leaving = asyncio.create_task(shared.write(work))
    staying = asyncio.create_task(shared.write(work))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await app.store.listeners.exists("ada")
