"""Last.fm: the real pylast against a loopback server over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pylast
import pytest

from personalization.listens import NotAllowed, PrivateUser, Throttled, UnknownUser, Unreachable
from personalization.sources import lastfm
from personalization.sources.lastfm import LastFm
from tests.fakes.lastfm import KEY, FakeLastFm


@pytest.fixture
async def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeLastFm]:
    monkeypatch.setattr(lastfm, "PACE_S", 0.01)
    monkeypatch.setattr(pylast.time, "sleep", lambda _: None)  # between its retries
    async with FakeLastFm(tmp_path) as server:
        monkeypatch.setattr(pylast, "SSL_CONTEXT", server.trusted())
        yield server


@pytest.fixture
def source(fake: FakeLastFm) -> LastFm:
    return LastFm("ada", api_key=KEY, server=fake.server)


async def test_all_pages_are_read_and_what_plays_now_is_no_play(fake, source):
    fake.tags["Björk"] = [("Trip-Hop", 100), ("seen live", 90), ("björk", 80), ("art pop", 60), ("noise", 3)]
    plays = await source.recent()
    assert len(plays) == 450
    assert plays[0].title == "Song 449 & more"
    assert {play.genres for play in plays} == {("Trip-Hop", "art pop")}
    assert len(await source.recent(limit=3)) == 3
    since = datetime.fromtimestamp(1_763_600_000 + 200 * 447, UTC)
    assert [play.title for play in await source.recent(since)] == ["Song 449 & more", "Song 448 & more"]
    assert fake.agents == {"Tunesmith (self-hosted; personal use)"}


async def test_favourites_and_an_empty_history(fake, source):
    (top,) = await source.favourites()
    assert (top.artist, top.plays, top.link) == ("Björk", 450, "https://www.last.fm/music/Bj%C3%B6rk")
    fake.plays, fake.now_playing = [], False
    assert list(await source.recent()) == []


@pytest.mark.parametrize(
    ("failure", "error", "says"),
    [
        (6, UnknownUser, "nobody called ada"),
        (17, PrivateUser, "hides recent listening"),
        (10, NotAllowed, "LASTFM_API_KEY"),
        (26, NotAllowed, "suspended"),
        (29, Throttled, "pause"),
        (8, Unreachable, "later"),
        (16, Unreachable, "later"),
        ("<html>maintenance</html", Unreachable, "later"),
        ("", Unreachable, "later"),
        ("<lfm status='ok'><recenttracks totalPages='1'><track><name>x</name></track></recenttracks></lfm>",
         Unreachable, "later"),
    ],
)  # fmt: skip
async def test_every_refusal_is_its_own_sentence(fake, source, failure, error, says):
    fake.fails["user.getrecenttracks"] = failure
    with pytest.raises(error, match=says) as caught:
        await source.recent()
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_an_error_dressed_as_a_success_costs_only_the_tags(fake, source):
    fake.fails["artist.gettoptags"] = 6
    plays = await source.recent(limit=5)
    assert [play.genres for play in plays] == [()] * 5


async def test_the_loop_runs_on_meanwhile(fake, source):
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    task = asyncio.create_task(beat())
    await source.recent()
    task.cancel()
    assert beats >= 3


async def test_a_server_that_is_gone_is_a_sentence(fake):
    with pytest.raises(Unreachable, match=r"Last\.fm"):
        await LastFm("ada", api_key=KEY, server=("127.0.0.1:9", "/2.0/")).recent()
