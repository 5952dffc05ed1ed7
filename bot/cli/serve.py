"""`serve` and `worker`: the two processes that run for long."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Annotated

import typer

from bot import clock
from bot.app import App, open_app, open_runner, worker_name
from bot.cli.context import run, say, service_settings
from bot.errors import SettingsError, StoreError, UserError
from bot.jobs.runner import Runner
from bot.logs import logger
from bot.settings import Settings
from bot.web.callback import spotify_callback
from bot.web.server import serving
from bot.web.watch import watch
from generator.memory import share

_RESTARTING = "I am restarting; please ask again in a minute."
_log = logger(__name__)


def add_serve(app: typer.Typer) -> None:
    @app.command()
    def serve() -> None:
        """Run the Discord bot, and compose in this process's workers unless TUNESMITH_WORKERS is 0."""
        settings = service_settings()
        share()
        run(_serve(settings))

    @app.command()
    def worker(
        drain: Annotated[bool, typer.Option("--drain", help="Stop when nothing is left to do.")] = False,
    ) -> None:
        """Compose what is queued, without a chat; run as many as there are machines."""
        settings = service_settings()
        run(_worker(settings, drain=drain))


async def _serve(settings: Settings) -> None:
    if settings.discord_token is None:
        raise SettingsError("There is no DISCORD_TOKEN; put it into .env as README.md describes.")
    from bot.discord_front.session import FrontSession  # noqa: PLC0415 - the library takes a second to import

    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings))
        runner = await stack.enter_async_context(open_runner(app))
        token = settings.discord_token.get_secret_value()
        async with FrontSession(app.store, app.queue, app.service, worker=worker_name()) as session:
            await session.login(token)
            for port, routes in (
                (settings.watch_port, watch(app.store, session.front.is_ready)),
                (settings.callback_port, spotify_callback(settings.spotify_redirect_uri, app.service.finish_spotify)),
            ):
                if port:
                    await stack.enter_async_context(serving(routes, port))
                    _log.info("serving", port=port, paths=list(routes))
            work = [asyncio.create_task(session.listen(), name="gateway")]
            if settings.refit_hours:
                work.append(asyncio.create_task(_refit(app, timedelta(hours=settings.refit_hours)), name="refit"))
            if settings.workers:
                work.append(asyncio.create_task(_compose(app, runner), name="runner"))
            try:
                await _until_told(work)
            finally:
                app.service.refuse(_RESTARTING)
                await _stop(work[1:])  # running jobs go back to the queue before the chat is told
                await _stop(work)  # and nobody listens any more when the connection says goodbye


async def _worker(settings: Settings, *, drain: bool) -> None:
    async with open_app(settings) as app, open_runner(app, slots=max(1, settings.workers)) as runner:
        say("Waiting for work; Ctrl-C stops.")
        work = [asyncio.create_task(_compose(app, runner), name="runner")]
        if drain:
            work.append(asyncio.create_task(_until_empty(app), name="drain"))
        try:
            await _until_told(work)
        finally:
            await _stop(work)


async def _compose(app: App, runner: Runner) -> None:
    await app.service.warm_up()
    await runner.warm_up()
    await runner.run()


async def _refit(app: App, every: timedelta) -> None:
    """Learn anew, again and again, what the listeners here share; too few ratings are no failure."""
    while True:
        began = clock.now()
        try:
            found = await app.service.tastes.refit()
            _log.info("taste refitted", listeners=found.listeners, ratings=found.ratings, serves=found.serves)
        except (UserError, StoreError) as error:
            _log.info("taste not refitted", reason=str(error))
        await clock.wait_until(began + every)


async def _until_empty(app: App) -> None:
    while await app.queue.composing():  # noqa: ASYNC110 - other processes change it
        await asyncio.sleep(0.2)


async def _until_told(work: list[asyncio.Task[None]]) -> None:
    """Until SIGTERM or SIGINT, or until one of the tasks ends; raises what it raised."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    telling = asyncio.create_task(told.wait())
    try:
        done, _ = await asyncio.wait([*work, telling], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not telling:
                await task
        _log.info("stopping")
    finally:
        telling.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
