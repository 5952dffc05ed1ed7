"""The radio, heard at the other end: the real voice client against a loopback voice server, decoded back to sound.

The server speaks no end-to-end encryption (DAVE protocol version 0); transport encryption, RTP and Opus are real.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import discord
import numpy as np
import pytest

from bot.discord_front.station import FACT, RadioPace
from bot.jobs.job import State
from bot.radio.mixer import decode
from bot.settings import Settings
from tests.bot.discord_harness import Running, running_bot
from tests.bot.test_discord import LISTENER, until_stars
from tests.bot.test_discord_buttons import told
from tests.bot.test_mixer import level_of
from tests.fakes.discord import GUILD_ID, USER_ID, FakeDiscord, Message
from tests.fakes.discord_objects import LOUNGE_ID, STAGE_ID
from tests.fakes.discord_voice import RATE, FakeVoice

OTHER = USER_ID + 7
SERVER = f"discord:{GUILD_ID}"
QUICK = RadioPace(poll_s=0.1, alone_s=0.5)


@pytest.fixture
async def voice(fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeVoice]:
    async with FakeVoice(fake) as server:
        server.patch(monkeypatch)
        yield server


@pytest.fixture
async def bot(settings: Settings, fake: FakeDiscord, voice: FakeVoice) -> AsyncIterator[Running]:
    async with running_bot(settings, fake, radio_pace=QUICK) as running:
        yield running


async def tune_in(fake: FakeDiscord, voice: FakeVoice, text: str = "fakelong chill", **options: object) -> Message:
    """Sit down, start the radio, and wait until it plays; the message that says what."""
    await voice.sit(USER_ID)
    said = await told(fake, await fake.slash("radio start", text=text, **options))
    assert said == f"The radio is on in <#{LOUNGE_ID}>."
    await fake.until(lambda: now_playing(fake) is not None)
    message = now_playing(fake)
    assert message is not None
    return message


def now_playing(fake: FakeDiscord) -> Message | None:
    found = [message for message in fake.messages.values() if f"tune:stop:{GUILD_ID}" in json.dumps(message.components)]
    return found[-1] if found else None


def track_of(message: Message) -> str:
    ids = [item["custom_id"] for row in message.components for item in row["components"]]
    return str(next(one for one in ids if one.startswith("tune:like:"))).rpartition(":")[2]


def peak_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum)) * RATE / len(sound)


def delay_of(sound: np.ndarray, of: np.ndarray) -> tuple[int, float]:
    """Where `of` lies in `sound`, and how alike they are there, -1 to 1."""
    size = len(sound) + len(of)
    found = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(of, size)), size)
    at = int(np.argmax(found[: len(sound) - len(of)]))
    there = sound[at : at + len(of)]
    return at, float(np.dot(there, of) / (np.linalg.norm(there) * np.linalg.norm(of)))


async def test_what_is_composed_is_what_is_heard_piece_after_piece(
    bot: Running, fake: FakeDiscord, voice: FakeVoice, tmp_path: Path
) -> None:
    message = await tune_in(fake, voice)
    first = track_of(message)
    await fake.until(lambda: track_of(message) != first)  # edited in place
    second = track_of(message)
    await fake.until(lambda: track_of(message) not in {first, second})
    sound = voice.heard().mean(axis=1)
    begins = int(np.flatnonzero(np.abs(sound) > 0.02)[0])
    for track_id, from_s, to_s in ((first, 1.0, 2.5), (second, 4.5, 5.5)):  # of 7 s, with fades of 4 s, or 3.5
        track = await bot.app.service.track(track_id)
        decode(Path(track.files["mp3"]), tmp_path / track_id)
        played = np.fromfile(tmp_path / track_id, "<i2").reshape(-1, 2).mean(axis=1) / 32768
        _, alike = delay_of(sound[begins:], played[int(from_s * RATE) : int(to_s * RATE)])
        hz = 220.0 + track.brief["seed"] % 200
        assert peak_hz(played) == pytest.approx(hz, abs=1)
        if track_id == first:
            assert peak_hz(sound[begins + RATE : begins + 2 * RATE]) == pytest.approx(hz, abs=1)
            assert alike > 0.98
    loud = [level_of(sound[at : at + RATE // 2]) for at in range(begins, len(sound) - RATE // 2, RATE // 4)]
    assert max(loud) - min(loud) < 3.5  # no gap, and two tones that cross are no louder than one
    sequence = [packet.sequence for packet in voice.packets]
    stamps = np.diff([packet.timestamp for packet in voice.packets])
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
    assert set(stamps.tolist()) == {960}  # 20 ms at 48 kHz
    assert voice.identifies[0]["max_dave_protocol_version"] == 1
    assert voice.joined == [LOUNGE_ID]
    assert fake.identifies[0]["intents"] & (1 << 1 | 1 << 8 | 1 << 15) == 0  # nothing privileged


async def test_a_radio_is_rated_skipped_and_stopped(bot: Running, fake: FakeDiscord, voice: FakeVoice) -> None:
    message = await tune_in(fake, voice)
    first = track_of(message)
    await told(fake, await fake.click(message, f"tune:like:{first}"))
    await until_stars(bot, first, 5)
    outside = await told_after(fake, await fake.click(message, f"tune:skip:{GUILD_ID}", user=OTHER))
    assert outside == f"Only those who listen in <#{LOUNGE_ID}> can do that."
    await fake.click(message, f"tune:skip:{GUILD_ID}")
    await fake.until(lambda: track_of(message) != first)
    (signal,) = (await bot.app.service.tastes.export(LISTENER))["signals"]
    assert (signal["track_id"], signal["kind"]) == (first, "skip")
    assert await told(fake, await fake.slash("radio skip")) == "Here comes the next one."
    assert "on already" in await told(fake, await fake.slash("radio start"))
    job_id = await in_the_making(bot)
    assert await told(fake, await fake.slash("radio stop")) == "📻 The radio is off."
    assert message.content == "📻 The radio is off."
    assert message.components == []
    assert voice.joined == [LOUNGE_ID, None]
    assert (await bot.app.service.job(job_id)).finished  # nothing is composed that nobody will hear
    assert await bot.app.store.facts.beginning(FACT) == {}
    assert "No radio" in await told(fake, await fake.slash("radio stop"))
    assert "No radio" in await told(fake, await fake.slash("radio skip"))


async def told_after(fake: FakeDiscord, asked: object) -> str:
    await fake.until(lambda: asked.followups)  # type: ignore[attr-defined]
    return str(asked.followups[0].content)  # type: ignore[attr-defined]


async def in_the_making(bot: Running) -> str:
    """The job of the next piece; there is always one, or a piece that waits."""
    note = json.loads((await bot.app.store.facts.beginning(FACT))[f"{FACT}{SERVER}"])
    return str(note["job"]) if note["job"] else (await bot.app.service.history(LISTENER))[0].id


async def test_the_room_is_blended(bot: Running, fake: FakeDiscord, voice: FakeVoice) -> None:
    await bot.posted(await fake.slash("compose", text="chill", user=OTHER))
    await bot.posted(await fake.slash("compose", text="chill"))
    await voice.sit(OTHER)
    await voice.sit(USER_ID + 8)  # never used the bot
    await tune_in(fake, voice, text="chill")
    tracks = await bot.app.service.history(LISTENER)
    job = await bot.app.service.job(tracks[0].id)
    assert job.background
    assert job.request["blend_with"] == [f"discord:{OTHER}"]
    assert any("%" in reason for reason in tracks[0].why)


async def test_favourites_play_until_the_first_new_piece_is_there(
    bot: Running, fake: FakeDiscord, voice: FakeVoice
) -> None:
    message = await bot.posted(await fake.slash("compose", text="fakelong chill"))
    (track,) = await bot.app.service.history(LISTENER)
    await told(fake, await fake.click(message, f"tune:like:{track.id}"))
    await until_stars(bot, track.id, 5)
    playing = await tune_in(fake, voice, text="fakeslower fakelong")
    assert track_of(playing) == track.id
    await fake.until(lambda: track_of(playing) != track.id)


async def test_an_old_message_is_sent_anew_as_discord_lets_old_ones_be_edited_rarely(
    settings: Settings, fake: FakeDiscord, voice: FakeVoice
) -> None:
    async with running_bot(settings, fake, radio_pace=RadioPace(poll_s=0.1, message_s=0.0)):
        first = await tune_in(fake, voice)
        await told(fake, await fake.slash("radio skip"))
        await fake.until(lambda: now_playing(fake) not in (None, first))
        await fake.until(lambda: first.id not in fake.messages)


async def test_a_deleted_message_is_sent_anew_with_the_next_piece(
    bot: Running, fake: FakeDiscord, voice: FakeVoice
) -> None:
    first = await tune_in(fake, voice)
    del fake.messages[first.id]
    for _ in range(2):
        await told(fake, await fake.slash("radio skip"))
        await asyncio.sleep(2.0)  # a skip takes 1.5 s, and needs the next piece
    await fake.until(lambda: now_playing(fake) not in (None, first))


async def test_it_leaves_when_nobody_listens(bot: Running, fake: FakeDiscord, voice: FakeVoice) -> None:
    message = await tune_in(fake, voice)
    await voice.sit(USER_ID, None)
    await fake.until(lambda: "Nobody was listening" in message.content)
    assert voice.joined == [LOUNGE_ID, None]


async def test_it_goes_quietly_when_it_is_taken_out(bot: Running, fake: FakeDiscord, voice: FakeVoice) -> None:
    message = await tune_in(fake, voice)
    await voice.expel()
    await fake.until(lambda: "taken out" in message.content)
    await told(fake, await fake.slash("compose", text=" "))  # and lives


async def test_a_restart_says_so_and_goes_on_with_nothing(
    settings: Settings, fake: FakeDiscord, voice: FakeVoice
) -> None:
    async with running_bot(settings, fake, radio_pace=QUICK):
        message = await tune_in(fake, voice)
    assert "restarted" in message.content
    async with running_bot(settings, fake, radio_pace=QUICK) as bot:
        assert "No radio" in await told(fake, await fake.slash("radio skip"))
        message = await tune_in(fake, voice, text="fakelong fakeslower")
        station = bot.front.radios._stations[GUILD_ID]
        await fake.until(lambda: station._programme.job_id is not None)
        await bot.front.facts.put("probe", (await bot.front.facts.beginning(FACT))[f"{FACT}{SERVER}"])
    async with running_bot(settings, fake, composing=False) as bot:  # as if that process had been killed
        note = await bot.front.facts.get("probe")
        assert note is not None
        job = await bot.app.service.broadcast(LISTENER, bot.app.service.request("chill"), SERVER)
        await bot.front.facts.put(f"{FACT}{SERVER}", json.dumps(json.loads(note) | {"job": job.id}))
        message.content, message.components = "playing", [{"type": 1, "components": []}]
    async with running_bot(settings, fake, composing=False) as bot:
        await fake.until(lambda: "restarted" in message.content)
        await bot.state(job.id, State.CANCELLED)
        async with asyncio.timeout(10):
            while await bot.front.facts.beginning(FACT):
                await asyncio.sleep(0.02)


async def test_where_it_cannot_play_it_says_why(
    bot: Running, fake: FakeDiscord, voice: FakeVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> str:
        return await told(fake, await fake.slash("radio start"))

    assert await refused() == "Join a voice channel first, then I come there."
    await voice.sit(USER_ID, STAGE_ID)
    assert await refused() == "I play in voice channels, not on stages."
    await voice.sit(USER_ID)
    await until_seated(bot)
    room = bot.front.get_channel(LOUNGE_ID)
    assert isinstance(room, discord.VoiceChannel)
    monkeypatch.setattr(room, "user_limit", 1)
    assert await refused() == f"<#{LOUNGE_ID}> is full."
    monkeypatch.setattr(room, "user_limit", 0)
    monkeypatch.setattr(room.guild.default_role, "_permissions", 0)
    assert (await refused()).startswith(f"I may not connect and speak in <#{LOUNGE_ID}>")
    assert voice.joined == []


def _without_opus(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(discord.opus, "_lib", None)
    patch.setattr(ctypes.util, "find_library", lambda _name: None)
    patch.setattr("bot.discord_front.voice._OPUS", "libopus.so.none")


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda patch: patch.setitem(sys.modules, "davey", None), "Voice is not installed here"),
        (_without_opus, "libopus is missing"),
    ],
    ids=["no davey", "no libopus"],
)
async def test_a_machine_without_voice_says_so(
    bot: Running,
    fake: FakeDiscord,
    voice: FakeVoice,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[pytest.MonkeyPatch], None],
    sentence: str,
) -> None:
    await voice.sit(USER_ID)
    break_it(monkeypatch)
    assert sentence in await told(fake, await fake.slash("radio start"))
    assert voice.joined == []


async def test_a_voice_server_that_does_not_answer_is_one_sentence(
    bot: Running, fake: FakeDiscord, voice: FakeVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.discord_front.voice.JOIN_S", 0.3)
    voice.silent = True
    await voice.sit(USER_ID)
    assert "does not answer" in await told(fake, await fake.slash("radio start"))
    voice.silent = False
    await tune_in(fake, voice)


async def test_quotas_and_maintenance_hold_for_the_radio_too(bot: Running, fake: FakeDiscord, voice: FakeVoice) -> None:
    await fake.slash("admin quota", listener=0)
    message = await tune_in(fake, voice, text="fakelong")  # it is nobody's in particular
    await fake.slash("admin quota", server=0)
    await fake.until(lambda: "This server has had its 0 pieces of a day" in message.content)
    await told(fake, await fake.slash("admin maintenance", message="Back at noon."))
    assert "Back at noon." in await told(fake, await fake.slash("radio start"))


async def test_pieces_that_fail_again_and_again_end_the_radio_with_their_sentence(
    bot: Running, fake: FakeDiscord, voice: FakeVoice
) -> None:
    await voice.sit(USER_ID)
    await told(fake, await fake.slash("radio start", text="fakedisk"))
    await fake.until(lambda: any("Permission denied" in message.content for message in fake.messages.values()))
    await fake.until(lambda: voice.joined == [LOUNGE_ID, None])


async def until_seated(bot: Running) -> None:
    room = bot.front.get_channel(LOUNGE_ID)
    assert isinstance(room, discord.VoiceChannel)
    while USER_ID not in room.voice_states:
        await asyncio.sleep(0.02)
