"""Buttons, the menu and the forms under a piece, before and after a restart, by its owner and by others."""

from __future__ import annotations

import asyncio
import io
import os
import time
import zipfile
from typing import Any

import pytest

from bot.jobs.job import State
from bot.settings import Settings
from tests.bot.discord_harness import Running, running_bot
from tests.bot.test_discord import LISTENER, until_stars
from tests.bot.test_serve import workers_of
from tests.fakes.discord import CHANNEL_ID, GUILD_ID, USER_ID, Asked, FakeDiscord, Fault, Message

OTHER = USER_ID + 7


async def piece(bot: Running, fake: FakeDiscord, **options: Any) -> tuple[Message, str]:
    message = await bot.posted(await fake.slash("compose", **{"text": "chill", **options}))
    return message, (await bot.app.service.history(LISTENER))[0].id


async def told(fake: FakeDiscord, asked: Asked) -> str:
    """What the presser alone is told."""
    await fake.until(lambda: asked.acks)
    if asked.acks[0]["type"] == 4:
        assert asked.acks[0]["data"]["flags"] == 64
        return str(asked.acks[0]["data"]["content"])
    await fake.until(lambda: asked.message and asked.message.edits)
    assert asked.message is not None
    return asked.message.content


async def test_thumbs_and_numbers_are_one_rating(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    await fake.until(lambda: len(message.reactions) == 5)
    assert "5 of 5" in await told(fake, await fake.click(message, f"tune:like:{track}"))
    await until_stars(bot, track, 5)
    await fake.react(message, "2️⃣")
    await until_stars(bot, track, 2)
    assert "1 of 5" in await told(fake, await fake.click(message, f"tune:dislike:{track}"))
    await until_stars(bot, track, 1)
    await told(fake, await fake.click(message, f"tune:like:{track}", user=OTHER))  # anybody may rate
    await until_stars(bot, track, 5, f"discord:{OTHER}")


async def test_a_press_outlives_a_reaction_compared_after_downtime(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        message, track = await piece(bot, fake)
        await fake.until(lambda: len(message.reactions) == 5)
        await fake.react(message, "5️⃣")
        await until_stars(bot, track, 5)
        await told(fake, await fake.click(message, f"tune:like:{track}"))
        await told(fake, await fake.click(message, f"tune:dislike:{track}"))
        await until_stars(bot, track, 1)
    async with running_bot(settings, fake, composing=False) as bot:
        await fake.until(lambda: any(message.id in path for _, path, _ in fake.requests[-10:]))
        await asyncio.sleep(0.3)
        await until_stars(bot, track, 1)


async def test_again_is_the_same_request_with_another_seed(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake, seed=11, style="jazz")
    second = await bot.posted(await fake.click(message, f"tune:again:{track}"))
    assert second is not message
    newest, first = await bot.app.service.history(LISTENER)
    assert newest.brief["styles"] == first.brief["styles"]
    assert newest.brief["seed"] != 11


@pytest.mark.parametrize("name", ["subtle", "energy"])
async def test_a_change_links_its_parent_and_works_after_a_restart(
    settings: Settings, fake: FakeDiscord, name: str
) -> None:
    async with running_bot(settings, fake) as bot:
        message, track = await piece(bot, fake)
    async with running_bot(settings, fake) as bot:
        child = await bot.posted(await fake.click(message, f"change:{track}", values=[name]))
        newest = (await bot.app.service.history(LISTENER))[0]
        assert newest.parent_id == track
        assert f"https://discord.com/channels/{GUILD_ID}/{CHANNEL_ID}/{message.id}" in child.embeds[0]["description"]
        signals = await bot.app.store.tastes.signals(LISTENER)
        assert [(row["track_id"], row["kind"]) for row in signals] == [(track, "variation")]


async def test_what_is_the_askers_alone(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    for custom_id in [f"tune:{name}:{track}" for name in ("again", "remix", "stems", "midi", "score", "delete")]:
        asked = await fake.click(message, custom_id, user=OTHER)
        assert "Only the one who asked" in await told(fake, asked)
    asked = await fake.click(message, f"change:{track}", user=OTHER, values=["longer"])
    assert "Only the one who asked" in await told(fake, asked)
    assert len(await bot.app.service.history(LISTENER)) == 1


async def test_a_remix_in_a_style_and_one_in_other_words(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    form = await fake.click(message, f"tune:remix:{track}")
    await bot.posted(await fake.submit(form, ["jazz"], "chill"))
    newest = (await bot.app.service.history(LISTENER))[0]
    assert newest.parent_id == track
    form = await fake.click(message, f"tune:remix:{track}")
    await bot.posted(await fake.submit(form, ["rock"], "angry"))
    newest = (await bot.app.service.history(LISTENER))[0]
    assert newest.brief["styles"][0][0] == "rock"
    assert newest.brief["text"] == "angry"
    form = await fake.click(message, f"tune:remix:{track}")
    assert "Choose a style" in await told(fake, await fake.submit(form, [], "chill"))


async def test_files_are_handed_out_and_remembered(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    for action, suffix in (("stems", ".zip"), ("midi", ".mid"), ("score", ".musicxml")):
        asked = await fake.click(message, f"tune:{action}:{track}")
        await told(fake, asked)
        assert asked.acks[0]["data"]["flags"] == 64
        assert asked.message is not None
        (name, content) = next(iter(asked.message.files.items()))
        assert name.endswith(suffix)
        if action == "stems":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert archive.namelist() == ["lead.flac"]
                assert archive.read("lead.flac") == b"stems/lead.flac"
    async with asyncio.timeout(5):
        while [row["kind"] for row in await bot.app.store.tastes.signals(LISTENER)] != ["download"]:
            await asyncio.sleep(0.02)


async def test_a_file_discord_finds_too_large_is_one_sentence(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    large = Fault(r"PATCH /webhooks", 413, {"message": "Request entity too large", "code": 40005})
    fake.faults.append(large)
    asked = await fake.click(message, f"tune:midi:{track}")
    await fake.until(lambda: asked.message and "too large" in asked.message.content)
    assert large.times == 0


async def test_why(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    sentence = await told(fake, await fake.click(message, f"tune:why:{track}", user=OTHER))
    assert "BPM" in sentence
    assert "chill" in sentence


async def test_delete_asks_and_then_nothing_is_left(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    home = (await bot.app.service.track(track)).dir
    asked = await fake.click(message, f"tune:delete:{track}")
    assert "Delete" in await told(fake, asked)
    assert home.exists()
    question = asked.message
    assert question is not None
    await fake.click(question, f"tune:erase:{track}")
    await fake.until(lambda: "gone" in question.content)
    assert message.id not in fake.messages
    assert not home.exists()
    assert await bot.app.service.history(LISTENER) == []
    assert question.components == []
    gone = await fake.click(message, f"tune:why:{track}")
    assert "no track" in await told(fake, gone)


async def test_cancel_while_composing_within_two_seconds(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill fakeslower")
    job = await bot.job_of(asked)
    await bot.state(job.id, State.RUNNING)
    await fake.until(lambda: asked.message and asked.message.components)
    assert asked.message is not None
    refused = await fake.click(asked.message, f"tune:cancel:{job.id}", user=OTHER)
    assert "Only the one who asked" in await told(fake, refused)
    busy = set(workers_of(os.getpid()))
    began = time.monotonic()
    await fake.click(asked.message, f"tune:cancel:{job.id}")
    await fake.until(lambda: asked.message and asked.message.content == "Cancelled.")
    await fake.until(lambda: not busy & set(workers_of(os.getpid())))
    assert time.monotonic() - began < 2.0  # a promise to the listener, not a measure of speed; the piece takes seven
    assert (await bot.app.service.job(job.id)).state is State.CANCELLED
    assert asked.message.components == []
    await bot.posted(await fake.slash("compose", text="chill"))  # its worker is free again


async def test_a_press_of_nonsense_is_ignored(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    message.components[0]["components"][0]["custom_id"] = "tune:explode:abc"
    asked = await fake.click(message, "tune:explode:abc")
    bad = await fake.click(message, f"change:{track}", values=["louder"])
    assert "does not fit" in await told(fake, bad)
    assert asked.acks == []
