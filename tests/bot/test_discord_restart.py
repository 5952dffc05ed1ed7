"""Crashes and restarts between any two stages: the piece is finished, posted once, and still rateable."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from bot.app import open_app
from bot.jobs.job import MAX_POSTS, State
from bot.settings import Settings
from bot.store.tables import jobs
from tests.bot.discord_harness import running_bot
from tests.bot.test_discord import LISTENER, until_stars
from tests.fakes.discord import USER_ID, FakeDiscord, Fault


@pytest.fixture
def brisk(settings: Settings) -> Settings:
    """Leases short enough that a test may wait for one to pass."""
    return settings.model_copy(update={"lease_s": 1.0})


async def test_a_crash_before_composing(brisk: Settings, fake: FakeDiscord) -> None:
    async with running_bot(brisk, fake, composing=False, orderly=False):
        asked = await fake.slash("compose", text="chill")
        await fake.until(lambda: asked.acks)
    async with running_bot(brisk, fake) as bot:
        assert await bot.posted(asked) is asked.message
        assert len(fake.tracks()) == 1


async def test_a_crash_while_composing(brisk: Settings, fake: FakeDiscord) -> None:
    async with running_bot(brisk, fake, orderly=False) as bot:
        asked = await fake.slash("compose", text="chill fakeslow")
        job = await bot.job_of(asked)
        await bot.state(job.id, State.RUNNING)
    async with running_bot(brisk, fake) as bot:
        assert (await bot.app.service.job(job.id)).state is State.RUNNING
        assert await bot.posted(asked) is asked.message
        done = await bot.app.service.job(job.id)
        assert done.attempts == 2
        assert len(fake.tracks()) == 1


async def test_a_crash_before_posting(brisk: Settings, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        await asyncio.sleep(60)

    with monkeypatch.context() as patched:
        patched.setattr("bot.discord_front.delivery.Courier._post", away)
        async with running_bot(brisk, fake, orderly=False) as bot:
            asked = await fake.slash("compose", text="chill")
            job = await bot.job_of(asked)
            await bot.state(job.id, State.RENDERED)
    async with running_bot(brisk, fake) as bot:
        assert await bot.posted(asked) is asked.message
        assert len(fake.tracks()) == 1


@pytest.mark.parametrize("token_lives", [True, False])
@pytest.mark.parametrize("sent", [True, False])
async def test_a_crash_in_the_middle_of_posting(
    brisk: Settings, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch, sent: bool, token_lives: bool
) -> None:
    """The post was recorded as begun; whether it reached the chat is found out, not guessed."""

    async def crash(*_: object) -> None:
        await asyncio.sleep(60)

    async with running_bot(brisk, fake, orderly=False) as bot:
        monkeypatch.setattr(bot.app.queue, "posted", crash)
        if not sent:
            monkeypatch.setattr(bot.front.courier, "_send", crash)
        asked = await fake.slash("compose", text="chill")
        job = await bot.job_of(asked)
        await bot.state(job.id, State.POSTING)
        if sent:
            await fake.until(fake.tracks)
    asked.expired = not token_lives
    uploads = sum(1 for _, _, body in fake.requests if body and body != [] and "attachments" in str(body)[:4000])
    async with running_bot(brisk, fake) as bot:
        done = await bot.state(job.id, State.DONE)
        assert done.posts == 2
        assert len(fake.tracks()) == 1
        if sent:
            (message,) = fake.tracks()
            assert message is asked.message
        await fake.until(lambda: len(fake.tracks()[0].reactions) == 5)
    assert uploads >= int(sent)


async def test_an_orderly_stop_says_so_and_the_next_start_goes_on(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        asked = await fake.slash("compose", text="chill fakeslow")
        job = await bot.job_of(asked)
        await bot.state(job.id, State.RUNNING)
    assert asked.message is not None
    assert "restart" in asked.message.content
    async with running_bot(settings, fake) as bot:
        assert await bot.posted(asked) is asked.message
        done = await bot.app.service.job(job.id)
        assert done.attempts == 1  # the stop did not cost an attempt


async def test_reactions_count_for_pieces_from_before_a_restart(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        message = await bot.posted(await fake.slash("compose", text="chill"))
        track = (await bot.app.service.history(LISTENER))[0]
        await fake.until(lambda: len(message.reactions) == 5)
        await fake.react(message, "4️⃣")
        await until_stars(bot, track.id, 4)
    async with running_bot(settings, fake, composing=False) as bot:
        await fake.react(message, "5️⃣")
        await until_stars(bot, track.id, 5)
        await fake.unreact(message, "5️⃣")
        await until_stars(bot, track.id, 4)


async def test_what_happened_while_we_were_away_is_made_up_for(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        message = await bot.posted(await fake.slash("compose", text="chill"))
        track = (await bot.app.service.history(LISTENER))[0]
        await fake.until(lambda: len(message.reactions) == 5)
        await fake.react(message, "1️⃣")
        await until_stars(bot, track.id, 1)
    await fake.unreact(message, "1️⃣", silent=True)
    await fake.react(message, "5️⃣", silent=True)
    await fake.react(message, "2️⃣", user=USER_ID + 3, silent=True)
    async with running_bot(settings, fake, composing=False) as bot:
        await until_stars(bot, track.id, 5)
        await until_stars(bot, track.id, 2, f"discord:{USER_ID + 3}")
        async with asyncio.timeout(10):
            while (LISTENER, 1) in await bot.app.service.reactions(track.id):
                await asyncio.sleep(0.02)


async def test_a_deleted_message_keeps_its_ratings(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        message = await bot.posted(await fake.slash("compose", text="chill"))
        track = (await bot.app.service.history(LISTENER))[0]
        await fake.react(message, "4️⃣")
        await until_stars(bot, track.id, 4)
        await fake.until(lambda: len(message.reactions) == 5)
    del fake.messages[message.id]
    async with running_bot(settings, fake, composing=False) as bot:
        looked = Fault(rf"GET .*/messages/{message.id}$", 404, {"code": 10008}, times=0)
        await fake.until(lambda: any(f"/messages/{message.id}" in path for _, path, _ in fake.requests[-20:]))
        assert looked.times == 0
        await until_stars(bot, track.id, 4)


@pytest.mark.parametrize("there", [True, False])
async def test_a_post_interrupted_too_often_is_looked_for_and_not_sent_again(
    brisk: Settings, fake: FakeDiscord, there: bool
) -> None:
    async with running_bot(brisk, fake) as bot:
        asked = await fake.slash("compose", text="chill")
        message = await bot.posted(asked)
        job = await bot.job_of(asked)
        await fake.until(lambda: len(message.reactions) == 5)
    interrupted = {"state": State.RENDERED, "posts": MAX_POSTS, "not_before": None}
    async with open_app(brisk) as app, app.store.database.write() as tx:
        await tx.execute(update(jobs).where(jobs.c.id == job.id).values(**interrupted))
        await app.store.messages.note(tx, job.id, message_id=None, answered_at=None)
    if not there:
        message.attachments = []
    async with running_bot(brisk, fake) as bot:
        ended = await bot.state(job.id, State.DONE, State.FAILED)
        assert ended.state is (State.DONE if there else State.FAILED)
        if not there:
            await fake.until(lambda: "interrupted" in message.content)
    assert len(fake.tracks()) == int(there)
