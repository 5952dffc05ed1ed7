"""Where Spotify sends a listener back to, for operators with a domain: their proxy passes that address on to here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from bot.errors import BotError, UserError
from bot.linking import Linked
from bot.logs import logger
from bot.web.server import Handler

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Tunesmith</title>
<meta name="viewport" content="width=device-width">
<body style="font:1.2rem system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem">
<h1>{title}</h1><p>{text}</p></body></html>"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_log = logger(__name__)


def spotify_callback(redirect_uri: str, finish: Callable[[str], Awaitable[Linked]]) -> dict[str, Handler]:
    """The route of the redirect address; `finish` links with the whole address and says whom by its state."""

    async def callback(request: web.Request) -> web.Response:
        try:
            linked = await finish(f"{redirect_uri}?{request.query_string}")
        except UserError as error:
            return _page(400, "Not linked", str(error))
        except BotError as error:
            _log.warning("spotify callback failed", reason=str(error))
            return _page(503, "Not linked", str(error))
        return _page(200, "Spotify is linked", f"{linked.note} You can close this page and go back to the chat.")

    return {urlsplit(redirect_uri).path or "/": callback}


def _page(status: int, title: str, text: str) -> web.Response:
    body = _PAGE.format(title=escape(title), text=escape(text))
    return web.Response(status=status, text=body, content_type="text/html", headers=_HEADERS)
