"""A listener who did everything here is forgotten; then every byte under the home folder is searched for them.

Searched before, too: a trace that cannot be found while the listener is known would prove nothing by its absence later.
Services' and interactions' tokens are sealed from the start, so of them both the text and the sealed form are sought.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.loopback import TONE, Loopback, served
from bot.app import open_app
from bot.i18n.catalogue import ENGLISH, say
from bot.settings import load_settings
from bot.store.links import Link
from tests.fakes.discord import Asked, Person, Upload
from tests.fakes.listenbrainz import TOKEN, FakeListenBrainz

_USER, _OTHER = 623_456_789_012_345_678, 698_765_432_109_876_543
_WORDS, _MOOD, _ARTIST, _TITLE = "quietly zephyrine", "wistful halcyonic", "Zaphira Quillon", "Lanterns of Umbria"
_ACCOUNT, _TOKEN = "zephyrine-at-spotify", "refresh-token-0123456789"
_HISTORY = (
    "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
    + "\n".join(f'"{1_500_000_000 + 300 * n}","","{_ARTIST}","","Album","","{_TITLE}",""' for n in range(300))
).encode()


@dataclass(frozen=True, slots=True)
class Trace:
    """How often a text was found in the file store before and afterwards, and in the log."""

    what: str
    sealed: bool
    before: int
    after: int
    logged: int


async def forgotten(home: Path) -> list[Trace]:
    """Use every kind of thing that is kept, be forgotten with `/privacy forget`, search."""
    async with (
        Loopback() as discord,
        FakeListenBrainz() as listenbrainz,
        served(home, discord, composer=TONE, listenbrainz_url=listenbrainz.url) as bot,
    ):
        asked = await _everything(discord)
        await _linked(home)
        needles = _needles(home, asked)
        before = {text: _count(home, text) for _, _, text in needles}
        form = await discord.slash("privacy forget", user=_USER)
        done = await discord.submit(form, say(ENGLISH, "privacy.word"), user=_USER)
        await discord.until(_answered(done))
        beside = {text: _count(home, text) for _, _, text in needles}  # while the bot runs
        await bot.kill()
        log = bot.log.read_bytes()
        return [
            Trace(what, sealed, before[text], max(beside[text], _count(home, text)), log.count(text.encode()))
            for what, sealed, text in needles
        ]


async def _everything(discord: Loopback) -> list[Asked]:
    """Ask, rate, react, import, link, say and set whatever can be; the requests for pieces."""
    asked = [await discord.slash("compose", text=f"{_WORDS} {name}", user=_USER) for name in ("calm", "happy")]
    asked.append(await discord.slash("compose", text="chill", user=_OTHER))
    await discord.until(lambda: all(one.message and one.message.attachments for one in asked))
    await discord.until(lambda: all(len(one.message.reactions) == 5 for one in asked if one.message))
    pieces = [one.message for one in asked if one.message is not None]
    buttons = [item["custom_id"] for row in pieces[0].components for item in row["components"] if "custom_id" in item]
    like = next(name for name in buttons if name.startswith("tune:like"))
    asked_for = [await discord.click(pieces[0], like, user=_USER)]
    await discord.react(pieces[1], "4️⃣", _USER)
    await discord.react(pieces[2], "5️⃣", _USER)
    for name, options in (
        ("import", {"file": Upload("recenttracks.csv", _HISTORY)}),
        ("link listenbrainz", {"account": "ada", "token": TOKEN}),
        ("mood set", {"words": f"{_MOOD} and calm"}),
        ("taste edit", {"words": "more jazz"}),
    ):
        asked_for.append(await discord.slash(name, user=_USER, **options))
    blend = await discord.slash("blend", text="chill", first=Person(_USER), user=_OTHER)
    await discord.until(lambda: all(_answered(one)() for one in asked_for))
    await discord.until(lambda: blend.message and blend.message.attachments)
    return [*asked, blend]


async def _linked(home: Path) -> None:
    """An account with a token that is kept, as Spotify's is."""
    async with open_app(load_settings(home=home)) as app:
        await app.store.links.put(f"discord:{_USER}", Link("spotify", _ACCOUNT, _TOKEN, datetime.now(UTC)))


def _answered(asked: Asked) -> Callable[[], bool]:
    return lambda: bool(asked.acks and (asked.acks[0]["type"] == 4 or (asked.message and asked.message.edits)))


def _needles(home: Path, asked: list[Asked]) -> list[tuple[str, bool, str]]:
    """What is sought, whether it is sealed from the start, and the text."""
    mine = f"discord:{_USER}"
    with closing(sqlite3.connect(f"file:{home / 'tunesmith.db'}?mode=ro", uri=True)) as database:
        tracks = [str(row[0]) for row in database.execute("SELECT id FROM tracks WHERE listener_id = ?", (mine,))]
        of_messages = "SELECT sealed_token FROM messages JOIN jobs ON jobs.id = job_id WHERE listener_id = ?"
        of_links = "SELECT sealed_token FROM links WHERE listener_id = ? AND sealed_token IS NOT NULL"
        sealed = [str(row[0]) for query in (of_messages, of_links) for row in database.execute(query, (mine,))]
    found: list[tuple[str, bool, Any]] = [
        ("id", False, str(_USER)), ("words of requests", False, _WORDS), ("words of a mood", False, _MOOD),
        ("artist of an import", False, _ARTIST), ("title of an import", False, _TITLE),
        ("account at a service", False, _ACCOUNT), ("token of a service", True, TOKEN),
        ("token of a service", True, _TOKEN),
    ]  # fmt: skip
    found += [("token of an interaction", True, one.token) for one in asked[:2]]
    found += [("sealed token", False, text) for text in sealed]
    found += [("track", False, track) for track in tracks]
    return found


def _count(home: Path, text: str) -> int:
    """How often a text stands in any file under the home folder, or in a file's name."""
    found = 0
    for path in home.rglob("*"):
        with suppress(FileNotFoundError):  # a journal lives as long as its transaction
            found += (text in str(path.relative_to(home))) + (path.is_file() and path.read_bytes().count(text.encode()))
    return found
