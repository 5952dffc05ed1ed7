"""Accounts at services: linking, reading, unlinking.

ListenBrainz and Last.fm are read into the store. Spotify's answers are passed on and forgotten; what is stored of it is
the account's id and a sealed token.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from bot import clock
from bot.errors import UserError
from bot.imports import add_listens
from bot.store.links import Link
from bot.store.store import Store

if TYPE_CHECKING:  # the clients take a while to import; only linking needs them
    from personalization.listens import Favourite, Shown
    from personalization.sources.lastfm import LastFm
    from personalization.sources.listenbrainz import ListenBrainz
    from personalization.sources.spotify import Consent, Spotify, SpotifyApp

SPOTIFY, LISTENBRAINZ, LASTFM = SOURCES = ("spotify", "listenbrainz", "lastfm")
FIRST_READ = 5_000  # plays; exports bring the rest
MOST_NEW = 100_000
CONSENT_S = 600.0
REMIND = timedelta(days=14)
_RESTING = "spotify.rest_until"


@dataclass(frozen=True, slots=True)
class Services:
    """Which services there are, and where; None where the operator has set none up."""

    listenbrainz_url: str
    lastfm_key: str | None
    spotify_client_id: str | None
    spotify_redirect_uri: str
    spotify_daily_requests: int
    lastfm_server: tuple[str, str] | None = None
    spotify_urls: tuple[str, str] | None = None  # of accounts and of the interface, where they are not Spotify's own


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked account: plays added, plays known before, the genres most played, a sentence for the person."""

    source: str
    account: str
    new: int = 0
    known: int = 0
    genres: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unlinked:
    """What is gone: whether there was a link, and how many plays of that service, read or imported."""

    source: str
    was_linked: bool
    plays: int


@dataclass(frozen=True, slots=True)
class Account:
    """A linked account; `ends_at` is when the service asks for consent again, None where it never does."""

    source: str
    name: str
    linked_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What Spotify answers right now, to be shown with its links and then forgotten."""

    artists: Sequence[Favourite]
    tracks: Sequence[Shown]
    recent: Sequence[Shown]
    note: str


class Linking:
    def __init__(self, store: Store, services: Services) -> None:
        self._store = store
        self._services = services
        self._asked: dict[str, tuple[str, Consent, float]] = {}  # by state: listener, consent, monotonic deadline
        self._spotify: dict[str, Spotify] = {}  # one for a listener, so that one refreshes at a time

    async def link(self, listener_id: str, source: str, account: str, token: str | None = None) -> Linked:
        """Link ListenBrainz or Last.fm by name and read what is new; a token proves whose account it is.

        Another account than the one linked before takes its place, and the plays of that service with it.

        Raises UserError with the service's refusal as one sentence; then nothing is stored.
        """
        client = self._client(source, account, token)
        before = await self._store.links.get(listener_id, source)
        same = before is not None and before.account == account
        since = await self._store.listens.newest(listener_id, source) if same else None
        try:
            async with _told():
                if token is not None:
                    await client.verify()
                plays = await client.recent(since, FIRST_READ if since is None else MOST_NEW)
                genres = await client.genres()
        finally:
            await client.close()
        if before is not None and not same:
            await self._store.links.remove(listener_id, source)
        await self._store.links.put(listener_id, Link(source, account, None, clock.now()))
        new = await add_listens(self._store.listens, listener_id, plays)
        return Linked(source, account, new, len(plays) - new, tuple(genres)[:5])

    def _client(self, source: str, account: str, token: str | None) -> ListenBrainz | LastFm:
        if not account.strip():
            raise UserError("Name the account to link.")
        if source == LISTENBRAINZ:
            from personalization.sources.listenbrainz import ListenBrainz  # noqa: PLC0415 - see above

            return ListenBrainz(account, token=token, url=self._services.listenbrainz_url)
        if source != LASTFM:
            raise UserError(f"{source} is not linked by name; ListenBrainz and Last.fm are.")
        if self._services.lastfm_key is None:
            raise UserError("Last.fm is not set up here; its operator has to set LASTFM_API_KEY.")
        from personalization.sources.lastfm import LastFm  # noqa: PLC0415 - see above

        return LastFm(account, api_key=self._services.lastfm_key, server=self._services.lastfm_server)

    def ask_spotify(self, listener_id: str) -> str:
        """The address where a listener agrees to being linked; good for ten minutes and once. Raises UserError."""
        from personalization.sources.spotify import ask_consent  # noqa: PLC0415 - see above

        consent = ask_consent(self._app())
        self._forget_asked(lambda owner, deadline: owner == listener_id or deadline < time.monotonic())
        self._asked[consent.state] = (listener_id, consent, time.monotonic() + CONSENT_S)
        return consent.url

    async def finish_spotify(self, address: str, listener_id: str | None = None) -> Linked:
        """Link Spotify with the address it sent the listener to: pasted by `listener_id`, or the HTTPS callback's.

        Raises UserError with one sentence; then nothing is stored.
        """
        from personalization.sources.spotify import exchange, link_ends  # noqa: PLC0415 - see above

        owner, consent = self._consent_for(address, listener_id)
        async with _told():
            grant = await exchange(self._app(), consent, address, _Budget(self._store, self._services))
        before = await self._store.links.get(owner, SPOTIFY)
        if before is not None and before.account != grant.account:
            raise UserError("This is another Spotify account than the one linked; unlink that one first.")
        await self._store.links.put(owner, Link(SPOTIFY, grant.account, grant.token, clock.now()))
        return Linked(
            SPOTIFY, grant.account, note=f"Spotify asks for your consent again on {link_ends(grant.token):%d %B %Y}."
        )  # fmt: skip

    def _consent_for(self, address: str, listener_id: str | None) -> tuple[str, Consent]:
        """The attempt an address belongs to; one that names an attempt uses it up."""
        state = _state(address)
        asked = self._asked.get(state)
        if asked is not None and (listener_id in (None, asked[0])):
            del self._asked[state]
        else:  # nonsense was pasted, or another's: the exchange says so, and the attempt stays open
            asked = next((asked for asked in self._asked.values() if asked[0] == listener_id), None)
        if asked is None or asked[2] < time.monotonic():
            raise UserError(
                "There is no open attempt to link Spotify, or it took longer than ten minutes; start again."
            )
        return asked[0], asked[1]

    async def shelf(self, listener_id: str) -> Shelf:
        """What Spotify says the listener plays, live. A link that Spotify ended is deleted; the UserError says so."""
        from personalization.sources.spotify import LinkEnded, Spotify, link_ends  # noqa: PLC0415 - see above

        if listener_id not in self._spotify:
            tokens = _Tokens(self._store, listener_id)
            self._spotify[listener_id] = Spotify(self._app(), tokens, _Budget(self._store, self._services))
        spotify = self._spotify[listener_id]
        async with _told():
            try:
                artists, tracks, recent = await spotify.favourites(), await spotify.tracks(), await spotify.recent()
            except LinkEnded:
                await self.unlink(listener_id, SPOTIFY)
                raise
        link = await self._store.links.get(listener_id, SPOTIFY)
        ends = None if link is None or link.token is None else link_ends(link.token)
        soon = ends is not None and ends - clock.now() < REMIND
        return Shelf(artists, tracks, recent, f"Your Spotify link ends on {ends:%d %B %Y}; link again." if soon else "")

    async def accounts(self, listener_id: str) -> list[Account]:
        """What a listener has linked, by service."""
        from personalization.sources.spotify import link_ends  # noqa: PLC0415 - see above

        links = await self._store.links.of_listener(listener_id)
        return [
            Account(link.source, link.account, link.linked_at, link_ends(link.token) if link.token else None)
            for link in links
        ]

    async def unlink(self, listener_id: str, source: str) -> Unlinked:
        """Delete a link, its token and all plays of that service, at once."""
        if source not in SOURCES:
            raise UserError(f"There is no service {source}; choose from {', '.join(SOURCES)}.")
        if source == SPOTIFY:
            self._spotify.pop(listener_id, None)
            self._forget_asked(lambda owner, _: owner == listener_id)
        was_linked, plays = await self._store.links.remove(listener_id, source)
        return Unlinked(source, was_linked, plays)

    def _app(self) -> SpotifyApp:
        from personalization.sources.spotify import SpotifyApp  # noqa: PLC0415 - see above

        services = self._services
        if services.spotify_client_id is None:
            raise UserError("Spotify is not set up here; its operator has to set SPOTIFY_CLIENT_ID.")
        return SpotifyApp(services.spotify_client_id, services.spotify_redirect_uri, *(services.spotify_urls or ()))

    def _forget_asked(self, which: Callable[[str, float], bool]) -> None:
        self._asked = {s: asked for s, asked in self._asked.items() if not which(asked[0], asked[2])}


class _Tokens:
    """One listener's Spotify token in the store."""

    def __init__(self, store: Store, listener_id: str) -> None:
        self._store = store
        self._listener_id = listener_id

    async def load(self) -> str | None:
        link = await self._store.links.get(self._listener_id, SPOTIFY)
        return None if link is None else link.token

    async def save(self, token: str) -> bool:
        return await self._store.links.renew(self._listener_id, SPOTIFY, token)


class _Budget:
    """The requests that all listeners together may make to Spotify in a day."""

    def __init__(self, store: Store, services: Services) -> None:
        self._store = store
        self._limit = services.spotify_daily_requests

    async def spend(self) -> None:
        from personalization.listens import Throttled  # noqa: PLC0415 - see above

        now = clock.now()
        until = await self._store.facts.get(_RESTING)
        if until is not None and datetime.fromisoformat(until) > now:
            wait_s = (datetime.fromisoformat(until) - now).total_seconds()
            raise Throttled(f"Spotify asked for a pause; try again in {_duration(wait_s)}.", wait_s)
        if not await self._store.links.spend(SPOTIFY, now, self._limit):
            raise Throttled("This bot has made all requests to Spotify it allows itself in a day; try tomorrow.", 3600)

    async def rest(self, seconds: float) -> None:
        await self._store.facts.put(_RESTING, (clock.now() + timedelta(seconds=seconds)).isoformat())


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"


def _state(address: str) -> str:
    try:
        return dict(parse_qsl(urlsplit(address.strip()).query)).get("state", "")
    except ValueError:
        return ""


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What a service refuses, as a sentence for the person."""
    from personalization.listens import HistoryError  # noqa: PLC0415 - see above

    try:
        yield
    except HistoryError as error:
        raise UserError(str(error)) from error
