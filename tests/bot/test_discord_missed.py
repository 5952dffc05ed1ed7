"""Reactions given while the bot was away: all pieces of the days before are compared, in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from bot import clock
from bot.app import App, open_app
from bot.discord_front import reactions
from bot.discord_front.delivery import Pace
from bot.discord_front.reactions import HEARD
from bot.settings import Settings
from bot.store.tables import messages
from tests.bot import discord_harness
from tests.bot.discord_harness import Running, running_bot
from tests.bot.making import proposal, reply, request, track_row
from tests.bot.test_discord import LISTENER, until_stars
from tests.bot.test_discord_buttons import told
from tests.fakes.discord import CHANNEL_ID, FakeDiscord, Fault, Message

MANY = 60
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def posted(app: App, fake: FakeDiscord, number: int, age: timedelta) -> tuple[str, Message]:
    """A piece as if it had been posted so long ago, and its message."""
    message = Message(fake.ids.make(), str(CHANNEL_ID), fake.bot)
    fake.messages[message.id] = message
    where = reply(number, channel_id=str(CHANNEL_ID))
    job, _ = await app.queue.enqueue(LISTENER, request(), 7, reply=where, limited=False)
    claimed = await app.queue.claim("w", only=job.id)
    assert claimed is not None
    claimed = await app.queue.propose(claimed, proposal())
    await app.queue.finish(claimed, track_row(claimed), lambda: None)
    taken = await app.queue.take_post(job.id, "w")
    assert taken is not None
    await app.queue.posted(taken, message.id, message.channel_id)
    moment = clock.now() - age
    async with app.store.database.write() as tx:
        mine = messages.c.job_id == job.id
        await tx.execute(update(messages).where(mine).values(answered_at=moment, seeded_at=moment))
    return job.id, message


async def heard(app: App) -> datetime | None:
    found = await app.store.facts.get(HEARD)
    return None if found is None else datetime.fromisoformat(found)


async def caught_up(bot: Running, since: datetime) -> None:
    async with asyncio.timeout(30):
        while (until := await heard(bot.app)) is None or until < since:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def idle_bot(settings: Settings, fake: FakeDiscord) -> AsyncIterator[Running]:
    async with running_bot(settings, fake, composing=False) as bot:
        yield bot


async def test_all_pieces_of_two_weeks_are_compared(
    settings: Settings, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "_PAGE", 25)
    async with open_app(settings) as app:
        pieces = [await posted(app, fake, number, HOUR * (number + 1)) for number in range(MANY)]
    for _, message in (pieces[0], pieces[30], pieces[-1]):
        await fake.react(message, "4️⃣", silent=True)
    async with idle_bot(settings, fake) as bot:
        for track, _ in (pieces[0], pieces[30], pieces[-1]):
            await until_stars(bot, track, 4)


async def test_what_was_new_when_the_bot_went_away_is_compared_however_long_that_was(
    settings: Settings, fake: FakeDiscord
) -> None:
    async with open_app(settings) as app:
        fresh, message = await posted(app, fake, 1, 39 * DAY)
        _, stale = await posted(app, fake, 2, 50 * DAY)
        await app.store.facts.put(HEARD, (clock.now() - 30 * DAY).isoformat())
    await fake.react(message, "5️⃣", silent=True)
    began = clock.now()
    async with idle_bot(settings, fake) as bot:
        await until_stars(bot, fresh, 5)
        await caught_up(bot, began)
    looked_at = {
        path.rsplit("/", 1)[1] for method, path, _ in fake.requests if method == "GET" and "/messages/" in path
    }
    assert message.id in looked_at
    assert stale.id not in looked_at


async def test_a_stop_in_the_middle_leaves_the_rest_to_the_next_start(
    settings: Settings, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = clock.now() - 20 * DAY
    async with open_app(settings) as app:
        pieces = [await posted(app, fake, number, 21 * DAY + HOUR * number) for number in range(40)]
        await app.store.facts.put(HEARD, gone.isoformat())
    track, message = pieces[-1]
    await fake.react(message, "2️⃣", silent=True)
    with monkeypatch.context() as patched:
        patched.setattr(discord_harness, "QUICK", Pace(poll_s=0.05, edit_s=0.3, compare_s=0.2))
        patched.setattr(reactions, "_AT_ONCE", 2)
        async with idle_bot(settings, fake) as bot:
            await fake.until(lambda: any(pieces[2][1].id in path for _, path, _ in fake.requests))
            assert await told(fake, await fake.slash("privacy what"))  # meanwhile people are served
            assert await heard(bot.app) == gone
    assert not any(message.id in path for _, path, _ in fake.requests)
    began = clock.now()
    async with idle_bot(settings, fake) as bot:
        await until_stars(bot, track, 2)
        await caught_up(bot, began)


async def test_while_discord_is_away_nothing_is_taken_as_heard(
    settings: Settings, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "_MINUTE_S", 0.1)
    async with open_app(settings) as app:
        track, message = await posted(app, fake, 1, HOUR)
    await fake.react(message, "3️⃣", silent=True)
    away = Fault(
        r"GET .*/messages/\d+$", 429, {"message": "slow", "retry_after": 90.0}, headers={"Via": "1.1"}, times=2
    )
    fake.faults.append(away)
    async with idle_bot(settings, fake) as bot:
        await until_stars(bot, track, 3)
        assert away.times == 0


async def test_messages_that_are_gone_and_closed_channels_stop_nothing(settings: Settings, fake: FakeDiscord) -> None:
    async with open_app(settings) as app:
        pieces = [await posted(app, fake, number, HOUR * (number + 1)) for number in range(4)]
    (_, deleted), (_, odd), _, (track, message) = pieces
    del fake.messages[deleted.id]
    fake.faults.append(Fault(rf"GET .*/messages/{odd.id}$", 400, {"message": "no", "code": 0}))
    await fake.react(message, "3️⃣", silent=True)
    began = clock.now()
    async with idle_bot(settings, fake) as bot:
        await until_stars(bot, track, 3)
        await caught_up(bot, began)
        fake.faults.append(Fault(r"GET .*/messages/\d+$", 403, {"message": "Missing Access", "code": 50001}, times=9))
        await fake.dispatch("READY", fake._events[0][0]["d"], 0)  # a fresh session of the same process
        await caught_up(bot, clock.now())
    assert fake.faults[-1].times == 8  # the channel is closed; asking nine times would be no better
