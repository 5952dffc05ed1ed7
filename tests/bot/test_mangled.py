"""Two thousand interactions, attachments and events that nobody sane would send: none stops the bot, nothing is lost.

They are real ones with one to three places broken by a seeded dice, sent through the real gateway to the real client.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import random
import time
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from bot.changes import CHANGES
from bot.discord_front.buttons import LOOKS
from bot.settings import Settings
from tests.bot.discord_harness import Running, running_bot
from tests.fakes.discord import CHANNEL_ID, USER_ID, Asked, FakeDiscord, Message, Person, Upload

SEED = 20_261_125
MANGLED, BATCH = 1_800, 150
FORGER = USER_ID + 66
KEPT = {"id", "token", "application_id", "type", "version"}  # Discord's own, at the top of an interaction
NASTY: tuple[Any, ...] = (
    None, "", -1, 0, 2**63, 10**40, 1.5e300, True, [], {}, [[]], "x" * 20_000, "\u202e\u0000💥\ud800", "٣", "../../key",
    "'; DROP TABLE jobs; --", "<@&1> @everyone", {"id": "-7"}, [None], "9" * 400, "NaN", "tune:like:" + "0" * 90,
)  # fmt: skip

Send = Callable[[], Awaitable[Asked]]


async def payload_of(fake: FakeDiscord, send: Send) -> dict[str, Any]:
    """What would be sent for this, not sent."""
    caught: list[dict[str, Any]] = []

    async def catch(event: str, data: dict[str, Any], shard: int | None = None) -> None:
        caught.append(data)

    fake.dispatch, dispatch = catch, fake.dispatch  # type: ignore[method-assign,assignment]
    try:
        await send()
    finally:
        fake.dispatch = dispatch  # type: ignore[method-assign]
    return caught[0]


def senders(fake: FakeDiscord, message: Message) -> Iterator[Send]:
    """Every kind of interaction, as somebody else than the owner of the piece in `message`."""
    sound, history = (
        Upload("a.mp3", b"ID3nothing", "audio/mpeg"),
        Upload("recenttracks.csv", b"uts,artist,track\n1,a,b\n"),
    )
    for name, options in (
        ("compose", {"text": "chill", "style": "lofi", "tempo": 90.0, "length": 30, "seed": 7, "private": True}),
        ("compose", {"text": "sad", "key": "A minor", "meter": "4/4", "takes": 2, "novelty": 50}),
        ("like-this", {"sound": sound}),
        ("blend", {"text": "chill", "first": Person(USER_ID)}),
        ("history", {}), ("favourites", {}), ("help", {}), ("about", {}),
        ("mood set", {"words": "calm"}), ("mood show", {}), ("mood clear", {}),
        ("taste show", {}), ("taste edit", {"words": "more jazz"}),
        ("link listenbrainz", {"account": "ada", "token": "t"}), ("unlink", {"service": "lastfm"}),
        ("import", {"file": history}), ("privacy what", {}), ("privacy forget", {}),
    ):  # fmt: skip
        yield lambda name=name, options=options: fake.slash(name, user=FORGER, **options)  # type: ignore[misc]
    for item in (item for row in message.components for item in row["components"] if "custom_id" in item):
        values = [next(iter(CHANGES))] if item["type"] == 3 else None
        yield lambda item=item, values=values: fake.click(  # type: ignore[misc]
            message, item["custom_id"], user=FORGER, values=values
        )
    yield lambda: fake.menu("Compose something like this", message, user=FORGER)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside a payload."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if len(path) or key not in KEPT:
            yield (*path, key)
            yield from places(inner, (*path, key))


def broken(payload: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """A copy with one to three places gone, replaced or repeated."""
    found = copy.deepcopy(payload)
    for _ in range(dice.randint(1, 3)):
        *path, last = dice.choice(list(places(found)))
        inside = found
        for key in path:
            inside = inside[key]
        how = dice.randrange(4)
        if how == 0:
            del inside[last]
        elif how == 1 and isinstance(inside, list):
            inside.extend(copy.deepcopy(inside[last]) for _ in range(dice.choice((1, 30))))
        else:
            inside[last] = copy.deepcopy(dice.choice(NASTY))
    return found


async def send_broken(fake: FakeDiscord, payload: dict[str, Any], dice: random.Random) -> None:
    identity = fake.ids.make()
    fresh = payload | {"id": identity, "token": f"interaction-token-{identity}"}
    fake.asked[fresh["token"]] = Asked(identity, fresh["token"], fresh, time.monotonic())
    await fake.dispatch("INTERACTION_CREATE", broken(fresh, dice), shard=0)


def zipped(**files: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return raw.getvalue()


def attachments(dice: random.Random) -> Iterator[Upload]:
    """Histories that are cut, nested, lying about themselves or not histories at all."""
    rows = [
        {"endTime": "2024-01-01 10:00", "artistName": f"A{n}", "trackName": "T", "msPlayed": 60_000} for n in range(40)
    ]
    whole = zipped(**{"Spotify Account Data/StreamingHistory_music_0.json": json.dumps(rows).encode()})
    csv = (
        b"uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
        + b'"1500000000","","A","","","","T",""\n' * 40
    )
    for _ in range(50):
        yield Upload("my_spotify_data.zip", whole[: dice.randrange(len(whole))])
        yield Upload("recenttracks.csv", csv[: dice.randrange(len(csv))])
        spoiled = bytearray(dice.choice((whole, csv)))
        for _ in range(8):
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        yield Upload(
            dice.choice(("a.zip", "a.csv", "a.json", "..\\..\\key", "", "\u202e.piz", "x" * 300)), bytes(spoiled)
        )
    yield Upload("deep.json", b"[" * 100_000)
    yield Upload("many.zip", zipped(**{f"../{n}.json": b"[]" for n in range(300)}))
    yield Upload("bomb.zip", zipped(**{"Spotify Account Data/StreamingHistory_music_0.json": b" " * 30_000_000}))


async def answers_a_good_command(fake: FakeDiscord) -> None:
    asked = await fake.slash("help")
    await fake.until(lambda: asked.acks)
    assert asked.acks[0]["data"]["embeds"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Traces are a thousand here; rendering them takes longer than all else."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def roomy(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_pending_per_listener": 100, "max_backlog": 10_000})


async def test_two_thousand_mangled_payloads(roomy: Settings, fake: FakeDiscord) -> None:
    dice = random.Random(SEED)
    async with running_bot(roomy, fake) as bot:
        piece = await bot.posted(await fake.slash("compose", text="chill"))
        await fake.until(lambda: len(piece.reactions) == 5)
        (track,) = await bot.app.service.history(f"discord:{USER_ID}")
        await bot.app.service.rate(f"discord:{USER_ID}", track.id, 5)
    sent = 0
    async with running_bot(roomy, fake, composing=False) as bot:
        kinds = [await payload_of(fake, send) for send in senders(fake, piece)]
        while sent < MANGLED:
            for _ in range(BATCH):
                await send_broken(fake, dice.choice(kinds), dice)
            sent += BATCH
            await answers_a_good_command(fake)
        for _ in range(50):
            event = {"user_id": str(FORGER), "channel_id": str(CHANNEL_ID), "message_id": piece.id,
                     "emoji": {"id": None, "name": "4️⃣"}, "burst": False, "type": 0}  # fmt: skip
            kind = dice.choice(("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"))
            await fake.dispatch(kind, broken(event, dice), shard=0)
        for upload in attachments(dice):
            asked = await fake.slash("import", user=FORGER, file=upload)
            await fake.until(lambda asked=asked: asked.message and asked.message.edits)
            sent += 1
        assert sent + 50 >= 2_000
        await answers_a_good_command(fake)
        assert len(fake.identifies) == 2  # one for each start: the connection never broke
        await nothing_is_lost(bot, fake, track.id)


async def nothing_is_lost(bot: Running, fake: FakeDiscord, track_id: str) -> None:
    """The piece, its rating and its files are there, and whoever was told to wait was told more."""
    (track,) = await bot.app.service.history(f"discord:{USER_ID}")
    assert (track.id, track.stars) == (track_id, 5)
    assert (track.dir / "track.mp3").is_file()
    for asked in [asked for asked in fake.asked.values() if asked.acks and asked.acks[0]["type"] == 5]:
        await fake.until(
            lambda asked=asked: asked.message and asked.message.edits
        )  # a place in the queue, or a sentence


async def test_forged_buttons_of_somebody_elses_piece(bot: Running, fake: FakeDiscord) -> None:
    """The custom_id of every button, for a piece of another and for pieces that never were."""
    piece = await bot.posted(await fake.slash("compose", text="chill"))
    (track,) = await bot.app.service.history(f"discord:{USER_ID}")
    own = {"reset", "skip", "stop"}  # what the one who presses does to their own taste or radio
    guarded = [name for name in LOOKS if name not in {"like", "dislike", "why", *own}]
    for about in (track.id, "zzzzzzzzzz", "0", "a" * 25):
        names = guarded if about == track.id else [name for name in LOOKS if name not in own]
        forged = [f"tune:{name}:{about}" for name in names]
        asked = [await press(fake, piece, custom_id) for custom_id in forged]
        await fake.until(lambda asked=asked: all(one.acks for one in asked))
        for one in asked:
            kind, data = one.acks[0]["type"], one.acks[0].get("data") or {}
            assert kind == 4, one.payload["data"]
            assert data["flags"] == 64, "seen by the forger only"
    for custom_id in (
        "tune:like",
        "tune:bogus:abc",
        f"tune:like:{track.id}:more",
        "change:",
        f"tune:erase:{track.id}\n",
        "💥",
    ):
        await press(fake, piece, custom_id)
    await answers_a_good_command(fake)
    await nothing_is_lost_of(bot, track.id)


async def press(fake: FakeDiscord, message: Message, custom_id: str) -> Asked:
    """Under a message that does carry such a button; others the library leaves alone."""
    button = {"type": 2, "style": 2, "label": "x", "custom_id": custom_id}
    forged = replace(message, components=[{"type": 1, "components": [button]}])
    return await fake._interact(3, {"custom_id": custom_id, "component_type": 2}, FORGER, "guild", source=forged)


async def nothing_is_lost_of(bot: Running, track_id: str) -> None:
    found = await bot.app.service.track(track_id)
    assert (found.dir / "track.mp3").is_file()
    assert await bot.app.service.history(f"discord:{FORGER}") == []
    assert await bot.app.queue.composing() == 0
