"""Writes that share a transaction: one commit for many, and nobody fails for another's mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import event

from bot.app import App
from bot.errors import BotError, Refused, UserError
from bot.jobs.admission import Limits
from bot.jobs.queue import Queue
from bot.store.database import Transaction
from bot.store.shared import SharedWrites
from tests.bot.making import START, reply, request


def shared(app: App) -> SharedWrites[tuple[str, Exception | None], str]:
    """Stores listeners by name; a refusal is one, any other trouble fails all that are carried out together."""

    async def work(tx: Transaction, asked: Sequence[tuple[str, Exception | None]]) -> list[str | BotError]:
        outcomes: list[str | BotError] = []
        for name, trouble in asked:
            if isinstance(trouble, BotError):
                outcomes.append(trouble)
                continue
            await app.store.listeners.ensure(tx, name, START)
            if trouble is not None:
                raise trouble
            outcomes.append(name)
        return outcomes

    return SharedWrites(app.store.database, work)


async def test_a_crowd_waits_for_few_commits(app: App) -> None:
    commits: list[object] = []
    event.listen(app.store.database._engine.sync_engine, "commit", commits.append)
    writes = shared(app)
    names = [f"listener {number}" for number in range(40)]
    assert await asyncio.gather(*(writes.write((name, None)) for name in names)) == names
    assert len(commits) <= 2
    for name in names:
        assert await app.store.listeners.exists(name)


async def test_a_refusal_and_a_mistake_are_their_own(app: App) -> None:
    writes = shared(app)
    mistake = UnicodeEncodeError("utf-8", "x", 0, 1, "surrogate")
    asked = (("ada", None), ("bob", UserError("no")), ("eve", mistake), ("max", None))
    found = await asyncio.gather(*(writes.write(one) for one in asked), return_exceptions=True)
    assert (found[0], found[3]) == ("ada", "max")
    assert isinstance(found[1], UserError)
    assert isinstance(found[2], UnicodeEncodeError)
    there = [await app.store.listeners.exists(name) for name in ("ada", "bob", "eve", "max")]
    assert there == [True, False, False, True]


async def test_whoever_stops_waiting_does_not_stop_the_others(app: App) -> None:
    writes = shared(app)
    leaving = asyncio.create_task(writes.write(("ada", None)))
    staying = asyncio.create_task(writes.write(("ada", None)))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await app.store.listeners.exists("ada")


async def test_a_crowd_is_weighed_one_after_the_other(app: App) -> None:
    """What one of them takes up is not free for the next, though all are stored together."""
    await app.store.servers.change("discord:1", listener_daily=2)
    await app.store.servers.key("ada")  # the secret is there, so that nobody is overtaken
    queue = Queue(app.store, limits=Limits(per_listener=2, backlog=9))
    asked = [("ada", None), ("ada", None), ("ada", None), ("bob", "discord:1"), ("bob", "discord:1")]
    found = await asyncio.gather(
        *(queue.enqueue(name, request(), 7, server_id=server, twice=name == "ada") for name, server in asked),
        queue.enqueue("eve", request(), 7, reply=reply(1)), queue.enqueue("eve", request(), 7, reply=reply(1)),
        *(queue.enqueue(f"listener {number}", request(), 7) for number in range(4)), return_exceptions=True,
    )  # fmt: skip
    said = [one.key if isinstance(one, Refused) else None for one in found]
    assert said == [None, None, "refused.pending", *[None] * 6, *["refused.backlog"] * 2]
    once, again = found[5:7]
    assert isinstance(once, tuple)
    assert isinstance(again, tuple)
    assert (once[0].id, once[1], again[1]) == (again[0].id, True, False)
    assert await queue.composing() == 9


async def test_a_quota_holds_within_a_crowd(app: App) -> None:
    await app.store.servers.change("discord:1", listener_daily=2)
    queue = Queue(app.store, limits=Limits(per_listener=9))
    found = await asyncio.gather(
        *(queue.enqueue(name, request(), 7, server_id="discord:1") for name in ("ada", "ada", "ada", "bob")),
        return_exceptions=True,
    )  # fmt: skip
    assert [isinstance(one, Refused) for one in found] == [False, False, True, False]
