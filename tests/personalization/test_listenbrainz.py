"""ListenBrainz against a loopback one: everything read, limits kept, every refusal a sentence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from personalization.listens import HistoryError, NotAllowed, Throttled, UnknownUser, Unreachable
from personalization.sources.listenbrainz import ListenBrainz
from tests.fakes.listenbrainz import TOKEN, FakeListenBrainz, listen


@pytest.fixture
async def fake() -> AsyncIterator[FakeListenBrainz]:
    async with FakeListenBrainz() as server:
        yield server


@pytest.fixture
async def source(fake: FakeListenBrainz) -> AsyncIterator[ListenBrainz]:
    source = ListenBrainz("ada", token=TOKEN, url=fake.url)
    yield source
    await source.close()


async def test_all_pages_are_read_and_artists_bring_their_curated_genres(fake, source):
    plays = await source.recent(limit=5000)
    assert len(plays) == 2300
    assert plays[0].title == "Song 2299"
    assert plays[0].genres == ("trip hop", "downtempo")
    assert len(await source.recent(limit=10)) == 10
    since = datetime.fromtimestamp(1_763_600_000 + 200 * 2295, UTC)
    assert [play.title for play in await source.recent(since)] == [f"Song {n}" for n in (2299, 2298, 2297, 2296)]
    assert all("Tunesmith" in request.headers["User-Agent"] for request in fake.asked)


async def test_odd_listens_are_stepped_over_and_page_borders_lose_nothing(fake, source):
    fake.listens = [listen(number, listened_at=1_763_600_000 + number // 3) for number in reversed(range(2500))]
    fake.listens[500] |= {"track_metadata": None}
    fake.listens[501] |= {"listened_at": None}
    fake.listens[502]["track_metadata"] |= {"mbid_mapping": None, "additional_info": None}
    fake.listens = [row for row in fake.listens if row["listened_at"]] + [{"listened_at": 1, "track_metadata": {}}]
    assert len(await source.recent(limit=9000)) == 2498


async def test_favourites_and_genres(fake, source):
    first, second = await source.favourites()
    assert (first.artist, first.plays, first.genres) == ("Tricky", 40, ("trip hop", "downtempo"))
    assert (second.artist, second.genres) == ("Nobody Mapped", ())
    assert await source.genres() == {"trip hop": 4, "jazz": 1}
    fake.computed = False
    assert list(await source.favourites()) == []
    assert await source.genres() == {}


async def test_the_token_proves_whose_account_it_is(fake, source):
    await source.verify()
    for user, token, says in (("bob", TOKEN, "belongs to ada"), ("ada", "wrong", "does not accept")):
        other = ListenBrainz(user, token=token, url=fake.url)
        with pytest.raises(NotAllowed, match=says):
            await other.verify()
        await other.close()


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((404, {"code": 404, "error": "Cannot find user: ada"}, {}), UnknownUser, "nobody called ada"),
        ((401, {"code": 401, "error": "Invalid authorization token."}, {}), NotAllowed, "token"),
        ((503, "<h1>Down</h1>", {}), Unreachable, "later"),
        ((200, "<h1>Hello</h1>", {}), Unreachable, "later"),
        ((429, {"code": 429, "error": "Too many"}, {"X-RateLimit-Reset-In": "99"}), Throttled, "99 s"),
    ],
)
async def test_every_refusal_is_its_own_sentence(fake, source, answer, error, says):
    fake.answers.append(answer)
    with pytest.raises(error, match=says) as caught:
        await source.recent()
    assert isinstance(caught.value, HistoryError)
    assert "\n" not in str(caught.value)


async def test_a_short_pause_is_waited_for(fake, source):
    fake.answers += [(429, {"code": 429}, {"X-RateLimit-Reset-In": "0.2"})]
    start = time.monotonic()
    assert len(await source.recent(limit=5)) == 5
    assert time.monotonic() - start >= 0.2


async def test_a_server_that_is_gone_is_a_sentence():
    source = ListenBrainz("ada", url="http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="ListenBrainz"):
        await source.recent()
    await source.close()
    await asyncio.sleep(0)
