"""The commands beside /compose, as a person uses them: moods, taste, sounds, accounts, privacy, help."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from bot.settings import Settings
from tests.bot.discord_harness import Running, running_bot
from tests.bot.test_discord import LISTENER, until_stars
from tests.bot.test_discord_buttons import piece, told
from tests.fakes.discord import USER_ID, Asked, FakeDiscord, Person, Upload
from tests.fakes.listenbrainz import FakeListenBrainz

OTHER = USER_ID + 7
SAMPLE = Path(__file__).parents[1] / "data" / "sample_history" / "Streaming_History_Audio_2025-2026_0.json"


async def shown(fake: FakeDiscord, asked: Asked) -> dict[str, object]:
    """The embed of an answer for the asker's eyes only."""
    await fake.until(lambda: asked.message and asked.message.embeds)
    assert asked.acks[0]["data"]["flags"] == 64
    assert asked.message is not None
    return dict(asked.message.embeds[0])


def tone_wav() -> bytes:
    rate = 22_050
    beat = (np.arange(rate * 8) % (rate // 2)) / rate
    sound = 0.4 * np.sin(2 * np.pi * 440 * np.arange(rate * 8) / rate) * np.exp(-8 * beat)
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format="WAV")
    return out.getvalue()


async def test_a_mood_holds_until_it_is_cleared(bot: Running, fake: FakeDiscord) -> None:
    assert "no mood" in await told(fake, await fake.slash("mood show"))
    assert "no mood in that" in await told(fake, await fake.slash("mood set", words="xyzzy"))
    assert "near sad" in await told(fake, await fake.slash("mood set", words="sad"))
    _, track = await piece(bot, fake, text="piano", seed=3)
    record = await bot.app.service.track(track)
    assert record.brief["mood"]["valence"] < 0
    assert "your mood is set to “sad”" in record.why
    assert "sad" in await told(fake, await fake.slash("mood show"))
    _, track = await piece(bot, fake, text="happy piano", seed=3)  # words of the request come first
    assert (await bot.app.service.track(track)).brief["mood"]["valence"] > 0
    assert "cleared" in await told(fake, await fake.slash("mood clear"))
    _, track = await piece(bot, fake, text="piano", seed=3)
    assert not any("mood is set" in reason for reason in (await bot.app.service.track(track)).why)


async def test_taste_is_shown_as_a_picture_edited_and_reset(bot: Running, fake: FakeDiscord) -> None:
    said = await told(fake, await fake.slash("taste edit", words="more jazz, less rock"))
    assert "more: " in said
    assert "less: " in said
    asked = await fake.slash("taste show")
    embed = await shown(fake, asked)
    assert embed["image"]["url"] == "attachment://taste.png"  # type: ignore[index]
    assert asked.message is not None
    with Image.open(io.BytesIO(asked.message.files["taste.png"])) as picture:
        assert len(picture.convert("RGB").getcolors(100_000)) > 10
    asked = await fake.slash("taste export")
    await told(fake, asked)
    assert asked.message is not None
    assert len(json.loads(asked.message.files["taste.json"])["statements"]) == 2
    question = await fake.slash("taste reset")
    await told(fake, question)
    assert question.message is not None
    await fake.click(question.message, "tune:reset:me")
    await fake.until(lambda: question.message and "Forgotten: 2" in question.message.content)
    assert (await bot.app.service.tastes.export(LISTENER))["statements"] == []


async def test_exclusions(bot: Running, fake: FakeDiscord) -> None:
    _, track = await piece(bot, fake)
    await bot.app.service.rate(LISTENER, track, 5)
    await until_stars(bot, track, 5)
    assert track in await told(fake, await fake.slash("taste exclude", kind="track", value=track))
    await until_stars(bot, track, None)
    assert "counts again" in await told(fake, await fake.slash("taste include", value=track))
    await until_stars(bot, track, 5)
    assert "was not excluded" in await told(fake, await fake.slash("taste include", value="nobody"))


async def test_favourites_are_what_was_rated_best(bot: Running, fake: FakeDiscord) -> None:
    _, good = await piece(bot, fake)
    _, bad = await piece(bot, fake)
    await bot.app.service.rate(LISTENER, good, 5)
    await bot.app.service.rate(LISTENER, bad, 2)
    text = json.dumps(await shown(fake, await fake.slash("favourites")))
    assert good in text
    assert bad not in text


async def test_private_pieces_are_seen_by_the_asker_only_and_teach_nothing(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("compose", text="chill", private=True)
    message = await bot.posted(asked)
    assert asked.acks[0]["data"]["flags"] == 64
    assert message is asked.message
    (track,) = await bot.app.service.history(LISTENER)
    await fake.click(message, f"tune:like:{track.id}")
    await until_stars(bot, track.id, None)
    assert message.reactions == {}


async def test_instruments_and_novelty_reach_the_brief(bot: Running, fake: FakeDiscord) -> None:
    _, track = await piece(bot, fake, instruments="piano", novelty=80)
    brief = (await bot.app.service.track(track)).brief
    assert brief["novelty"] == pytest.approx(0.8)
    assert "piano" in str(brief["instruments_wanted"])


async def test_something_like_a_sound_from_a_command_and_from_a_message(bot: Running, fake: FakeDiscord) -> None:
    sound = Upload("../my sound.wav", tone_wav(), "audio/wav")
    await bot.posted(await fake.slash("like-this", sound=sound))
    (track,) = await bot.app.service.history(LISTENER)
    assert track.brief["tempo_bpm"] == pytest.approx(120, rel=0.05)
    message = fake.tracks()[0]
    message.attachments.append({"id": fake.ids.make(), **fake._hosted("again.wav", tone_wav(), "audio/wav")})
    message.attachments.pop(0)
    await bot.posted(await fake.menu("Compose something like this", message))
    assert len(await bot.app.service.history(LISTENER)) == 2
    message.attachments = []
    assert "no sound" in await told(fake, await fake.menu("Compose something like this", message))
    asked = await fake.slash("like-this", sound=Upload("notes.mp3", b"this is no sound"))
    assert "cannot be decoded" in await told(fake, asked) or "notes.mp3" in await told(fake, asked)
    huge = await fake.slash("like-this", sound=Upload("huge.wav", b""))
    assert "huge.wav" in await told(fake, huge)


async def test_a_blend_is_for_people_who_have_used_the_bot(bot: Running, fake: FakeDiscord) -> None:
    refused = await fake.slash("blend", text="party", first=Person(OTHER))
    assert "used me before" in await told(fake, refused)
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER))
    message = await bot.posted(await fake.slash("blend", text="party", first=Person(OTHER)))
    description = message.embeds[0]["description"]
    assert f"<@{OTHER}>" in description
    assert "%" in description
    sent = [body for _, body in message.edits if body.get("embeds")][-1]
    assert sent["allowed_mentions"]["parse"] == []


async def test_a_history_is_imported_and_unlinked(bot: Running, fake: FakeDiscord) -> None:
    file = Upload(SAMPLE.name, SAMPLE.read_bytes(), "application/json")
    said = await told(fake, await fake.slash("import", file=file))
    assert "new plays" in said
    assert len(await bot.app.store.listens.by_artist(LISTENER)) > 0
    assert "0 new plays" in await told(fake, await fake.slash("import", file=file))
    broken = await told(fake, await fake.slash("import", file=Upload("x.zip", b"PK broken")))
    assert "x.zip" in broken or "ZIP" in broken
    assert "not linked" in await told(fake, await fake.slash("unlink", service="spotify"))


async def test_accounts_are_linked(settings: Settings, fake: FakeDiscord) -> None:
    async with FakeListenBrainz() as brainz:
        linked = settings.model_copy(update={"listenbrainz_url": brainz.url, "spotify_client_id": "client"})
        async with running_bot(linked, fake, composing=False):
            said = await told(fake, await fake.slash("link listenbrainz", account="ada"))
            assert "ListenBrainz is linked as ada" in said
            assert "not set up" in await told(fake, await fake.slash("link lastfm", account="ada"))
            asked = await fake.slash("link spotify")
            await told(fake, asked)
            assert asked.message is not None
            opened, paste = asked.message.components[0]["components"]
            assert opened["url"].startswith("https://accounts.spotify.com/")
            form = await fake.click(asked.message, paste["custom_id"])
            wrong = await fake.submit(form, "https://example.org/?nothing=here")
            assert await told(fake, wrong)
            assert "plays are deleted" in await told(fake, await fake.slash("unlink", service="listenbrainz"))


async def test_help_and_about(bot: Running, fake: FakeDiscord) -> None:
    asked = await fake.slash("help")
    await fake.until(lambda: asked.acks)
    text = json.dumps(asked.acks[0]["data"]["embeds"])
    for command in fake.commands:
        if command.get("type", 1) == 1 and command["name"] != "help":
            assert f"/{command['name']}" in text
    about = str(await shown(fake, await fake.slash("about")))
    assert "composed by an AI" in about
    assert "OpenEWLD" in about


async def test_everything_kept_is_exported(bot: Running, fake: FakeDiscord) -> None:
    assert "Nothing is kept" in await told(fake, await fake.slash("privacy what"))
    _, track = await piece(bot, fake)
    assert "pieces: 1" in await told(fake, await fake.slash("privacy what"))
    asked = await fake.slash("privacy export")
    await told(fake, asked)
    assert asked.message is not None
    with zipfile.ZipFile(io.BytesIO(asked.message.files["tunesmith-data.zip"])) as archive:
        data = json.loads(archive.read("data.json"))
        assert [row["id"] for row in data["tracks"]] == [track]
        assert "sealed_token" not in str(data)
        assert f"tracks/{track}/track.mp3" in archive.namelist()


async def test_the_forgotten_are_gone_from_every_byte(bot: Running, fake: FakeDiscord, settings: Settings) -> None:
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER))
    await fake.slash("mood set", words="melancholic")
    await told(fake, await fake.slash("taste edit", words="more jazz"))
    file = Upload(SAMPLE.name, SAMPLE.read_bytes(), "application/json")
    await told(fake, await fake.slash("import", file=file))
    artist = (await bot.app.store.listens.by_artist(LISTENER))[0].artist
    _, track = await piece(bot, fake, text="chill wondrously")
    await bot.app.service.rate(LISTENER, track, 5)
    await bot.posted(await fake.slash("blend", text="party", user=OTHER, first=Person(USER_ID)))
    row = await bot.app.store.messages.of_job(track)
    assert row is not None
    traces = [str(USER_ID), "melancholic", "wondrously", artist, track, str(row["sealed_token"])[:40]]
    assert all(_held(settings.home, trace) for trace in traces)

    wrong = await fake.submit(await fake.slash("privacy forget"), "no")
    assert "nothing was deleted" in await told(fake, wrong)
    asked = await fake.submit(await fake.slash("privacy forget"), "Forget me")
    assert "You are forgotten" in await told(fake, asked)
    assert [trace for trace in traces if _held(settings.home, trace)] == []
    assert len(await bot.app.service.history(f"discord:{OTHER}")) == 2  # nobody else lost anything


def _held(home: Path, text: str) -> list[Path]:
    """Files under the home folder, database, journal and log among them, that hold a text or are named so."""
    return [
        path for path in home.rglob("*") if text in path.name or (path.is_file() and text.encode() in path.read_bytes())
    ]


async def test_replies_and_commands_are_in_the_readers_language(bot: Running, fake: FakeDiscord) -> None:
    compose = next(command for command in fake.commands if command["name"] == "compose")
    assert compose["name_localizations"]["de"] == "komponieren"
    assert compose["name_localizations"]["pt-BR"] == "compor"
    assert "en-US" not in compose["name_localizations"]
    style = next(option for option in compose["options"] if option["name"] == "style")
    assert style["description_localizations"]["ja"] == "曲のスタイル"
    assert not style.get("name_localizations")
    taste = next(command for command in fake.commands if command["name"] == "taste")
    assert "montrer" in json.dumps(taste, ensure_ascii=False)
    menu = next(command for command in fake.commands if command.get("type") == 3)
    assert menu["name_localizations"]["fr"] == "Composer dans cet esprit"

    message = await bot.posted(await fake.slash("compose", text="chill", locale="de"))
    assert "Tonart" in [field["name"] for field in message.embeds[0]["fields"]]
    labels = [item.get("label") for row in message.components for item in row["components"]]
    assert "Noch einmal" in labels
    (track,) = await bot.app.service.history(LISTENER)
    asked = await fake.click(message, f"tune:like:{track.id}", user=OTHER, locale="es-419")
    assert "Anotado" in await told(fake, asked)
    asked = await fake.slash("mood show", locale="ja")
    assert "気分は設定されていません" in await told(fake, asked)


async def test_who_waits_is_told_about_how_long(settings: Settings, fake: FakeDiscord) -> None:
    async with running_bot(settings, fake) as bot:
        await piece(bot, fake)
    async with running_bot(settings, fake, composing=False):
        asked = await fake.slash("compose", text="chill")
        await fake.until(lambda: asked.message and "Ready in about" in asked.message.content)
