"""A loopback ListenBrainz: the answers, headers and oddities of api.listenbrainz.org on 127.0.0.1."""

from __future__ import annotations

from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "loopback-listenbrainz-token"
TRICKY = "a1d5f6e0-0000-4000-8000-000000000001"


def listen(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "listened_at": 1_763_600_000 + 200 * number,
        "recording_msid": f"{number:08}",
        "track_metadata": {
            "artist_name": "Tricky", "track_name": f"Song {number}", "release_name": None,
            "additional_info": {"duration_ms": 200_000, "music_service": "example.org"},
            "mbid_mapping": {"artist_mbids": [TRICKY], "recording_mbid": "r", "release_mbid": "s"},
        },
    } | changes  # fmt: skip


class FakeListenBrainz:
    """`listens` is the history of "ada", the newest first. `answers` come before anything else, one per request:
    (status, body, headers); a body that is text is sent as HTML."""

    def __init__(self) -> None:
        self.listens = [listen(number) for number in reversed(range(2300))]
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.asked: list[web.Request] = []
        self.computed = True
        routes = [
            web.get("/1/validate-token", self._validate),
            web.get("/1/user/{user}/listens", self._listens),
            web.get("/1/stats/user/{user}/artists", self._artists),
            web.get("/1/stats/user/{user}/genre-activity", self._genres),
            web.get("/1/metadata/artist/", self._metadata),
        ]
        application = web.Application(middlewares=[self._first])
        application.add_routes(routes)
        self._server = TestServer(application)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @web.middleware
    async def _first(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request)
        limits = {"X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "29", "X-RateLimit-Reset-In": "10"}
        if self.answers:
            status, body, headers = self.answers.pop(0)
            if isinstance(body, str):
                return web.Response(status=status, text=body, content_type="text/html", headers=limits | headers)
            return web.json_response(body, status=status, headers=limits | headers)
        user = request.match_info.get("user")
        if user not in (None, "ada"):
            return web.json_response({"code": 404, "error": f"Cannot find user: {user}"}, status=404, headers=limits)
        response: web.StreamResponse = await handler(request)
        response.headers.update(limits)
        return response

    async def _validate(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return web.json_response({"code": 200, "message": "Token invalid.", "valid": False})
        return web.json_response({"code": 200, "message": "Token valid.", "valid": True, "user_name": "ada"})

    async def _listens(self, request: web.Request) -> web.Response:
        until = float(request.query.get("max_ts", "inf"))
        rows = [row for row in self.listens if row["listened_at"] < until][: int(request.query["count"])]
        payload = {"count": len(rows), "user_id": "ada", "latest_listen_ts": 1, "oldest_listen_ts": 1, "listens": rows}
        return web.json_response({"payload": payload})

    async def _artists(self, request: web.Request) -> web.Response:
        if not self.computed:
            return web.Response(status=204)
        artists = [
            {"artist_mbid": TRICKY, "artist_name": "Tricky", "listen_count": 40},
            {"artist_name": "Nobody Mapped", "listen_count": 3},
        ]
        payload = {"artists": artists, "total_artist_count": 2, "range": "all_time", "user_id": "ada"}
        return web.json_response({"payload": payload})

    async def _genres(self, request: web.Request) -> web.Response:
        if not self.computed:
            return web.Response(status=204)
        rows = [{"genre": "trip hop", "hour": hour, "listen_count": 2} for hour in (9, 22)]
        return web.json_response(
            {"payload": {"genre_activity": [*rows, {"genre": "jazz", "hour": 9, "listen_count": 1}]}}
        )

    async def _metadata(self, request: web.Request) -> web.Response:
        assert request.query["inc"] == "tag"
        tags = [
            {"tag": "trip-hop", "count": 7},
            {"tag": "downtempo", "count": 2, "genre_mbid": "g2"},
            {"tag": "trip hop", "count": 13, "genre_mbid": "g1"},
        ]
        mbids = request.query["artist_mbids"].split(",")
        return web.json_response(
            [{"artist_mbid": mbid, "name": "Tricky", "type": "Person", "tag": {"artist": tags}} for mbid in mbids]
        )
