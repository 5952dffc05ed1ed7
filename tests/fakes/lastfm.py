"""A loopback Last.fm: ws.audioscrobbler.com's XML over TLS on 127.0.0.1, as the real pylast asks for it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Any, Self
from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEY = "loopback-lastfm-key"
ERRORS = {
    6: (404, "User not found"), 8: (500, "Operation failed"), 10: (403, "Invalid API key"),
    11: (503, "Service Offline"),
    16: (503, "Temporarily unavailable"), 17: (403, "Login: User required to be logged in"),
    26: (403, "Suspended API key"), 29: (429, "Rate limit exceeded"),
}  # fmt: skip


class FakeLastFm:
    """`plays` (artist, title, album, uts) of all `users`, the newest first. `fails` answers requests of a method with
    an error code, or with raw text."""

    def __init__(self, folder: Path) -> None:
        self.plays = [("Björk", f"Song {n} & more", "Post", 1_763_600_000 + 200 * n) for n in reversed(range(450))]
        self.now_playing = True
        self.users = {"ada"}
        self.tags: dict[str, list[tuple[str, int]]] = {}
        self.fails: dict[str, int | str] = {}
        self.asked: list[dict[str, str]] = []
        self.agents: set[str] = set()
        application = web.Application()
        application.router.add_post("/2.0/", self._answer)
        self._server = TestServer(application)
        self._certificate, self._key = _certificate(folder)

    @property
    def server(self) -> tuple[str, str]:
        return f"127.0.0.1:{self._server.port}", "/2.0/"

    def trusted(self) -> ssl.SSLContext:
        """A client's context that trusts this server."""
        return ssl.create_default_context(cafile=str(self._certificate))

    async def __aenter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key)
        await self._server.start_server(ssl=context)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        asked: dict[str, str] = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append(asked)
        self.agents.add(request.headers["User-Agent"])
        method = asked["method"].lower()
        failure: int | str | None = self.fails.get(method)
        if asked["api_key"] != KEY:
            failure = 10
        elif failure is None and asked.get("user", "ada") not in self.users:
            failure = 6
        if isinstance(failure, str):
            return web.Response(text=failure, content_type="text/html")
        if failure is not None:
            status, sentence = ERRORS[failure]
            if method == "artist.gettoptags":
                status = 200  # this method reports its errors as successes
            return _xml(f'<lfm status="failed"><error code="{failure}">{sentence}</error></lfm>', status)
        return _xml(f'<lfm status="ok">{getattr(self, method.replace(".", "_"))(asked)}</lfm>')

    def user_getrecenttracks(self, asked: dict[str, str]) -> str:
        size, page = min(200, int(asked.get("limit", "50"))), int(asked["page"])
        plays = [play for play in self.plays if play[3] >= int(asked.get("from", "0"))]
        rows = plays[size * (page - 1) : size * page]
        playing = '<track nowplaying="true"><artist mbid="">Björk</artist><name>Now</name><album/></track>'
        pages = -(-len(plays) // size)
        head = f'<recenttracks user="ada" page="{page}" perPage="{size}" totalPages="{pages}" total="{len(plays)}">'
        return head + (playing if self.now_playing else "") + "".join(map(_track, rows)) + "</recenttracks>"

    def user_gettopartists(self, asked: dict[str, str]) -> str:
        artist = "<artist rank='1'><name>Björk</name><playcount>450</playcount><mbid/></artist>"
        return f'<topartists user="ada" totalPages="1" page="1">{artist}</topartists>'

    def artist_gettoptags(self, asked: dict[str, str]) -> str:
        tags = self.tags.get(asked["artist"], [])
        rows = "".join(f"<tag><name>{escape(name)}</name><count>{count}</count><url/></tag>" for name, count in tags)
        return f"<toptags artist='{escape(asked['artist'])}'>{rows}</toptags>"


def _track(play: tuple[str, str, str, int]) -> str:
    artist, title, album, uts = play
    return (
        f'<track><artist mbid="">{escape(artist)}</artist><name>{escape(title)}</name><mbid/>'
        f'<album mbid="">{escape(album)}</album><url/><date uts="{uts}">20 Nov 2025, 18:02</date></track>'
    )


def _xml(body: str, status: int = 200) -> web.Response:
    return web.Response(text=f'<?xml version="1.0" encoding="utf-8"?>{body}', content_type="text/xml", status=status)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    builder: Any = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    certificate, private = folder / "loopback.pem", folder / "loopback.key"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return certificate, private
