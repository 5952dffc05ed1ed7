"""The contract of a history source, which every live service passes (files are streams: test_history.py)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pylast
import pytest

from personalization.listens import Favourite, HistorySource, Listen, Shown, Source
from personalization.sources import lastfm
from personalization.sources.lastfm import LastFm
from personalization.sources.listenbrainz import ListenBrainz
from personalization.sources.spotify import Spotify, SpotifyApp, ask_consent, exchange
from tests.fakes.lastfm import KEY, FakeLastFm
from tests.fakes.listenbrainz import FakeListenBrainz
from tests.fakes.spotify import CLIENT_ID, REDIRECT, FakeSpotify, track

History = HistorySource[Listen] | HistorySource[Shown]


class Memory:
    """A token in memory and a budget without end."""

    token: str | None = None

    async def load(self) -> str | None:
        return self.token

    async def save(self, token: str) -> bool:
        self.token = token
        return True

    async def spend(self) -> None:
        return

    async def rest(self, seconds: float) -> None:
        return


async def _listenbrainz(stack: AsyncExitStack, folder: Path, patch: pytest.MonkeyPatch) -> ListenBrainz:
    fake = await stack.enter_async_context(FakeListenBrainz())
    fake.listens[3] |= {"track_metadata": {"artist_name": None}}
    return ListenBrainz("ada", url=fake.url)


async def _lastfm(stack: AsyncExitStack, folder: Path, patch: pytest.MonkeyPatch) -> LastFm:
    fake = await stack.enter_async_context(FakeLastFm(folder))
    patch.setattr(lastfm, "PACE_S", 0.0)
    patch.setattr(pylast, "SSL_CONTEXT", fake.trusted())
    return LastFm("ada", api_key=KEY, server=fake.server)


async def _spotify(stack: AsyncExitStack, folder: Path, patch: pytest.MonkeyPatch) -> Spotify:
    fake = await stack.enter_async_context(FakeSpotify())
    times = [datetime(2026, 11, 20, hour, tzinfo=UTC).isoformat() for hour in range(20, 8, -1)]
    fake.recent = [{"track": track(f"T{n}"), "played_at": when} for n, when in enumerate(times)]
    app, memory = SpotifyApp(CLIENT_ID, REDIRECT, fake.url, fake.url), Memory()
    consent = ask_consent(app)
    memory.token = (await exchange(app, consent, fake.consent(consent.url), memory)).token
    return Spotify(app, memory, memory)


@pytest.fixture(params=[_listenbrainz, _lastfm, _spotify])
async def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[History]:
    async with AsyncExitStack() as stack:
        opened: History = await request.param(stack, tmp_path, monkeypatch)
        yield opened
        await opened.close()


async def test_plays_are_whole_and_the_newest_come_first(source: History) -> None:
    plays = await source.recent()
    assert len(plays) >= 10
    assert all(play.artist and play.title for play in plays)
    times = [play.played_at for play in plays]
    assert all(moment is not None and moment.tzinfo is not None for moment in times)
    assert times == sorted(times, reverse=True)


async def test_only_plays_after_a_moment_and_no_more_than_asked(source: History) -> None:
    plays = await source.recent()
    middle = plays[5].played_at
    later = await source.recent(middle)
    assert [play.title for play in later] == [play.title for play in plays[:5]]
    assert len(await source.recent(limit=3)) == 3
    assert list(await source.recent(plays[0].played_at + timedelta(days=1))) == []


async def test_favourites_are_named(source: History) -> None:
    favourites = await source.favourites()
    assert favourites
    assert all(isinstance(favourite, Favourite) and favourite.artist for favourite in favourites)


async def test_the_type_of_a_play_says_whether_it_may_be_kept(source: History) -> None:
    kind = Listen if source.source.storable else Shown
    assert {type(play) for play in await source.recent()} == {kind}
    assert not source.source.trainable


async def test_nothing_blocks_the_loop(source: History) -> None:
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(source.recent(), source.favourites())
    watcher.cancel()
    assert longest < 1.0


def test_what_may_only_be_shown_has_nothing_a_listen_needs_to_be_stored() -> None:
    assert "source" not in {field.name for field in fields(Shown)}
    assert json.dumps([source for source in Source if not source.storable]) == '["spotify"]'
