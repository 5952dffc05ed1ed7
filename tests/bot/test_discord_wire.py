"""What goes wrong on the wire, and many shards: the listener gets one sentence or one piece, never two."""

from __future__ import annotations

import pytest

from bot.settings import Settings
from tests.bot.discord_harness import Running, running_bot
from tests.bot.test_discord import LISTENER, until_stars
from tests.bot.test_discord_buttons import piece, told
from tests.fakes.discord import GUILD_ID, FakeDiscord, Fault


async def test_two_shards_answer_and_resume_each_for_itself(settings: Settings, fake: FakeDiscord) -> None:
    fake.shards = 2
    async with running_bot(settings, fake) as bot:
        assert sorted(one["shard"] for one in fake.identifies) == [[0, 2], [1, 2]]
        shard = (GUILD_ID >> 22) % 2
        message, track = await piece(bot, fake)
        assert await bot.posted(await fake.slash("compose", text="chill", place="dm"))
        await fake.drop(shard)
        pressed = await fake.click(message, f"tune:like:{track}")  # replayed when the shard is back
        assert "5 of 5" in await told(fake, pressed)
        assert fake.resumes == 1
        await until_stars(bot, track, 5)


async def test_a_press_that_is_replayed_makes_one_piece(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    asked = await fake.click(message, f"tune:again:{track}")
    await fake.replay(asked)
    await bot.posted(asked)
    await fake.replay(asked)
    await told(fake, await fake.click(message, f"tune:why:{track}"))
    assert len(await bot.app.service.history(LISTENER)) == 2
    assert len(fake.tracks()) == 2


@pytest.mark.parametrize(
    ("status", "headers"), [(429, {"Via": "1.1 fake"}), (429, {}), (502, {}), (500, {})],
    ids=["429 with Via", "429 without", "502", "500"],
)  # fmt: skip
async def test_a_troubled_discord_still_gets_one_post(
    bot: Running, fake: FakeDiscord, status: int, headers: dict[str, str]
) -> None:
    body = {"message": "trouble", "retry_after": 0.05, "global": False}
    fault = Fault(r"PATCH /webhooks", status, body, times=2, headers=headers)
    fake.faults.append(fault)
    asked = await fake.slash("compose", text="chill")
    await bot.posted(asked)
    assert fault.times == 0
    assert len(fake.tracks()) == 1


async def test_a_press_whose_token_ended_is_no_crash(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    asked = await fake.click(message, f"tune:midi:{track}")
    asked.expired = True
    late = await fake.click(message, f"tune:why:{track}")
    assert "BPM" in await told(fake, late)  # the bot lives and answers the next one
