"""Forms that are submitted after the process that opened them is gone."""

from __future__ import annotations

import pytest

from bot.settings import Settings
from tests.bot.discord_harness import running_bot
from tests.bot.test_discord import LISTENER
from tests.bot.test_discord_buttons import piece, told
from tests.fakes.discord import FakeDiscord


@pytest.mark.parametrize(("style", "words"), [(["jazz"], "chill"), ([], "angry")])
async def test_a_remix_is_made_once(settings: Settings, fake: FakeDiscord, style: list[str], words: str) -> None:
    async with running_bot(settings, fake) as bot:
        message, track = await piece(bot, fake)
        form = await fake.click(message, f"tune:remix:{track}")
        await fake.until(lambda: form.acks)
    async with running_bot(settings, fake) as bot:
        submitted = await fake.submit(form, style, words)
        await bot.posted(submitted)
        await fake.replay(submitted)  # as after a broken connection
        await told(fake, await fake.slash("help"))  # what came before it was seen, too
        newest, oldest = await bot.app.service.history(LISTENER)
        assert oldest.id == track
        assert newest.brief["text"] == words
        assert newest.parent_id == (track if style else None)
        assert len(submitted.acks) == 1


@pytest.mark.parametrize("language", ["en-US", "de"])
async def test_the_word_that_has_somebody_forgotten_is_that_of_the_form(
    settings: Settings, fake: FakeDiscord, language: str
) -> None:
    async with running_bot(settings, fake) as bot:
        await piece(bot, fake)
        form = await fake.slash("privacy forget", locale=language)
        await fake.until(lambda: form.acks)
    async with running_bot(settings, fake, composing=False) as bot:
        assert "nothing was deleted" in await told(fake, await fake.submit(form, "never"))
        assert len(await bot.app.service.history(LISTENER)) == 1
        word = {"en-US": "forget me", "de": "vergiss mich"}[language]
        assert "You are forgotten" in await told(fake, await fake.submit(form, word))
        assert await bot.app.service.history(LISTENER) == []


async def test_an_address_is_answered_although_nobody_knows_of_it_any_more(
    settings: Settings, fake: FakeDiscord
) -> None:
    settings = settings.model_copy(update={"spotify_client_id": "client"})
    async with running_bot(settings, fake, composing=False):
        asked = await fake.slash("link spotify")
        await told(fake, asked)
        assert asked.message is not None
        opened, paste = asked.message.components[0]["components"]
        state = opened["url"].split("state=")[1].split("&")[0]
        form = await fake.click(asked.message, paste["custom_id"])
        await fake.until(lambda: form.acks)
    async with running_bot(settings, fake, composing=False):
        submitted = await fake.submit(form, f"http://127.0.0.1:8888/callback?code=abc&state={state}")
        assert "start again" in await told(fake, submitted)
