"""What those who manage a server, and the operator of the bot, can set; and what the others see of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bot.jobs.job import State
from bot.settings import Settings
from bot.store.tables import uses
from tests.bot.discord_harness import Running, running_bot
from tests.bot.test_discord import LISTENER
from tests.bot.test_discord_buttons import piece, told
from tests.bot.test_discord_commands import _held
from tests.fakes.discord import CHANNEL_ID, GUILD_ID, USER_ID, Asked, Channel, FakeDiscord, Person

OTHER = USER_ID + 7
SERVER = f"discord:{GUILD_ID}"
MOMENT = r"<t:\d+:R>"


async def rules(fake: FakeDiscord, asked: Asked) -> dict[str, str]:
    """The embed that says what holds, by the names of its fields."""
    await fake.until(lambda: asked.acks)
    assert asked.acks[0]["data"]["flags"] == 64
    (embed,) = asked.acks[0]["data"]["embeds"]
    return {field["name"]: field["value"] for field in embed["fields"]} | {"": embed.get("description", "")}


async def test_the_command_is_for_those_who_manage_a_server(bot: Running, fake: FakeDiscord) -> None:
    admin = next(command for command in fake.commands if command["name"] == "admin")
    assert admin["default_member_permissions"] == 1 << 5  # manage server
    assert admin["contexts"] == [0]
    assert admin["integration_types"] == [0]
    assert admin["name_localizations"]["de"] == "verwalten"
    names = {option["name"] for option in admin["options"]}
    assert names == {"show", "quota", "defaults", "stats", "channels", "ban", "unban", "bans", "maintenance"}


async def test_a_quota_of_a_listener_outlives_restarts_and_deleted_pieces(
    settings: Settings, fake: FakeDiscord
) -> None:
    async with running_bot(settings, fake) as bot:
        said = await rules(fake, await fake.slash("admin quota", listener=2))
        assert said["Pieces a day, each listener"] == "2"
        message, track = await piece(bot, fake)
        await piece(bot, fake)
        question = await fake.click(message, f"tune:delete:{track}")
        await told(fake, question)
        assert question.message is not None
        await fake.click(question.message, f"tune:erase:{track}")
        await fake.until(lambda: question.message and "gone" in question.message.content)
    async with running_bot(settings, fake) as bot:
        refused = await told(fake, await fake.slash("compose", text="chill"))
        assert refused.startswith("You have had your 2 pieces of a day on this server; the next one is possible <t:")
        assert refused.count("<t:") == 1
        in_german = await told(fake, await fake.slash("compose", text="chill", locale="de"))
        assert "deine 2 Stücke eines Tages" in in_german
        await bot.posted(await fake.slash("compose", text="chill", user=OTHER))  # others have their own
        await bot.posted(await fake.slash("compose", text="chill", place="dm"))  # and this is no server
        await _age(bot, timedelta(hours=24))
        await bot.posted(await fake.slash("compose", text="chill"))


async def test_forgetting_oneself_gives_no_new_quota_and_what_failed_costs_nothing(
    bot: Running, fake: FakeDiscord
) -> None:
    await rules(fake, await fake.slash("admin quota", listener=1))
    failed = await fake.slash("compose", text="fakerefuse", seed=1)
    await bot.state((await bot.job_of(failed)).id, State.FAILED)
    await piece(bot, fake)
    asked = await fake.submit(await fake.slash("privacy forget"), "forget me")
    assert "You are forgotten" in await told(fake, asked)
    assert "the next one is possible" in await told(fake, await fake.slash("compose", text="chill"))


async def test_a_quota_of_the_server_is_shared(bot: Running, fake: FakeDiscord) -> None:
    await rules(fake, await fake.slash("admin quota", server=1))
    await piece(bot, fake)
    refused = await told(fake, await fake.slash("compose", text="chill", user=OTHER))
    assert "This server has had its 1 pieces of a day" in refused
    said = await rules(fake, await fake.slash("admin quota"))
    assert said["Pieces a day, everybody together"] == "no limit, or as usual"
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER))


async def test_no_pieces_at_all_is_a_quota_of_none(bot: Running, fake: FakeDiscord) -> None:
    await rules(fake, await fake.slash("admin quota", listener=0))
    assert "your 0 pieces" in await told(fake, await fake.slash("compose", text="chill"))


async def test_pieces_are_made_in_allowed_channels_only(bot: Running, fake: FakeDiscord) -> None:
    said = await rules(fake, await fake.slash("admin channels add", channel=Channel(CHANNEL_ID)))
    assert said["Pieces may be asked for in"] == f"<#{CHANNEL_ID}>"
    asked = await fake.slash("compose", text="chill", place="lobby")
    assert await told(fake, asked) == f"Here I make no pieces; ask for them in <#{CHANNEL_ID}>."
    assert await told(fake, await fake.slash("mood show", place="lobby"))  # the rest works everywhere
    await piece(bot, fake)
    said = await rules(fake, await fake.slash("admin channels remove", channel=Channel(CHANNEL_ID)))
    assert said["Pieces may be asked for in"] == "everywhere"
    await rules(fake, await fake.slash("admin channels add", channel=Channel(CHANNEL_ID)))
    await rules(fake, await fake.slash("admin channels clear"))
    await bot.posted(await fake.slash("compose", text="chill", place="lobby"))


async def test_defaults_hold_where_a_request_says_nothing(bot: Running, fake: FakeDiscord) -> None:
    said = await rules(fake, await fake.slash("admin defaults", style="bossa", length=45, takes=3))
    assert said["Where a request says nothing"] == "bossa, 0:45, 3 takes"
    asked = await fake.slash("compose", text="for cooking")
    await bot.posted(asked)
    job = await bot.job_of(asked)
    track = await bot.app.service.track(job.id)
    assert (track.brief["styles"][0][0], track.brief["length_s"], job.request["takes"]) == ("bossa", 45.0, 3)
    assert "bossa is the usual style of this server" in track.why
    _, other = await piece(bot, fake, text="rock for cooking", length=30)
    brief = (await bot.app.service.track(other)).brief
    assert (brief["styles"][0][0], brief["length_s"]) == ("rock", 30.0)
    assert "polka" in await told(fake, await fake.slash("admin defaults", style="polka"))
    choices = await fake.autocomplete("admin defaults", "style", "bo")
    assert choices == ["bossa"]


async def test_maintenance_is_the_operators_and_running_pieces_finish(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        refused = await told(fake, await fake.slash("admin maintenance", user=OTHER, message="haha"))
        assert refused == "Only the operator of this bot can do that."
        running = await fake.slash("compose", text="fakeslow chill")
        await bot.job_of(running)
        assert "is finished" in await told(fake, await fake.slash("admin maintenance", message="Back at noon."))
        expected = "I accept nothing new right now: Back at noon."
        assert await told(fake, await fake.slash("compose", text="chill", user=OTHER)) == expected
        assert (await rules(fake, await fake.slash("admin show")))[""] == expected
        message = await bot.posted(running)
        (track,) = await bot.app.service.history(LISTENER)
        assert await told(fake, await fake.click(message, f"tune:again:{track.id}")) == expected
    async with running_bot(settings, fake) as bot:
        assert await told(fake, await fake.slash("compose", text="chill")) == expected
        assert "accepted again" in await told(fake, await fake.slash("admin maintenance"))
        await bot.posted(await fake.slash("compose", text="chill"))


async def test_statistics_name_nobody(bot: Running, fake: FakeDiscord) -> None:
    _, track = await piece(bot, fake)
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER))
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER, place="dm"))
    await bot.app.service.rate(LISTENER, track, 4)
    failed = await fake.slash("compose", text="fakerefuse", seed=1)
    await bot.state((await bot.job_of(failed)).id, State.FAILED)
    asked = await fake.slash("admin stats")
    said = await rules(fake, asked)
    expected = {"Pieces": "2", "Listeners": "2", "Ratings": "1", "In the making": "0", "Failed": "1", "": ""}
    assert said == expected
    assert str(USER_ID) not in json.dumps(asked.acks)


async def test_the_banned_keep_their_privacy_commands(bot: Running, fake: FakeDiscord) -> None:
    message, track = await piece(bot, fake)
    new = await told(fake, await fake.slash("admin ban", listener=Person(OTHER)))
    assert new == f"<@{OTHER}> may not use me on this server any more."
    assert "banned already" in await told(fake, await fake.slash("admin ban", listener=Person(OTHER)))
    assert "yourself" in await told(fake, await fake.slash("admin ban", listener=Person(USER_ID)))
    sentence = "Those who manage this server have banned you from using me here; /privacy is still yours."
    assert await told(fake, await fake.slash("compose", text="chill", user=OTHER)) == sentence
    assert await told(fake, await fake.menu("Compose something like this", message, user=OTHER)) == sentence
    assert await told(fake, await fake.click(message, f"tune:like:{track}", user=OTHER)) == sentence
    await fake.until(lambda: len(message.reactions) == 5)
    await fake.react(message, "1️⃣", user=OTHER)
    await told(fake, await fake.click(message, f"tune:like:{track}"))
    assert await bot.app.service.reactions(track) == set()
    assert "bans on servers: 1" in await told(fake, await fake.slash("privacy what", user=OTHER))
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER, place="dm"))  # a server rules itself alone
    assert await told(fake, await fake.slash("admin bans")) == f"• <@{OTHER}>"
    assert "again" in await told(fake, await fake.slash("admin unban", listener=Person(OTHER)))
    assert await told(fake, await fake.slash("admin bans")) == "Nobody is banned here."
    assert "was not banned" in await told(fake, await fake.slash("admin unban", listener=Person(OTHER)))
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER))


async def test_a_ban_outlives_being_forgotten_without_an_id(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        await bot.posted(await fake.slash("compose", text="chill", user=OTHER))
        await told(fake, await fake.slash("admin ban", listener=Person(OTHER)))
        form = await fake.slash("privacy forget", user=OTHER)
        assert "You are forgotten" in await told(fake, await fake.submit(form, "forget me", user=OTHER))
        assert _held(settings.home, str(OTHER)) == []
    async with running_bot(settings, fake) as bot:
        assert "banned you" in await told(fake, await fake.slash("compose", text="chill", user=OTHER))
        assert await told(fake, await fake.slash("admin bans")) == "and 1 who had themselves forgotten since"
        assert "again" in await told(fake, await fake.slash("admin unban", listener=Person(OTHER)))
        await bot.posted(await fake.slash("compose", text="chill", user=OTHER))


@pytest.mark.parametrize("name", ["admin show", "admin stats"])
async def test_where_the_bot_is_no_member_there_is_nothing_to_manage(
    bot: Running, fake: FakeDiscord, name: str
) -> None:
    assert "server that I am a member of" in await told(fake, await fake.slash(name, place="foreign"))


async def _age(bot: Running, by: timedelta) -> None:
    """Let what was used of quotas have been used earlier."""
    async with bot.app.store.database.write() as tx:
        await tx.execute(update(uses).values(used_at=datetime.now(UTC) - by))
