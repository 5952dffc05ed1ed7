"""Two takes side by side: the second joins the first one's message, and the answer teaches the taste."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile

import numpy as np
import pytest
from sqlalchemy import select, update

from bot.jobs.job import State
from bot.settings import Settings
from bot.store.database import Transaction
from bot.store.jobs import Jobs
from bot.store.tables import jobs, pairs, tracks
from personalization.features import features
from personalization.profile import Profile
from personalization.propose import taste_of
from tests.bot.discord_harness import Running, running_bot
from tests.bot.test_discord import LISTENER, until_stars
from tests.bot.test_discord_buttons import told
from tests.bot.test_discord_commands import _held
from tests.fakes.discord import USER_ID, Asked, FakeDiscord, Fault, Message

OTHER = USER_ID + 7
QUESTION = "Which one do you like better, A or B?"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"compare": True})


async def pair(bot: Running, fake: FakeDiscord, **options: object) -> tuple[Message, str, str]:
    """A message with both takes, and their ids."""
    asked = await fake.slash("compose", **{"text": "chill", **options})
    message = await bot.posted(asked)
    await fake.until(lambda: QUESTION in message.content)
    first = (await bot.job_of(asked)).id
    found = await bot.app.store.pairs.of_first(first)
    assert found is not None
    return message, first, found["second_id"]


async def test_the_second_take_joins_the_message_of_the_first(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="fakeslow chill")
    message = await bot.posted(asked)
    assert message.content == "A second take is on its way; then say which one you like better."
    assert len(message.attachments) == 2
    await fake.until(lambda: QUESTION in message.content)
    newest, oldest = await bot.app.service.history(LISTENER)
    first = (await bot.job_of(asked)).id
    a, b = (newest, oldest) if newest.id == first else (oldest, newest)
    names = [attachment["filename"] for attachment in message.attachments]
    assert names == [f"tone-in-{_slug(a)}-{a.id}.mp3", "cover.png", f"b-tone-in-{_slug(b)}-{b.id}.mp3", "cover-b.png"]
    assert [embed["title"] for embed in message.embeds] == [f"A · {a.title}", f"B · {b.title}"]
    assert [embed["thumbnail"]["url"] for embed in message.embeds] == [
        "attachment://cover.png", "attachment://cover-b.png",
    ]  # fmt: skip
    same = ("styles", "mood", "tempo_bpm", "key", "length_s", "density")
    assert {name: a.brief[name] for name in same} == {name: b.brief[name] for name in same}
    assert b.brief["seed"] == a.brief["seed"] + 1
    assert message.files[names[0]] != message.files[names[2]]
    assert len(message.components) == 4
    assert [item["label"] for item in message.components[3]["components"]] == ["A", "B", "Both are fine", "Neither"]
    assert len(fake.tracks()) == 1


def _slug(track: object) -> str:
    return track.brief["key"].lower().replace(" ", "-").replace("#", "-")  # type: ignore[attr-defined]


async def test_the_answer_teaches_the_taste_and_the_newest_counts(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        message, first, second = await pair(bot, fake)
        said = await told(fake, await fake.click(message, f"pair:first:{first}"))
        assert said.startswith("Noted: A rather than B.")
        chosen = await fake.click(message, f"pair:second:{first}")
        assert (await told(fake, chosen)).startswith("Noted: B rather than A.")
        shown = json.dumps(chosen.acks[0]["data"]["components"])
        assert f"tune:midi:{second}" in shown  # what can be done with B
        theirs = await fake.click(message, f"pair:second:{first}", user=OTHER)
        await told(fake, theirs)
        assert "tune:midi" not in json.dumps(theirs.acks[0]["data"].get("components", []))
        await told(fake, await fake.click(message, f"pair:neither:{first}", user=OTHER))
        async with bot.app.store.database.write() as tx:  # the two differ in what is measured on them
            (attributes,) = (await tx.execute(select(tracks.c.attributes).where(tracks.c.id == second))).one()
            lively = {**attributes, "arousal": 0.9, "density": 0.9, "tempo_bpm": 150.0}
            await tx.execute(update(tracks).where(tracks.c.id == second).values(attributes=lively))
    async with running_bot(settings, fake) as bot:
        mine = await bot.app.service.profile(LISTENER)
        assert [one.verdict for one in mine.comparisons] == ["second"]
        calm, busy = (features(*one) for one in (mine.comparisons[0].first, mine.comparisons[0].second))
        learned = taste_of(mine).predict(np.stack([calm, busy]))[0]
        usual = taste_of(Profile(LISTENER)).predict(np.stack([calm, busy]))[0]
        assert learned[1] - learned[0] > usual[1] - usual[0] + 0.05
        others = taste_of(await bot.app.service.profile(f"discord:{OTHER}")).predict(np.stack([calm, busy]))[0]
        assert (others < usual).all()  # neither


async def test_answers_are_exported_excluded_reset_and_forgotten(
    bot: Running, fake: FakeDiscord, settings: Settings
) -> None:
    message, first, second = await pair(bot, fake)
    await told(fake, await fake.click(message, f"pair:both:{first}"))
    assert "takes you compared: 1" in await told(fake, await fake.slash("privacy what"))
    asked = await fake.slash("privacy export")
    await told(fake, asked)
    assert asked.message is not None
    with zipfile.ZipFile(io.BytesIO(asked.message.files["tunesmith-data.zip"])) as archive:
        (row,) = json.loads(archive.read("data.json"))["comparisons"]
    assert (row["first_id"], row["second_id"], row["verdict"]) == (first, second, "both")
    await told(fake, await fake.slash("taste exclude", kind="track", value=second))
    assert (await bot.app.service.profile(LISTENER)).comparisons == ()
    await told(fake, await fake.slash("taste include", value=second))
    assert len((await bot.app.service.profile(LISTENER)).comparisons) == 1
    question = await fake.slash("taste reset")
    await told(fake, question)
    assert question.message is not None
    await fake.click(question.message, "tune:reset:me")
    await fake.until(lambda: question.message and "Forgotten" in question.message.content)
    assert (await bot.app.service.profile(LISTENER)).comparisons == ()
    await told(fake, await fake.click(message, f"pair:first:{first}"))
    form = await fake.submit(await fake.slash("privacy forget"), "forget me")
    assert "2 pieces" in await told(fake, form)
    assert [trace for trace in (first, second, str(USER_ID)) if _held(settings.home, trace)] == []
    gone = await told(fake, await fake.click(message, f"pair:first:{first}"))
    assert gone == "These two takes are not both there any more."


async def test_a_restart_in_between_shows_the_second_take_once(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        asked = await fake.slash("compose", text="fakeslower chill")
        message = await bot.posted(asked)
        first = (await bot.job_of(asked)).id
    async with running_bot(settings, fake) as bot:
        await fake.until(lambda: QUESTION in message.content)
        # As if the process had been killed between the edit and the note of it.
        found = await bot.app.store.pairs.of_first(first)
        assert found is not None
        async with bot.app.store.database.write() as tx:
            await tx.execute(update(pairs).values(shown_at=None))
        await _shown(bot, first)
        assert len(message.attachments) == 4
    assert len(fake.tracks()) == 1


async def _shown(bot: Running, first: str) -> None:
    async with asyncio.timeout(30):
        while True:
            found = await bot.app.store.pairs.of_first(first)
            if found is None or found["shown_at"] is not None:
                return
            await asyncio.sleep(0.02)


async def test_after_the_token_ended_the_message_is_edited_as_ours(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="fakeslow chill")
    message = await bot.posted(asked)
    bot.front.courier._dead.add((await bot.job_of(asked)).id)
    asked.expired = True
    bot.front.courier._token_lives = lambda _row: False  # type: ignore[method-assign]
    await fake.until(lambda: QUESTION in message.content)
    assert ("PATCH", f"/channels/{message.channel_id}/messages/{message.id}") in {
        (method, path) for method, path, _ in fake.requests
    }


@pytest.mark.parametrize("status", [403, 404, 413])
async def test_a_message_that_cannot_be_edited_leaves_the_take_in_the_history(
    bot: Running, fake: FakeDiscord, status: int
) -> None:
    asked = await fake.slash("compose", text="fakeslow chill")
    await bot.posted(asked)
    fake.faults.append(Fault(r"(PATCH|GET) /webhooks", status, {"message": "no", "code": 0}, times=5))
    await _shown(bot, (await bot.job_of(asked)).id)
    assert len(await bot.app.service.history(LISTENER)) == 2
    assert len(fake.tracks()) == 1


async def test_a_second_take_that_fails_leaves_the_first_alone(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="fakerefuseodd chill", seed=2, compare=True)
    message = await bot.posted(asked)
    first = (await bot.job_of(asked)).id
    await _shown(bot, first)
    assert message.content == ""
    assert len(message.attachments) == 2


@pytest.mark.parametrize("made_before", [False, True])
async def test_a_first_take_that_fails_leaves_the_second_as_a_single_piece(
    bot: Running, fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch, made_before: bool
) -> None:
    await told_rules(fake)
    if made_before:  # another worker was quicker with the second one than this one with the last attempt of the first
        monkeypatch.setattr(type(bot.app.store.jobs), "next_queued", _background_first)
    asked = await fake.slash("compose", text="fakerefuseodd chill", seed=1, compare=True)
    message = await _answer_with_a_piece(fake, asked)
    (track,) = await bot.app.service.history(LISTENER)
    assert track.brief["seed"] == 2
    assert message.content == ""
    assert len(message.attachments) == 2
    assert [embed["title"] for embed in message.embeds] == [track.title]
    buttons = json.dumps(message.components)
    assert f"tune:remix:{track.id}" in buttons
    assert "pair:" not in buttons
    await fake.until(lambda: len(message.reactions) == 5)
    await fake.react(message, "4️⃣")
    await until_stars(bot, track.id, 4)
    assert len(fake.tracks()) == 1
    assert "your 1 pieces" in await told(fake, await fake.slash("compose", text="chill"))  # it counts


async def _background_first(self: Jobs, tx: Transaction, now: object, only: object) -> object:
    del self, now, only
    statement = select(jobs).where(jobs.c.state == "queued").order_by(jobs.c.background.desc()).limit(1)
    return (await tx.execute(statement)).mappings().first()


async def _answer_with_a_piece(fake: FakeDiscord, asked: Asked) -> Message:
    await fake.until(lambda: asked.message and asked.message.attachments)
    assert asked.message is not None
    return asked.message


async def test_a_first_take_that_fails_after_its_token_ended_leaves_the_second_in_the_channel(
    bot: Running, fake: FakeDiscord
) -> None:
    asked = await fake.slash("compose", text="fakerefuseodd fakeslower chill", seed=1, compare=True)
    await fake.until(lambda: asked.acks)
    asked.expired = True
    await fake.until(fake.tracks)
    (message,) = fake.tracks()
    assert message is not asked.message
    assert message.content == f"<@{USER_ID}>"
    assert len(message.attachments) == 2


async def test_two_takes_that_both_fail_are_told_of_once(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="fakerefuse chill", seed=1, compare=True)
    await fake.until(lambda: asked.message and "did not pass its checks" in asked.message.content)
    first = (await bot.job_of(asked)).id
    assert await bot.app.store.pairs.first_of(first) is not None  # the answer is the second one's
    assert fake.tracks() == []


async def test_cancelling_stops_both_and_a_pair_counts_once(bot: Running, fake: FakeDiscord) -> None:
    await told_rules(fake)
    asked = await fake.slash("compose", text="fakeslower chill")
    job = await bot.job_of(asked)
    await fake.until(lambda: asked.message and asked.message.components)
    assert asked.message is not None
    await fake.click(asked.message, f"tune:cancel:{job.id}")
    found = await bot.app.store.pairs.of_first(job.id)
    assert found is not None
    await bot.state(found["second_id"], State.CANCELLED)
    await pair(bot, fake)  # nothing was used up
    assert "your 1 pieces" in await told(fake, await fake.slash("compose", text="chill"))


async def told_rules(fake: FakeDiscord) -> None:
    asked = await fake.slash("admin quota", listener=1)
    await fake.until(lambda: asked.acks)


async def test_one_take_where_that_is_asked_and_private_pairs_teach_nothing(bot: Running, fake: FakeDiscord) -> None:
    for options in ({"compare": False}, {"seed": 3}):
        asked = await fake.slash("compose", text="chill", **options)
        message = await bot.posted(asked)
        assert await bot.app.store.pairs.of_first((await bot.job_of(asked)).id) is None
        assert message.content == ""
    message, first, _ = await pair(bot, fake, private=True)
    await told(fake, await fake.click(message, f"pair:first:{first}"))
    assert (await bot.app.service.profile(LISTENER)).comparisons == ()
