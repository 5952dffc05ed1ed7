"""A loopback Spotify: accounts.spotify.com and api.spotify.com of a development-mode app, on 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer

CLIENT_ID = "loopback-spotify-client"
REDIRECT = "http://127.0.0.1:8765/callback"


def track(name: str, **changes: Any) -> dict[str, Any]:
    """A track as development mode gives it: no popularity, no preview."""
    return {
        "album": {"name": "Post", "images": [], "type": "album"}, "artists": [{"name": "Björk"}, {"name": "Tricky"}],
        "disc_number": 1, "duration_ms": 200_000, "explicit": False, "external_ids": {}, "id": name, "is_local": False,
        "external_urls": {"spotify": f"https://open.spotify.com/track/{name}"}, "name": name, "type": "track",
    } | changes  # fmt: skip


class FakeSpotify:
    """One user, "ada-account". `answers` come before the next API answers: (status, body, headers); text is HTML."""

    def __init__(self) -> None:
        self.account: dict[str, Any] = {"id": "ada", "account_id": "ada-account", "display_name": "Ada"}
        self.scope: str | None = None
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.token_answers: list[tuple[int, Any]] = []
        self.recent: list[Any] = [
            {"track": track("Isobel"), "played_at": "2026-11-20T18:02:11.123Z", "context": None},
            {"track": track("Mine", id=None, is_local=True, external_urls={}), "played_at": "2026-11-20T17:00:00Z"},
            {"track": None, "played_at": "2026-11-20T16:00:00Z"},
        ]
        self.genres: Any = None
        self.asked: list[str] = []
        self.refreshes = 0
        self._challenges: dict[str, tuple[str, str]] = {}
        self._good: set[str] = set()
        self._refresh = ""
        application = web.Application()
        application.router.add_post("/api/token", self._token)
        application.router.add_get("/v1/{path:.*}", self._api)
        self._server = TestServer(application)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    def consent(self, url: str) -> str:
        """What a listener who agrees is sent back to, without walking through a browser."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self._challenges)}"
        self._challenges[code] = (query["code_challenge"], query["scope"])
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def expire(self) -> None:
        """From now on no access token is good."""
        self._good.clear()

    def revoke(self) -> None:
        self._refresh = "revoked"
        self.expire()

    async def _token(self, request: web.Request) -> web.Response:
        if self.token_answers:
            status, body = self.token_answers.pop(0)
            return web.json_response(body, status=status) if isinstance(body, dict) else web.Response(text=body)
        form = await request.post()
        if form["client_id"] != CLIENT_ID:
            return web.json_response({"error": "invalid_client"}, status=400)
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self._refresh:
                body = {"error": "invalid_grant", "error_description": "Refresh token revoked"}
                return web.json_response(body, status=400)
            self.refreshes += 1
            return self._issue(" ".join(sorted({"user-read-recently-played", "user-top-read"})))
        challenge, scope = self._challenges.pop(str(form["code"]), ("", ""))
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != challenge or form["redirect_uri"] != REDIRECT:
            body = {"error": "invalid_grant", "error_description": "Invalid authorization code"}
            return web.json_response(body, status=400)
        return self._issue(scope if self.scope is None else self.scope)

    def _issue(self, scope: str) -> web.Response:
        access = f"access-{len(self._good)}-{self.refreshes}"
        self._good.add(access)
        self._refresh = f"refresh-{self.refreshes}"  # a new one each time, as for every app without a secret
        body = {"access_token": access, "token_type": "Bearer", "expires_in": 3600, "scope": scope}
        return web.json_response(body | {"refresh_token": self._refresh})

    async def _api(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.answers:
            status, body, headers = self.answers.pop(0)
            if isinstance(body, str):
                return web.Response(text=body, status=status, content_type="text/html", headers=headers)
            return web.json_response(body, status=status, headers=headers)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._good:
            return web.json_response({"error": {"status": 401, "message": "The access token expired"}}, status=401)
        artist = {
            "name": "Björk",
            "external_urls": {"spotify": "https://open.spotify.com/artist/b"},
            "genres": self.genres,
        }
        after, limit = float(request.query.get("after", "-inf")), int(request.query.get("limit", "20"))
        recent = [row for row in self.recent if _milliseconds(row["played_at"]) > after][:limit]
        bodies: dict[str, Any] = {
            "me": self.account,
            "me/player/recently-played": {"items": recent, "next": None, "cursors": None, "limit": 50, "href": ""},
            "me/top/artists": {"items": [artist], "next": None, "offset": 0, "total": 1, "limit": 50, "href": ""},
            "me/top/tracks": {"items": [track("Hyperballad")], "next": None, "offset": 0, "total": 1},
        }
        return web.json_response(bodies[request.match_info["path"].rstrip("/")])


def _milliseconds(played_at: str | None) -> float:
    return datetime.fromisoformat(played_at).timestamp() * 1000 if played_at else 0.0
