"""`/health` and `/metrics` on loopback: whether the bot works, and its figures for Prometheus.

Figures are read from the store when they are asked for, so they are those of all processes together and survive a
restart; nothing in them names a listener.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.errors import BotError
from bot.store.figures import Figures, read_figures
from bot.store.store import Store
from bot.web.server import Handler

_HELP = {
    "listeners": "Listeners known",
    "tracks": "Finished pieces",
    "ratings": "Ratings given",
    "oldest_queued_seconds": "How long the request that waits longest has waited",
    "last_piece_seconds": "From request to piece, the newest piece",
}


def watch(store: Store, connected: Callable[[], bool]) -> dict[str, Handler]:
    """The routes; `connected` is the chat's state."""
    return {"/health": _health(store, connected), "/metrics": _metrics(store, connected)}


def _health(store: Store, connected: Callable[[], bool]) -> Handler:
    async def health(_request: web.Request) -> web.Response:
        """200 when the database answers and the chat is connected, else 503; JSON says which it is."""
        try:
            figures = await read_figures(store.database)
        except BotError as error:
            return web.json_response({"database": str(error), "chat": connected()}, status=503)
        chat = connected()
        found = {"database": "ok", "chat": chat, "waiting": figures.jobs.get("queued", 0)}
        return web.json_response(found, status=200 if chat else 503)

    return health


def _metrics(store: Store, connected: Callable[[], bool]) -> Handler:
    async def metrics(_request: web.Request) -> web.Response:
        try:
            figures = await read_figures(store.database)
        except BotError as error:
            return web.Response(status=503, text=str(error))
        body = generate_latest(_registry(figures, chat=connected()))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return metrics


def _registry(figures: Figures, *, chat: bool) -> CollectorRegistry:
    registry = CollectorRegistry()
    jobs = Gauge("tunesmith_jobs", "Jobs by state", ["state"], registry=registry)
    for state, count in figures.jobs.items():
        jobs.labels(state).set(count)
    for name, text in _HELP.items():
        Gauge(f"tunesmith_{name}", text, registry=registry).set(getattr(figures, name))
    Gauge("tunesmith_chat_connected", "Whether the chat's connection stands", registry=registry).set(chat)
    return registry
