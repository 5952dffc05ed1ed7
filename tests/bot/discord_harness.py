"""The whole bot in this process against the loopback Discord: real client, real store, real worker process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.app import App, open_app, open_runner
from bot.discord_front.client import Front
from bot.discord_front.delivery import Pace
from bot.discord_front.session import FrontSession
from bot.discord_front.station import RadioPace
from bot.errors import StoreError
from bot.jobs.job import Job, State, job_of
from bot.settings import Settings
from tests.fakes.discord import TOKEN, Asked, FakeDiscord, Message, mp3_of

QUICK = Pace(poll_s=0.05, edit_s=0.3, compare_s=0.0)


@dataclass
class Running:
    app: App
    front: Front
    fake: FakeDiscord

    async def job_of(self, asked: Asked) -> Job:
        """The job of an interaction, as soon as its row is there."""
        async with asyncio.timeout(90):
            while True:
                async with self.app.store.database.read() as tx:
                    found = await self.app.store.messages.jobs_of(tx, [asked.id])
                if found:
                    return job_of(found[asked.id])
                await asyncio.sleep(0.02)

    async def posted(self, asked: Asked) -> Message:
        """The message that carries the piece, with its numbers, and the row that says so."""
        job = await self.job_of(asked)
        await self.fake.until(lambda: any(job.id in str(m.attachments) for m in self.fake.tracks()))
        await self.state(job.id, State.DONE)
        message = next(m for m in self.fake.tracks() if job.id in str(m.attachments))
        assert mp3_of(message)
        return message

    async def state(self, job_id: str, *wanted: State) -> Job:
        async with asyncio.timeout(60):
            while (job := await self.app.service.job(job_id)).state not in wanted:
                await asyncio.sleep(0.02)
        return job


@asynccontextmanager
async def running_bot(
    settings: Settings,
    fake: FakeDiscord,
    *,
    composing: bool = True,
    orderly: bool = True,
    radio_pace: RadioPace | None = None,
) -> AsyncIterator[Running]:
    """`orderly` False leaves like a crash: nothing is released, nobody is told, tasks just end."""
    async with open_app(settings) as app, open_runner(app) as runner:
        session = FrontSession(app.store, app.queue, app.service, worker="front", pace=QUICK, radio_pace=radio_pace)
        session.front._connection.guild_ready_timeout = 0.05
        await session.login(TOKEN)
        tasks = [asyncio.create_task(session.listen())]
        if composing:
            tasks.append(asyncio.create_task(runner.run()))
        try:
            await session.front.wait_until_ready()
            yield Running(app, session.front, fake)
        finally:
            if not orderly:
                _cut(app)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks[1:], return_exceptions=True)
            await session.__aexit__()
            await asyncio.gather(*tasks, return_exceptions=True)


def _cut(app: App) -> None:
    """From now on this process changes nothing in the store, as if it had been killed."""

    async def never(*_: object, **__: object) -> None:
        raise StoreError("this process was killed")

    for name in ("release", "fail", "finish", "beat", "posted", "put_back", "answered", "take_post", "expire"):
        setattr(app.queue, name, never)
    app.store.messages.open = never  # type: ignore[method-assign,assignment]
