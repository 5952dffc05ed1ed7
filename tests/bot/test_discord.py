"""The real discord.py client against a loopback Discord: what a person in the chat sees."""

from __future__ import annotations

import asyncio
import io
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import imageio_ffmpeg
import pytest
from pydub import AudioSegment

from bot.app import open_app
from bot.discord_front import client as client_module
from bot.discord_front.replies import STAR_EMOJI
from bot.discord_front.session import FrontSession
from bot.errors import FrontError, SettingsError
from bot.jobs.job import State
from bot.settings import Settings, load_settings
from generator.brief import MOODS, STYLES
from tests.bot.discord_harness import Running, running_bot
from tests.fakes.discord import BOT_ID, DM_ID, TOKEN, USER_ID, FakeDiscord, Fault, mp3_of

LISTENER = f"discord:{USER_ID}"
PRIVILEGED = (1 << 1) | (1 << 8) | (1 << 15)


def decoded_s(mp3: bytes) -> float:
    AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
    kind, codec = ("ogg", "libopus") if mp3.startswith(b"OggS") else ("mp3", "mp3")
    return float(AudioSegment.from_file(io.BytesIO(mp3), format=kind, codec=codec).duration_seconds)


async def test_compose_chill_from_command_to_rated_piece(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill fakeslow")
    await fake.until(lambda: asked.acks)
    assert asked.acks[0]["type"] == 5
    assert asked.ack_s < 3
    message = await bot.posted(asked)
    assert message is asked.message  # one message, edited in place
    assert len(fake.messages) == 1

    shown = [body.get("content") for _, body in message.edits[:-1]]
    times = [at for at, _ in message.edits[:-1]]
    assert len(shown) == len(set(shown)) >= 3  # only on change
    assert all(later - earlier >= 0.29 for earlier, later in itertools.pairwise(times))
    assert any("▰" in str(text) for text in shown)
    assert "fakeslow" in "".join(map(str, shown))  # a word not understood is named

    assert message.content == ""
    mp3 = mp3_of(message)
    assert mp3 is not None
    assert 0.8 < decoded_s(mp3) < 1.3
    assert "cover.png" in message.files
    embed = message.embeds[0]
    assert embed["thumbnail"]["url"] == "attachment://cover.png"
    facts = {field["name"]: field["value"] for field in embed["fields"]}
    track = (await bot.app.service.history(LISTENER))[0]
    assert facts["Seed"] == str(track.brief["seed"])
    assert facts["Key"] == track.brief["key"]
    assert "chill" in embed["description"]
    await fake.until(lambda: list(message.reactions) == list(STAR_EMOJI))

    await fake.react(message, "5️⃣")
    await until_stars(bot, track.id, 5)
    await fake.react(message, "2️⃣")
    await until_stars(bot, track.id, 2)
    await fake.unreact(message, "2️⃣")
    await until_stars(bot, track.id, 5)
    await fake.unreact(message, "5️⃣")
    await until_stars(bot, track.id, None)


async def until_stars(bot: Running, track_id: str, stars: int | None, listener: str = LISTENER) -> None:
    async with asyncio.timeout(10):
        while True:
            ratings = {row["track_id"]: row["stars"] for row in await bot.app.store.ratings.of_listener(listener)}
            if ratings.get(track_id) == stars:
                return
            await asyncio.sleep(0.02)


async def test_reactions_change_the_next_brief(bot: Running, fake: FakeDiscord) -> None:
    wishes: dict[str, Any] = {"text": "chill", "seed": 11, "style": "lofi"}
    first = await bot.posted(await fake.slash("compose", **wishes))
    for seed in (12, 13, 14):
        message = await bot.posted(await fake.slash("compose", **{**wishes, "seed": seed}))
        track = (await bot.app.service.history(LISTENER))[0]
        emoji = "5️⃣" if track.brief["density"] > 0.4 else "1️⃣"
        await fake.react(message, emoji)
        await until_stars(bot, track.id, 5 if emoji == "5️⃣" else 1)
    again = await bot.posted(await fake.slash("compose", **wishes))
    newest, *_, oldest = await bot.app.service.history(LISTENER)
    assert first.id != again.id
    assert newest.brief["seed"] == oldest.brief["seed"] == 11
    changed = {
        name for name in ("tempo_bpm", "key", "density", "brightness") if newest.brief[name] != oldest.brief[name]
    }
    assert changed
    # Somebody else, asking the same, is not affected.
    stranger = await bot.posted(await fake.slash("compose", user=USER_ID + 5, **wishes))
    assert stranger
    (theirs,) = await bot.app.service.history(f"discord:{USER_ID + 5}")
    assert theirs.brief == oldest.brief


async def test_reactions_that_are_none_of_our_business(bot: Running, fake: FakeDiscord) -> None:
    message = await bot.posted(await fake.slash("compose", text="chill"))
    track = (await bot.app.service.history(LISTENER))[0]
    await fake.react(message, "🎉")
    await fake.react(message, "1️⃣", user=BOT_ID)
    other = type(message)(fake.ids.make(), message.channel_id, message.author)
    await fake.react(other, "4️⃣")
    await fake.react(message, "3️⃣", user=USER_ID + 1)
    await until_stars(bot, track.id, 3, f"discord:{USER_ID + 1}")
    assert await bot.app.service.reactions(track.id) == {(f"discord:{USER_ID + 1}", 3)}


async def test_login_needs_no_privileged_intent_and_syncs_once(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake, composing=False):
        assert fake.identifies[0]["intents"] & PRIVILEGED == 0
        assert {command["name"] for command in fake.commands} == {
            "compose", "like-this", "blend", "history", "favourites", "mood", "taste", "link", "unlink", "import",
            "privacy", "radio", "admin", "help", "about", "Compose something like this",
        }  # fmt: skip
        for command in fake.commands:
            on_servers_only = command["name"] in {"admin", "radio"}
            assert command["integration_types"] == ([0] if on_servers_only else [0, 1])
            assert command["contexts"] == ([0] if on_servers_only else [0, 1, 2])
        options = {option["name"]: option for option in fake.commands[0]["options"]}
        assert set(options) == {
            "text", "style", "tempo", "key", "length", "meter", "instruments", "novelty", "reference", "seed",
            "takes", "compare", "private",
        }  # fmt: skip
        assert options["text"]["required"]
        assert options["text"]["autocomplete"]
    async with running_bot(settings, fake, composing=False):
        assert fake.syncs == 1


async def test_commands_are_synced_again_when_they_change(
    settings: Settings, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_bot(settings, fake, composing=False):
        pass
    monkeypatch.setattr(client_module, "ADDED", client_module.ADDED[:1])
    async with running_bot(settings, fake, composing=False):
        assert fake.syncs == 2
        assert {command["name"] for command in fake.commands} == {"compose"}


async def test_autocomplete_offers_moods_and_styles(bot: Running, fake: FakeDiscord) -> None:
    assert await fake.autocomplete("compose", "text", "") == [*MOODS, *STYLES][:25]
    assert await fake.autocomplete("compose", "text", "dr") == ["dreamy"]
    assert await fake.autocomplete("compose", "text", "something ja") == ["something jazz"]
    assert await fake.autocomplete("compose", "style", "SYN") == ["synthwave"]
    assert "A minor" in await fake.autocomplete("compose", "key", "a")
    assert await fake.autocomplete("compose", "text", "x" * 120) == []


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"text": "   "}, "Tell me what to compose"),
        ({"text": "x" * 2000}, "2,000 characters"),
        ({"text": "chill", "style": "polka"}, "polka"),
        ({"text": "chill", "key": "H minor"}, "H minor"),
        ({"text": "chill", "length": 0}, "length"),
        ({"text": "chill", "length": 100_000}, "length"),
        ({"text": "chill", "tempo": 9000.0}, "tempo"),
        ({"text": "chill", "seed": -1}, "seed"),
    ],
)
async def test_a_wish_that_cannot_be_gets_one_sentence_for_the_asker_only(
    bot: Running, fake: FakeDiscord, wishes: dict[str, Any], sentence: str
) -> None:
    asked = await fake.slash("compose", **wishes)
    await fake.until(lambda: asked.acks)
    assert asked.acks[0]["type"] == 4
    assert asked.acks[0]["data"]["flags"] == 64
    text = asked.acks[0]["data"]["content"]
    assert sentence in text
    assert "\n" not in text
    assert await bot.app.queue.composing() == 0


async def test_too_many_requests_are_refused_kindly(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake, composing=False):
        asked = [await fake.slash("compose", text="chill") for _ in range(4)]
        await fake.until(lambda: all(one.acks for one in asked))
        assert [one.acks[0]["type"] for one in asked].count(5) == 3
        refused = next(one for one in asked if one.acks[0]["type"] == 4)
        assert "already have 3" in refused.acks[0]["data"]["content"]


async def test_queue_position_is_shown(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake, composing=False):
        first = await fake.slash("compose", text="chill")
        await fake.until(lambda: first.message and "you are next" in first.message.content)
        second = await fake.slash("compose", text="sad", user=USER_ID + 1)
        await fake.until(lambda: second.message and "1 piece before yours" in second.message.content)


async def test_what_fails_is_said_once_in_the_same_message(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill fakerefuse")
    await fake.until(lambda: asked.message and "did not pass its checks" in asked.message.content)
    job = await bot.job_of(asked)
    assert job.state is State.FAILED
    assert asked.message is not None
    edits = len(asked.message.edits)
    await asyncio.sleep(0.3)
    assert len(asked.message.edits) == edits


async def test_a_replayed_interaction_makes_one_piece(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill fakeslow")
    await fake.until(lambda: asked.acks)
    await fake.replay(asked)
    await bot.posted(asked)
    await fake.replay(asked)
    await asyncio.sleep(0.3)
    assert len(await bot.app.service.history(LISTENER)) == 1
    assert len(fake.tracks()) == 1


async def test_a_dropped_connection_resumes_and_missed_commands_are_answered(bot: Running, fake: FakeDiscord) -> None:
    await fake.drop()
    asked = await fake.slash("compose", text="chill")
    await bot.posted(asked)
    assert fake.resumes == 1
    assert len(fake.tracks()) == 1


@pytest.mark.parametrize("place", ["dm", "foreign"])
async def test_direct_messages_and_places_the_bot_is_not_in(bot: Running, fake: FakeDiscord, place: str) -> None:
    asked = await fake.slash("compose", text="chill", place=place)
    message = await bot.posted(asked)
    assert message is asked.message
    if place == "dm":
        await fake.until(lambda: len(message.reactions) == 5)
        await fake.react(message, "4️⃣")
        track = (await bot.app.service.history(LISTENER))[0]
        await until_stars(bot, track.id, 4)
        assert message.channel_id == str(DM_ID)
    else:
        await asyncio.sleep(0.2)
        assert not any(method == "PUT" and "reactions" in path for method, path, _ in fake.requests)


async def test_a_dead_token_leads_to_one_message_in_the_channel(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill fakeslow")
    await fake.until(lambda: asked.acks)
    asked.expired = True
    message = await bot.posted(asked)
    assert message is not asked.message
    job = await bot.job_of(asked)
    assert message.nonce == job.id
    assert message.content == f"<@{USER_ID}>"
    sent = next(b for method, path, b in fake.requests if method == "POST" and path.endswith("/messages") and b)
    assert sent["allowed_mentions"]["users"] == [str(USER_ID)] or sent["allowed_mentions"]["users"] == [USER_ID]
    assert len(fake.tracks()) == 1


async def test_a_late_ack_still_ends_in_one_piece(bot: Running, fake: FakeDiscord) -> None:
    fake.faults.append(Fault(r"/callback", 404, {"message": "Unknown interaction", "code": 10062}))
    asked = await fake.slash("compose", text="chill")
    asked.expired = True
    await bot.posted(asked)
    assert len(fake.tracks()) == 1


async def test_a_busy_discord_is_tried_again(bot: Running, fake: FakeDiscord) -> None:
    limited = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}
    fake.faults.append(Fault(r"PATCH /webhooks", 429, limited, times=2, headers={"Via": "1.1 fake"}))
    fake.faults.append(Fault(r"PUT .*/reactions/", 429, limited, times=1, headers={"Via": "1.1 fake"}))
    message = await bot.posted(await fake.slash("compose", text="chill"))
    await fake.until(lambda: len(message.reactions) == 5)


async def test_an_answer_lost_on_the_way_does_not_double_the_post(bot: Running, fake: FakeDiscord) -> None:
    """Discord took the post but its answer was an error; the next try finds it instead of posting again."""
    fault = Fault(r"POST /channels/\d+/messages", 503, {"message": "unavailable", "code": 0}, after=True)
    fake.faults.append(fault)
    asked = await fake.slash("compose", text="chill fakeslow")
    await fake.until(lambda: asked.acks)
    asked.expired = True
    job = await bot.job_of(asked)
    await bot.state(job.id, State.DONE)
    assert fault.times == 0
    assert len(fake.tracks()) == 1


async def test_numbers_are_left_out_where_they_are_forbidden(bot: Running, fake: FakeDiscord) -> None:
    fake.faults.append(Fault(r"PUT .*/reactions/", 403, {"message": "Missing Permissions", "code": 50013}))
    message = await bot.posted(await fake.slash("compose", text="chill"))
    await asyncio.sleep(0.3)
    assert message.reactions == {}
    assert len([1 for method, path, _ in fake.requests if method == "PUT" and "reactions" in path]) == 1


async def test_a_refused_post_is_said_and_the_piece_kept(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill fakeslow")
    await fake.until(lambda: asked.acks)
    job = await bot.job_of(asked)
    await bot.state(job.id, State.RUNNING)
    asked.expired = True
    fake.faults.append(
        Fault(r"POST /channels/\d+/messages", 403, {"message": "Missing Access", "code": 50001}, times=9)
    )
    failed = await bot.state(job.id, State.FAILED)
    assert "history" in str(failed.error)
    assert [track.id for track in await bot.app.service.history(LISTENER)] == [job.id]


async def test_history_and_taste_are_for_the_asker(bot: Running, fake: FakeDiscord) -> None:
    for name in ("history", "favourites", "taste show"):
        asked = await fake.slash(name)
        await fake.until(lambda asked=asked: asked.message and asked.message.edits)
        assert asked.acks[0]["data"]["flags"] == 64
    await bot.posted(await fake.slash("compose", text="chill"))
    track = (await bot.app.service.history(LISTENER))[0]
    await bot.app.service.rate(LISTENER, track.id, 4)
    asked = await fake.slash("history")
    await fake.until(lambda: asked.message and asked.message.edits)
    assert asked.message is not None
    field = asked.message.embeds[0]["fields"][0]
    assert field["name"] == track.title
    assert "★★★★☆" in field["value"]
    assert track.id in field["value"]


@pytest.mark.parametrize(("limit", "said"), [(15_000, "MP3 at"), (10_000, "Opus at")])
async def test_a_piece_too_large_is_made_smaller_and_says_so(
    bot: Running, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch, limit: int, said: str
) -> None:
    real = client_module._reply
    monkeypatch.setattr(client_module, "_reply", lambda i, **how: replace(real(i, **how), upload_limit=limit))
    message = await bot.posted(await fake.slash("compose", text="chill fakelarge"))
    mp3 = mp3_of(message)
    assert mp3 is not None
    assert len(mp3) <= limit
    assert decoded_s(mp3) > 0.8
    assert said in str(message.embeds[0]["fields"])


async def test_a_bad_token_is_one_sentence(settings: Settings, fake: FakeDiscord) -> None:
    async with open_app(settings) as app, FrontSession(app.store, app.queue, app.service, worker="w") as session:
        with pytest.raises(SettingsError, match="DISCORD_TOKEN") as caught:
            await session.login("wrong" + TOKEN)
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_discord_that_is_not_there_is_one_sentence(settings: Settings, fake: FakeDiscord) -> None:
    await fake.__aexit__()
    async with open_app(settings) as app, FrontSession(app.store, app.queue, app.service, worker="w") as session:
        with pytest.raises(FrontError, match="cannot be reached"):
            await session.login(TOKEN)
    await fake.__aenter__()


async def test_interaction_routes_never_see_the_bot_token(bot: Running, fake: FakeDiscord) -> None:
    await bot.posted(await fake.slash("compose", text="chill"))
    for path, authorization in fake.authorizations:
        if path.startswith(("/interactions/", "/webhooks/")):
            assert authorization is None


def test_tokens_end_before_discord_ends_them() -> None:
    asked = datetime(2026, 1, 1, tzinfo=UTC)
    assert asked + client_module.TOKEN_LIFE < asked + timedelta(minutes=15)
    assert load_settings().discord_token is None
