"""Spotify: the real spotipy against a loopback one; linking, refreshing, refusals, and that nothing can be kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import get_type_hints

import pytest

from bot.imports import add_listens
from personalization.listens import HistoryError, Listen, NotAllowed, Shown, Throttled, Unreachable
from personalization.sources.spotify import (
    Consent,
    Grant,
    LinkEnded,
    Spotify,
    SpotifyApp,
    ask_consent,
    exchange,
    link_ends,
)
from tests.fakes.spotify import CLIENT_ID, REDIRECT, FakeSpotify

BOTH = "user-read-recently-played user-top-read"


class Kept:
    def __init__(self, token: str | None) -> None:
        self.token = token
        self.saved = 0

    async def load(self) -> str | None:
        return self.token

    async def save(self, token: str) -> bool:
        self.saved += 1
        if self.token is not None:
            self.token = token
        return self.token is not None


class Purse:
    def __init__(self) -> None:
        self.left, self.rested = 100, 0.0

    async def spend(self) -> None:
        if not self.left:
            raise Throttled("Enough for today.", 60)
        self.left -= 1

    async def rest(self, seconds: float) -> None:
        self.rested = seconds


@pytest.fixture
async def fake() -> AsyncIterator[FakeSpotify]:
    async with FakeSpotify() as server:
        yield server


@pytest.fixture
def spotify_app(fake: FakeSpotify) -> SpotifyApp:
    return SpotifyApp(CLIENT_ID, REDIRECT, fake.url, fake.url)


@pytest.fixture
def purse() -> Purse:
    return Purse()


async def _grant(fake: FakeSpotify, spotify_app: SpotifyApp, purse: Purse) -> Grant:
    consent = ask_consent(spotify_app)
    return await exchange(spotify_app, consent, fake.consent(consent.url), purse)


async def test_linking_by_pasting_the_address(fake, spotify_app, purse):
    grant = await _grant(fake, spotify_app, purse)
    assert grant.account == "ada-account"
    assert json.loads(grant.token)["refresh_token"]
    assert purse.left == 98
    assert 179 <= (link_ends(grant.token).timestamp() - time.time()) / 86_400 <= 181


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"{REDIRECT}?error=access_denied&state=S", "declined"),
        (f"{REDIRECT}?error=server_error&state=S", "did not allow"),
        (f"{REDIRECT}?code=abc&state=other", "another attempt"),
        ("abc", "copy the whole"),
        ("http://[", "copy the whole"),
        (f"{REDIRECT}?code=made-up&state=S", "start again"),
    ],
)
async def test_addresses_that_do_not_link(spotify_app, purse, address, says):
    with pytest.raises(NotAllowed, match=says):
        await exchange(spotify_app, Consent("", "S", "v" * 50), address, purse)


async def test_a_refused_permission_and_an_account_that_is_not_listed(fake, spotify_app, purse):
    fake.scope = "user-top-read"
    with pytest.raises(NotAllowed, match="both permissions"):
        await _grant(fake, spotify_app, purse)
    fake.scope = None
    fake.answers.append((403, {"error": {"status": 403, "message": "User not registered"}}, {}))
    with pytest.raises(NotAllowed, match="Users Management"):
        await _grant(fake, spotify_app, purse)


async def test_what_is_played_is_shown_with_a_link_back(fake, spotify_app, purse):
    spotify = Spotify(spotify_app, Kept((await _grant(fake, spotify_app, purse)).token), purse)
    first, second = await spotify.recent()
    assert (first.artist, first.title, first.link) == (
        "Björk, Tricky",
        "Isobel",
        "https://open.spotify.com/track/Isobel",
    )
    assert first.played_at.isoformat() == "2026-11-20T18:02:11.123000+00:00"
    assert second.link == "https://open.spotify.com"
    for genres, expected in ((None, ()), ([], ()), (["art pop"], ("art pop",))):
        fake.genres = genres
        (favourite,) = await spotify.favourites()
        assert (favourite.artist, favourite.plays, favourite.genres) == ("Björk", None, expected)
    assert [shown.title for shown in await spotify.tracks()] == ["Hyperballad"]


async def test_one_refresh_however_many_ask(fake, spotify_app, purse):
    kept = Kept((await _grant(fake, spotify_app, purse)).token)
    kept.token = json.dumps(json.loads(kept.token) | {"expires_at": 0})
    fake.expire()
    spotify = Spotify(spotify_app, kept, purse)
    await asyncio.gather(*(spotify.favourites() for _ in range(6)))
    assert (fake.refreshes, kept.saved) == (1, 1)
    assert json.loads(kept.token)["authorized_at"]
    fake.expire()  # a token that ends before its time
    await asyncio.gather(*(spotify.recent() for _ in range(3)))
    assert fake.refreshes == 2


async def test_the_end_of_a_link(fake, spotify_app, purse):
    kept = Kept((await _grant(fake, spotify_app, purse)).token)
    spotify = Spotify(spotify_app, kept, purse)
    fake.revoke()
    with pytest.raises(LinkEnded, match="six months"):
        await spotify.recent()
    kept.token = None
    with pytest.raises(LinkEnded, match="not linked"):
        await spotify.recent()


async def test_another_process_refreshed_first(fake, spotify_app, purse):
    old = json.loads((await _grant(fake, spotify_app, purse)).token) | {"expires_at": 0}

    class Overtaken(Kept):
        loads = 0

        async def load(self) -> str:
            self.loads += 1
            return json.dumps(old if self.loads == 1 else newer)

    newer = old | {"expires_at": time.time() + 3600, "refresh_token": "newer"}
    fake.token_answers.append((400, {"error": "invalid_grant", "error_description": "Refresh token revoked"}))
    assert await Spotify(spotify_app, Overtaken(""), purse).favourites()


@pytest.mark.parametrize(
    ("answer", "error", "says", "rested"),
    [
        ((403, {"error": {"status": 403, "message": "Insufficient client scope"}}, {}), NotAllowed, "both permis", 0),
        ((403, {"error": {"status": 403, "message": "Forbidden"}}, {}), NotAllowed, "Users Management", 0),
        ((429, {"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}},
          {"Retry-After": "48925"}), Throttled, "in a day; try again in 14 h", 48925),
        ((429, {"error": {"status": 429, "message": "API rate limit exceeded"}}, {"Retry-After": "7"}),
         Throttled, "pause of 7 s", 7),
        ((429, "slow down", {}), Throttled, "pause", 60),
        ((500, "<h1>Oops</h1>", {}), Unreachable, "later", 0),
        ((503, {"error": "unavailable"}, {}), Unreachable, "later", 0),
        ((200, "<h1>Hello</h1>", {}), Unreachable, "later", 0),
        ((200, ["a", "list"], {}), Unreachable, "later", 0),
    ],
)  # fmt: skip
async def test_every_refusal_is_its_own_sentence(fake, spotify_app, purse, answer, error, says, rested):
    spotify = Spotify(spotify_app, Kept((await _grant(fake, spotify_app, purse)).token), purse)
    fake.answers.append(answer)
    start = time.monotonic()
    with pytest.raises(error, match=says) as caught:
        await spotify.recent()
    assert time.monotonic() - start < 5  # nobody sleeps through a Retry-After
    assert isinstance(caught.value, HistoryError)
    assert "\n" not in str(caught.value)
    assert purse.rested == rested


async def test_no_request_without_budget(fake, spotify_app, purse):
    spotify = Spotify(spotify_app, Kept((await _grant(fake, spotify_app, purse)).token), purse)
    purse.left, before = 0, len(fake.asked)
    with pytest.raises(Throttled, match="Enough"):
        await spotify.recent()
    assert len(fake.asked) == before


async def test_a_server_that_is_gone_is_a_sentence(fake, spotify_app, purse):
    kept = Kept((await _grant(fake, spotify_app, purse)).token)
    gone = SpotifyApp(CLIENT_ID, REDIRECT, "http://127.0.0.1:9", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="Spotify"):
        await Spotify(gone, kept, purse).recent()


def test_what_spotify_answers_has_a_type_that_nothing_keeps():
    assert get_type_hints(Spotify.recent)["return"] == Sequence[Shown]
    assert not issubclass(Shown, Listen)
    assert "Listen" in str(add_listens.__annotations__["plays"])
