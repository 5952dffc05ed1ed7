"""The composition root: builds every part, wires them, and closes them in reverse."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.engine.api import Engine
from bot.engine.local import LocalEngine, child_command
from bot.errors import StoreError
from bot.jobs.admission import Limits
from bot.jobs.queue import Queue
from bot.jobs.runner import Places, Runner
from bot.linking import Services
from bot.service import Service
from bot.settings import Settings, child_environment
from bot.store.crypto import Seal
from bot.store.database import Database
from bot.store.store import Store

_CORES = 4


@dataclass(frozen=True, slots=True)
class App:
    """Everything that is open; valid inside `open_app` only."""

    settings: Settings
    store: Store
    queue: Queue
    service: Service


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """The store and the service over it. Raises StoreError with one sentence."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(_make_home, settings.home)
        database = await stack.enter_async_context(Database(settings.database))
        seal = await asyncio.to_thread(Seal.load, settings.home / "key")
        store = Store.over(database, seal)
        limits = Limits(settings.max_pending_per_listener, settings.max_backlog)
        queue = Queue(store, limits=limits, lease=timedelta(seconds=settings.lease_s))
        service = Service(
            store, queue, services_of(settings), demographics=settings.demographics, takes=settings.takes,
            compares=_compares(settings),
        )  # fmt: skip
        yield App(settings, store, queue, service)


def _compares(settings: Settings) -> bool:
    """A second take costs as much as the first; unless somebody says so, small machines do not make one."""
    if settings.compare is not None:
        return settings.compare
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores >= _CORES


def services_of(settings: Settings) -> Services:
    """The listening services that the settings set up."""
    key = settings.lastfm_api_key
    return Services(
        listenbrainz_url=settings.listenbrainz_url.rstrip("/"),
        lastfm_key=key.get_secret_value() if key else None,
        spotify_client_id=settings.spotify_client_id,
        spotify_redirect_uri=settings.spotify_redirect_uri,
        spotify_daily_requests=settings.spotify_daily_requests,
    )


@asynccontextmanager
async def open_runner(app: App, *, slots: int | None = None) -> AsyncIterator[Runner]:
    """A runner over this process's own engine; the engine's children are gone at the end."""
    settings = app.settings
    engine: Engine = LocalEngine(
        child_command(settings.composer, settings.editor),
        child_environment(settings),
        slots=settings.workers if slots is None else slots,
    )
    try:
        yield Runner(
            app.queue,
            engine,
            app.service.propose,
            places=Places(work=settings.work_dir, tracks=settings.tracks_dir),
            soundfont=lambda: find_soundfont(settings),
            worker=worker_name(),
            delivery=settings.delivery(),
            beat_s=min(1.0, settings.lease_s / 4),
        )
    finally:
        await engine.close()


def worker_name() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def find_soundfont(settings: Settings) -> Path | None:
    """The SoundFont in use, or None; a preferred one that is not there is not silently replaced."""
    from generator.render.sounds import find_soundfont as find  # noqa: PLC0415 - keeps start-up light

    return find(settings.home, preferred=settings.soundfont)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"The home folder {home} cannot be made: {error.strerror or error}.") from error
