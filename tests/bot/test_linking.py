"""Linking services end to end: real clients, loopback services, the real store; what stays and what goes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pylast
import pytest

from bot.__main__ import main
from bot.app import App, open_app, services_of
from bot.cli.link import _link_spotify as _link_at_the_command_line
from bot.errors import UserError
from bot.linking import Services
from bot.settings import Settings, load_settings
from bot.web.callback import spotify_callback
from bot.web.server import serving
from personalization.sources import lastfm
from tests.fakes.lastfm import KEY, FakeLastFm
from tests.fakes.listenbrainz import TOKEN, FakeListenBrainz, listen
from tests.fakes.spotify import CLIENT_ID, FakeSpotify, track


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimpleNamespace]:
    monkeypatch.setattr(lastfm, "PACE_S", 0.0)
    async with FakeListenBrainz() as brainz, FakeLastFm(tmp_path) as fm, FakeSpotify() as spotify:
        monkeypatch.setattr(pylast, "SSL_CONTEXT", fm.trusted())

        def services(settings: Settings) -> Services:
            found = services_of(settings)
            return replace(found, lastfm_server=fm.server, spotify_urls=(spotify.url, spotify.url))

        monkeypatch.setattr("bot.app.services_of", services)
        settings = load_settings(
            home=tmp_path / "home", listenbrainz_url=brainz.url, lastfm_api_key=KEY, spotify_client_id=CLIENT_ID,
            spotify_daily_requests=20,
        )  # fmt: skip
        async with open_app(settings) as app:
            yield SimpleNamespace(app=app, brainz=brainz, fm=fm, spotify=spotify, home=tmp_path / "home")


def _everything(home: Path) -> str:
    """The whole database as text."""
    with sqlite3.connect(home / "tunesmith.db") as connection:
        return "\n".join(connection.iterdump())


async def _link_spotify(world: SimpleNamespace, listener: str = "ada") -> None:
    address = world.spotify.consent(world.app.service.ask_spotify(listener))
    await world.app.service.finish_spotify(address, listener)


async def test_listenbrainz_is_read_then_only_what_is_new_and_unlinking_deletes_it(world):
    service = world.app.service
    first = await service.link("ada", "listenbrainz", "ada", TOKEN)
    assert (first.new, first.known, first.genres) == (2300, 0, ("trip hop", "jazz"))
    assert TOKEN not in _everything(world.home)
    world.brainz.listens.insert(0, listen(9000))
    second = await service.link("ada", "listenbrainz", "ada")
    assert (second.new, second.known) == (1, 0)
    profile = await service.profile("ada")
    assert [(p.artist, p.plays, p.genres) for p in profile.plays] == [("Tricky", 2301, ("trip hop", "downtempo"))]
    gone = await service.unlink("ada", "listenbrainz")
    assert (gone.was_linked, gone.plays) == (True, 2301)
    assert "Tricky" not in _everything(world.home)


async def test_last_fm_is_linked_by_name(world):
    world.fm.tags["Björk"] = [("art pop", 100)]
    linked = await world.app.service.link("ada", "lastfm", "ada")
    assert (linked.new, linked.genres) == (450, ("art pop",))
    with pytest.raises(UserError, match="nobody called bob"):
        await world.app.service.link("ada", "lastfm", "bob")
    with pytest.raises(UserError, match="takes no token"):
        await world.app.service.link("ada", "lastfm", "ada", "token")
    assert [link.account for link in await world.app.store.links.of_listener("ada")] == ["ada"]


async def test_a_first_link_keeps_what_was_imported_from_the_service(world, tmp_path):
    path = tmp_path / "recenttracks-ada-1.csv"
    path.write_text("uts,artist,track\n1500000000,Bill Evans,Peace Piece\n1763600000,Björk,Song 0 & more\n")
    assert (await world.app.service.import_history("ada", path)).new == 2
    linked = await world.app.service.link("ada", "lastfm", "ada")
    assert (linked.new, linked.known) == (449, 1)
    assert await world.app.store.listens.count("ada") == 451
    assert (await world.app.service.unlink("ada", "lastfm")).plays == 451


async def test_another_account_takes_the_place_of_the_first_with_its_plays(world):
    world.fm.plays = [("Bill Evans", "Peace Piece", "", 1_763_600_000)]
    world.fm.users = {"ada", "ada99"}
    await world.app.service.link("ada", "lastfm", "ada99")
    world.fm.plays = [("Bill Evans", "Waltz for Debby", "", 1_763_600_100)]
    await world.app.service.link("ada", "lastfm", "ada")
    assert await world.app.store.listens.count("ada") == 1


async def test_spotify_is_shown_and_nothing_of_it_is_stored(world):
    await _link_spotify(world)
    (account,) = await world.app.service.accounts("ada")
    assert (account.source, account.name) == ("spotify", "ada-account")
    assert 179 <= (account.ends_at - account.linked_at).days <= 180
    shelf = await world.app.service.shelf("ada")
    assert [favourite.artist for favourite in shelf.artists] == ["Björk"]
    assert [title.title for title in shelf.recent] == ["Isobel", "Mine"]
    assert shelf.note == ""
    kept = _everything(world.home)
    for word in ("Björk", "Isobel", "Hyperballad", "access-", "refresh-"):
        assert word not in kept
    assert (await world.app.service.profile("ada")).plays == ()
    await world.app.service.say("ada", "Björk", liked=True)  # what the listener ticks is their own word
    profile = await world.app.service.profile("ada")
    assert [(s.kind, s.value, s.source.value) for s in profile.statements] == [("artist", "Björk", "self")]
    gone = await world.app.service.unlink("ada", "spotify")
    assert gone.was_linked
    with pytest.raises(UserError, match="not linked"):
        await world.app.service.shelf("ada")
    assert "ada-account" not in _everything(world.home)


async def test_an_attempt_is_its_listeners_own_and_works_once(world):
    service = world.app.service
    address = world.spotify.consent(service.ask_spotify("ada"))
    with pytest.raises(UserError, match="no open attempt"):
        await service.finish_spotify(address, "eve")
    with pytest.raises(UserError, match="copy the whole"):
        await service.finish_spotify("pasted nonsense", "ada")
    await service.finish_spotify(address, "ada")
    with pytest.raises(UserError, match="no open attempt"):
        await service.finish_spotify(address, "ada")
    with pytest.raises(UserError, match="no open attempt"):
        await service.finish_spotify("https://example.org/callback?code=x&state=made-up")


async def test_the_callback_finds_whose_attempt_it_is(world):
    address = world.spotify.consent(world.app.service.ask_spotify("ada"))
    assert (await world.app.service.finish_spotify(address)).account == "ada-account"
    assert (await world.app.store.links.get("ada", "spotify")) is not None


async def test_declining_and_waiting_too_long(world, monkeypatch):
    service = world.app.service
    state = service.ask_spotify("ada").rpartition("state=")[2]
    with pytest.raises(UserError, match="declined"):
        await service.finish_spotify(f"http://127.0.0.1:8765/callback?error=access_denied&state={state}", "ada")
    monkeypatch.setattr("bot.linking.CONSENT_S", -1.0)
    address = world.spotify.consent(service.ask_spotify("ada"))
    with pytest.raises(UserError, match="ten minutes"):
        await service.finish_spotify(address, "ada")


async def test_another_spotify_account_is_not_mixed_with_the_first(world):
    await _link_spotify(world)
    world.spotify.account = {"id": "bob", "account_id": "bob-account"}
    with pytest.raises(UserError, match="another Spotify account"):
        await _link_spotify(world)
    world.spotify.account = {"id": "ada"}  # before account_id there was only id
    await world.app.service.unlink("ada", "spotify")
    await _link_spotify(world)


async def test_a_link_that_spotify_ended_is_deleted(world):
    await _link_spotify(world)
    world.spotify.revoke()
    with pytest.raises(UserError, match="ended the link"):
        await world.app.service.shelf("ada")
    assert await world.app.store.links.of_listener("ada") == []


async def test_nothing_secret_is_logged(world, caplog):
    caplog.set_level("DEBUG")
    await _link_spotify(world)
    world.spotify.expire()
    await world.app.service.shelf("ada")
    world.spotify.answers.append((403, {"error": {"status": 403, "message": "Forbidden"}}, {}))
    with pytest.raises(UserError):
        await world.app.service.shelf("ada")
    await world.app.service.link("ada", "lastfm", "ada")
    await world.app.service.link("ada", "listenbrainz", "ada", TOKEN)
    for secret in ("access-", "refresh-", "code-0", "code_verifier", KEY, TOKEN):
        assert secret not in caplog.text


async def test_the_end_of_consent_is_announced_two_weeks_ahead(world, monkeypatch):
    monkeypatch.setattr("personalization.sources.spotify.LINK_DAYS", 10)
    await _link_spotify(world)
    assert "ends on" in (await world.app.service.shelf("ada")).note


async def test_a_quota_is_kept_to_by_everybody_and_after_a_restart(world):
    await _link_spotify(world, "ada")
    await _link_spotify(world, "bob")
    quota = {"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}}
    world.spotify.answers.append((429, quota, {"Retry-After": "48925"}))
    with pytest.raises(UserError, match="in a day"):
        await world.app.service.shelf("ada")
    asked = len(world.spotify.asked)
    async with open_app(world.app.settings) as again:
        for app in (world.app, again):
            with pytest.raises(UserError, match="14 h"):
                await app.service.shelf("bob")
    assert len(world.spotify.asked) == asked


async def test_the_daily_budget_is_for_all_together(world):
    await _link_spotify(world)
    world.spotify.recent = [{"track": track("Isobel"), "played_at": None}]
    for _ in range(6):  # two requests went into the link, three go into each look
        await world.app.service.shelf("ada")
    with pytest.raises(UserError, match="allows itself"):
        await world.app.service.shelf("ada")
    assert len(world.spotify.asked) <= 20


async def test_what_is_not_set_up_says_so(app: App) -> None:
    for work in (app.service.link("ada", "lastfm", "ada"), app.service.shelf("ada")):
        with pytest.raises(UserError, match="not set up here"):
            await work
    with pytest.raises(UserError, match="not set up here"):
        app.service.ask_spotify("ada")
    with pytest.raises(UserError, match="Name the account"):
        await app.service.link("ada", "listenbrainz", "  ")
    with pytest.raises(UserError, match="choose from"):
        await app.service.unlink("ada", "myspace")
    with pytest.raises(UserError, match="Name a style"):
        await app.service.say("ada", " ", liked=True)


async def test_statements_are_told_replaced_and_withdrawn(app: App) -> None:
    await app.service.say("ada", "Jazz", liked=True)
    await app.service.say("ada", "jazz", liked=False)
    assert (await app.service.taste("ada")).statements == (("jazz", False, True),)
    assert await app.service.unsay("ada", "JAZZ")
    assert not await app.service.unsay("ada", "jazz")


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> dict[str, Any]:
        assert main(["--home", str(tmp_path), *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    assert said("taste", "like", "bossa nova") == {"kind": "style", "value": "bossa nova", "liked": True}
    assert said("taste", "dislike", "busy")["kind"] == "attribute"
    assert said("taste", "show")["statements"] == [["bossa nova", True, True], ["busy", False, True]]
    assert said("taste", "unsay", "busy")["withdrawn"]
    assert said("link", "list") == []
    assert said("unlink", "listenbrainz") == {"source": "listenbrainz", "was_linked": False, "plays": 0}
    for arguments in (("link", "lastfm", "ada"), ("link", "spotify"), ("shelf",), ("unlink", "myspace")):
        assert main(["--home", str(tmp_path), *arguments]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


async def test_pasting_the_address_at_the_command_line(world, monkeypatch, capsys) -> None:
    monkeypatch.setattr("bot.cli.link.settings", lambda: world.app.settings)

    def paste() -> str:
        return world.spotify.consent(capsys.readouterr().err.split()[5]) + "\n"

    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=paste))
    linked = await _link_at_the_command_line("ada")
    assert (linked.source, linked.account) == ("spotify", "ada-account")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=lambda: ""))
    with pytest.raises(UserError, match="Nothing was pasted"):
        await _link_at_the_command_line("ada")
    monkeypatch.setattr("bot.cli.link.run", lambda work: asyncio.run_coroutine_threadsafe(work, loop).result())
    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(main, ["shelf", "--listener", "ada"]) == 0
    assert "https://open.spotify.com/track/Isobel" in capsys.readouterr().out


async def test_spotify_sends_back_to_a_page_of_ours_where_there_is_a_domain(world):
    service = world.app.service
    redirect = world.app.settings.spotify_redirect_uri
    asked = service.ask_spotify("ada")
    came_back = urlsplit(world.spotify.consent(asked))
    routes = spotify_callback(redirect, service.finish_spotify)
    async with serving(routes, 0) as port, aiohttp.ClientSession() as http:
        ours = f"http://127.0.0.1:{port}{urlsplit(redirect).path}"
        async with http.get(f"{ours}?state=<b>nobody's</b>&code=x") as answer:
            assert answer.status == 400
            assert "no open attempt" in await answer.text()
        async with http.get(f"{ours}?{came_back.query}") as answer:
            text = await answer.text()
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
            assert "Spotify is linked" in text
        async with http.get(f"{ours}?{came_back.query}") as answer:
            assert answer.status == 400, "an address is good for once"
    assert [account.source for account in await service.accounts("ada")] == ["spotify"]
