"""A small web server on loopback; what shall be reached from outside stands behind the operator's own proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from bot.errors import StoreError

Handler = Callable[[web.Request], Awaitable[web.Response]]
LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def serving(routes: Mapping[str, Handler], port: int) -> AsyncIterator[int]:
    """Answer GET on 127.0.0.1 while the context lasts; gives the port (0 asks for any).

    Raises StoreError when the port is taken.
    """
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)  # addresses may carry codes
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, port)
        try:
            await site.start()
        except OSError as error:
            raise StoreError(f"Port {port} on {LOOPBACK} cannot be opened: {error.strerror}.") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
