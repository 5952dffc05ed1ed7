"""Spotify through spotipy: linking, and what was played recently and most, to be shown and never kept.

spotipy blocks, sleeps through rate limits and asks on standard input unless it is held right: every call is in a thread
with a session of our own, access tokens are handed to it ready, and refreshing happens here, one at a time. Spotify's
terms forbid analysing or keeping what it answers, so everything here is `Shown` or a live `Favourite`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import requests
import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyOauthError, SpotifyPKCE

from personalization.listens import (
    Favourite,
    HistoryError,
    HistorySource,
    NotAllowed,
    Shown,
    Source,
    Throttled,
    Unreachable,
)
from personalization.sources.formats import moment

SCOPES = ("user-read-recently-played", "user-top-read")
TIMEOUT_S = 10.0
LINK_DAYS = 180  # a refresh token dies six months after consent, and refreshing does not extend it
PAGE = 50
_HOME = "https://open.spotify.com"
_DOWN = "Spotify does not answer as it should right now; try again later."
_NO_SCOPE = "Spotify was not allowed to show me your listening; link again and leave both permissions ticked."
logging.getLogger("spotipy").setLevel(logging.WARNING)  # its debug log holds tokens

Answer = TypeVar("Answer")


class LinkEnded(HistoryError):
    """Raised when Spotify no longer honours the link; it is to be deleted."""


@dataclass(frozen=True, slots=True)
class SpotifyApp:
    """The operator's application at Spotify; the redirect is https, or http on 127.0.0.1 for pasting the address."""

    client_id: str
    redirect_uri: str
    accounts_url: str = "https://accounts.spotify.com"
    api_url: str = "https://api.spotify.com"


@dataclass(frozen=True, slots=True)
class Consent:
    """Where to send the listener, and what must be remembered, secretly, until they return."""

    url: str
    state: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A fresh link: the account's immutable id, and the token as text to be sealed."""

    account: str
    token: str


class Tokens(Protocol):
    """Where one listener's token is kept, sealed."""

    async def load(self) -> str | None:
        """The token in force; None when the link was undone."""
        ...

    async def save(self, token: str) -> bool:
        """Replace it; False when the link was undone meanwhile."""
        ...


class Budget(Protocol):
    """Requests left, for all listeners of this application together."""

    async def spend(self) -> None:
        """Count one request. Raises Throttled when none may be made."""
        ...

    async def rest(self, seconds: float) -> None:
        """Make no request for a while."""
        ...


def ask_consent(app: SpotifyApp) -> Consent:
    auth = _auth(app)
    state = secrets.token_urlsafe(24)
    url = auth.get_authorize_url(state=state)
    return Consent(url, state, str(auth.code_verifier))


async def exchange(app: SpotifyApp, consent: Consent, address: str, budget: Budget) -> Grant:
    """Finish linking with the address Spotify sent the listener to, pasted or received as a callback.

    Raises:
        NotAllowed: the listener declined, the address belongs to another attempt, a permission is missing, or the
            account is not on the operator's list.
        Throttled, Unreachable: as the sentence says.
    """
    code = _code(consent, address)
    await budget.spend()
    token = await asyncio.to_thread(_redeem, app, consent, code)
    if not set(SCOPES) <= set(str(token.get("scope", "")).split()):
        raise NotAllowed(_NO_SCOPE)
    await budget.spend()
    try:
        me = await asyncio.to_thread(lambda: _client(app, token["access_token"]).me())
    except (spotipy.SpotifyException, requests.RequestException, AttributeError) as error:
        raise await _explained(error, budget) from error
    account = (me.get("account_id") or me.get("id")) if isinstance(me, dict) else None
    if not isinstance(account, str):
        raise Unreachable(_DOWN)
    return Grant(account, json.dumps(token | {"authorized_at": int(time.time())}))


class Spotify(HistorySource[Shown]):
    """What one listener plays."""

    source = Source.SPOTIFY

    def __init__(self, app: SpotifyApp, tokens: Tokens, budget: Budget) -> None:
        self._app = app
        self._tokens = tokens
        self._budget = budget
        self._refreshing = asyncio.Lock()

    async def recent(self, since: datetime | None = None, limit: int = PAGE) -> Sequence[Shown]:
        """See HistorySource; Spotify tells about the last 50. Raises LinkEnded, too."""
        after = None if since is None else int(since.timestamp() * 1000)
        page = await self._call(
            lambda api: api.current_user_recently_played(limit=min(limit, PAGE), after=after)
        )  # fmt: skip
        return [shown for row in _items(page) if (shown := _shown(row.get("track"), row.get("played_at")))]

    async def favourites(self, limit: int = PAGE) -> Sequence[Favourite]:
        """See HistorySource; of about six months, ranked without counts. Raises LinkEnded, too."""
        page = await self._call(lambda api: api.current_user_top_artists(limit=min(limit, PAGE)))
        rows = [row for row in _items(page) if isinstance(row.get("name"), str)]
        return [Favourite(row["name"], None, _texts(row.get("genres")), _link(row)) for row in rows]

    async def tracks(self, limit: int = PAGE) -> Sequence[Shown]:
        """The titles most listened to in about six months. Raises as `favourites`."""
        page = await self._call(lambda api: api.current_user_top_tracks(limit=min(limit, PAGE)))
        return [shown for row in _items(page) if (shown := _shown(row, None))]

    async def close(self) -> None:
        """Nothing stays open between calls."""

    async def _call(self, work: Callable[[spotipy.Spotify], Any]) -> Any:
        access = await self._access()
        for attempt in range(2):
            await self._budget.spend()
            try:
                answer = await asyncio.to_thread(lambda token: work(_client(self._app, token)), access)
            except (spotipy.SpotifyException, requests.RequestException, AttributeError) as error:
                if getattr(error, "http_status", None) == 401 and not attempt:
                    access = await self._access(stale=access)
                    continue
                raise await _explained(error, self._budget) from error
            if not isinstance(answer, dict):  # spotipy gives None for what is no JSON
                raise Unreachable(_DOWN)
            return answer
        raise Unreachable(_DOWN)

    async def _access(self, stale: str | None = None) -> str:
        """An access token in force; refreshed when it ran out, or is the `stale` one."""
        async with self._refreshing:
            token = await self._load()
            if token["access_token"] != stale and token["expires_at"] > time.time() + 60:
                return str(token["access_token"])
            await self._budget.spend()
            try:
                fresh = await asyncio.to_thread(_refresh, self._app, token)
            except LinkEnded:
                again = await self._load()
                if again["refresh_token"] != token["refresh_token"]:  # another process was faster
                    return str(again["access_token"])
                raise
            if not await self._tokens.save(json.dumps(fresh)):
                raise LinkEnded("Your Spotify account is not linked any more.")
            return str(fresh["access_token"])

    async def _load(self) -> dict[str, Any]:
        kept = await self._tokens.load()
        if kept is None:
            raise LinkEnded("Your Spotify account is not linked; link it first.")
        return dict(json.loads(kept))


def link_ends(token: str) -> datetime:
    """When Spotify will ask for consent again."""
    return datetime.fromtimestamp(json.loads(token)["authorized_at"] + LINK_DAYS * 86_400, UTC)


def _auth(app: SpotifyApp) -> SpotifyPKCE:
    auth = SpotifyPKCE(
        client_id=app.client_id,
        redirect_uri=app.redirect_uri,
        scope=list(SCOPES),
        cache_handler=MemoryCacheHandler(),  # the default is one file for everybody
        open_browser=False,
        requests_timeout=TIMEOUT_S,
    )
    auth.OAUTH_AUTHORIZE_URL = f"{app.accounts_url}/authorize"
    auth.OAUTH_TOKEN_URL = f"{app.accounts_url}/api/token"
    return auth


def _client(app: SpotifyApp, access_token: str) -> spotipy.Spotify:
    # A session of our own: spotipy's sleeps through a 429 for hours.
    client = spotipy.Spotify(auth=access_token, requests_session=requests.Session(), requests_timeout=TIMEOUT_S)
    client.prefix = f"{app.api_url}/v1/"
    return client


def _code(consent: Consent, address: str) -> str:
    try:
        state, code = SpotifyPKCE.parse_auth_response_url(address.strip())
    except SpotifyOauthError as error:
        if error.error == "access_denied":
            raise NotAllowed("You declined at Spotify, so nothing is linked.") from error
        raise NotAllowed("Spotify did not allow the link; try again.") from error
    except ValueError as error:
        raise NotAllowed("This is not the address Spotify sent you to; copy the whole of it.") from error
    if not code or not state:
        raise NotAllowed("This is not the address Spotify sent you to; copy the whole of it, with code and state.")
    if not secrets.compare_digest(state.encode(), consent.state.encode()):
        raise NotAllowed("This address belongs to another attempt to link; start again.")
    return str(code)


def _redeem(app: SpotifyApp, consent: Consent, code: str) -> dict[str, Any]:
    auth = _auth(app)
    auth.code_verifier, auth.code_challenge = consent.verifier, "known to Spotify already"
    return _granted(lambda: auth.get_access_token(code, check_cache=False), auth, NotAllowed(
        "Spotify does not accept this address any more; start again and paste it within a few minutes."
    ))  # fmt: skip


def _refresh(app: SpotifyApp, token: dict[str, Any]) -> dict[str, Any]:
    auth = _auth(app)
    ended = LinkEnded("Spotify has ended the link, as it does after six months or when you remove it; link again.")
    fresh = _granted(lambda: auth.refresh_access_token(token["refresh_token"]), auth, ended)
    return token | fresh


def _granted(ask: Callable[[], Any], auth: SpotifyPKCE, refused: HistoryError) -> dict[str, Any]:
    """The token Spotify gave when asked; `refused` when the code or refresh token is no longer good."""
    try:
        ask()
    except SpotifyOauthError as error:
        if error.error == "invalid_grant":
            raise refused from error
        if error.error == "invalid_client":
            raise NotAllowed("Spotify does not know this bot; its operator has to check SPOTIFY_CLIENT_ID.") from error
        raise Unreachable(_DOWN) from error
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise Unreachable(_DOWN) from error
    token = auth.cache_handler.get_cached_token()
    if not isinstance(token, dict) or not {"access_token", "refresh_token", "expires_at"} <= token.keys():
        raise Unreachable(_DOWN)
    return token


async def _explained(error: Exception, budget: Budget) -> HistoryError:
    """The sentence for a refusal; what Spotify asks us to wait is kept to."""
    if not isinstance(error, spotipy.SpotifyException):
        return Unreachable(_DOWN)
    if error.http_status == 429:
        wait_s = _seconds(error.headers.get("Retry-After"))
        await budget.rest(wait_s)
        return _throttled(wait_s, whole_day=error.reason == "QUOTA_EXCEEDED")
    if error.http_status == 403 and "scope" in str(error.msg).lower():
        return NotAllowed(_NO_SCOPE)
    if error.http_status == 403:
        return NotAllowed(
            "Spotify does not let this bot see your account; ask its operator to add your Spotify e-mail under Users "
            "Management."
        )
    if error.http_status == 401:
        return LinkEnded("Spotify no longer accepts the link; link again.")
    return Unreachable(_DOWN)


def _throttled(wait_s: float, *, whole_day: bool) -> Throttled:
    if whole_day:
        hours = max(1, round(wait_s / 3600))
        return Throttled(f"This bot has used up what Spotify allows it in a day; try again in {hours} h.", wait_s)
    return Throttled(f"Spotify asks for a pause of {wait_s:.0f} s; try again then.", wait_s)


def _seconds(value: object) -> float:
    try:
        return min(2 * 86_400.0, max(1.0, float(str(value))))
    except ValueError:
        return 60.0


def _items(page: dict[str, Any]) -> list[dict[str, Any]]:
    rows = page.get("items")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _shown(track: object, played_at: object) -> Shown | None:
    """A title as it may be shown; local files have no page, so their link leads to Spotify."""
    if not isinstance(track, dict) or not isinstance(track.get("name"), str):
        return None
    artists = track.get("artists")
    names = [artist["name"] for artist in artists if artist.get("name")] if isinstance(artists, list) else []
    return Shown(", ".join(names), track["name"], _link(track), moment(played_at))


def _link(row: dict[str, Any]) -> str:
    urls = row.get("external_urls")
    link = urls.get("spotify") if isinstance(urls, dict) else None
    return link if isinstance(link, str) and link.startswith("https://") else _HOME


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
