"""The runner over the real store and real worker processes: retries, refusals, lost leases, stopping."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bot.app import App, open_app, open_runner
from bot.changes import CHANGES
from bot.engine.local import LocalEngine, child_command
from bot.errors import NotFoundError
from bot.jobs.job import Job, State
from bot.jobs.runner import Places, Runner
from bot.settings import Settings, child_environment
from tests.bot.conftest import COMPOSER, EDITOR
from tests.bot.making import proposal, request
from tests.bot.processes import python

_numbers = itertools.count(1)


async def propose(job: Job) -> dict[str, Any]:
    return proposal(job.request["text"], seed=job.seed)


@pytest.fixture
async def runner(app: App) -> AsyncIterator[Runner]:
    settings = app.settings
    engine = LocalEngine(child_command(COMPOSER, EDITOR), child_environment(settings))
    yield Runner(
        app.queue,
        engine,
        propose,
        places=Places(settings.work_dir, settings.tracks_dir),
        soundfont=lambda: None,
        worker=f"runner {next(_numbers)}",
        beat_s=0.1,
        poll_s=0.1,
    )
    await engine.close()


async def ask(app: App, text: str) -> str:
    job, _ = await app.queue.enqueue("ada", request(text), 7)
    return job.id


async def over(app: App, job_id: str) -> Job:
    async with asyncio.timeout(20):
        while not (job := await app.service.job(job_id)).finished:
            await asyncio.sleep(0.02)
    return job


async def running(app: App, job_id: str) -> Job:
    async with asyncio.timeout(20):
        while not (job := await app.service.job(job_id)).stage:
            await asyncio.sleep(0.02)
    return job


async def test_a_job_becomes_a_track_with_its_files(app: App, runner: Runner) -> None:
    job_id = await ask(app, "chill")
    await runner.run_only(job_id)
    job = await over(app, job_id)
    assert (job.state, job.attempts, job.error) == (State.DONE, 1, None)
    track = await app.service.track(job_id)
    assert track.dir == app.settings.tracks_dir / job_id
    assert all(Path(name).is_file() for name in (track.files["mp3"], *track.files["stems"]))
    assert track.verified
    assert list(app.settings.work_dir.iterdir()) == []


async def test_a_killed_worker_process_leads_to_one_retry(app: App, runner: Runner) -> None:
    job_id = await ask(app, "fakedieonce")
    await runner.run_only(job_id)
    job = await over(app, job_id)
    assert (job.state, job.attempts) == (State.DONE, 2)


async def test_three_deaths_are_enough(app: App, runner: Runner) -> None:
    job_id = await ask(app, "fakedie")
    await runner.run_only(job_id)
    job = await over(app, job_id)
    assert (job.state, job.attempts) == (State.FAILED, 3)
    assert job.error is not None
    assert "ended unexpectedly" in job.error


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("fakebug", "mistake of ours"), ("fakedisk", "Permission denied")],
)
async def test_what_cannot_work_is_not_tried_again(app: App, runner: Runner, text: str, sentence: str) -> None:
    job_id = await ask(app, text)
    await runner.run_only(job_id)
    job = await over(app, job_id)
    assert (job.state, job.attempts) == (State.FAILED, 1)
    assert sentence in str(job.error)


async def test_a_refused_piece_is_tried_with_another_seed(app: App, runner: Runner) -> None:
    job_id = await ask(app, "fakerefuseodd")
    await runner.run_only(job_id)
    job = await over(app, job_id)
    assert (job.state, job.attempts, job.seed) == (State.DONE, 2, 8)
    assert (await app.service.track(job_id)).brief["seed"] == 8


async def test_a_seed_somebody_chose_is_never_changed(app: App, runner: Runner) -> None:
    job, _ = await app.queue.enqueue("ada", {**request("fakerefuseodd"), "seed": 7}, 7)
    await runner.run_only(job.id)
    failed = await over(app, job.id)
    assert (failed.state, failed.attempts, failed.seed) == (State.FAILED, 1, 7)


async def test_cancelling_a_running_job_stops_its_worker(app: App, runner: Runner) -> None:
    job_id = await ask(app, "fakeslow")
    work = asyncio.create_task(runner.run_only(job_id))
    await running(app, job_id)
    assert await app.queue.cancel(job_id)
    async with asyncio.timeout(2):
        await work
    assert (await over(app, job_id)).state is State.CANCELLED
    assert not (app.settings.tracks_dir / job_id).exists()


async def test_stopping_puts_running_jobs_back_without_counting(app: App, runner: Runner) -> None:
    job_id = await ask(app, "fakeslow")
    work = asyncio.create_task(runner.run())
    await running(app, job_id)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    job = await app.service.job(job_id)
    assert (job.state, job.attempts, job.worker) == (State.QUEUED, 0, None)
    await runner.run_only(job_id)
    assert (await over(app, job_id)).state is State.DONE


async def test_a_worker_that_lost_its_lease_does_not_publish(app: App, runner: Runner) -> None:
    job_id = await ask(app, "fakeslow")
    work = asyncio.create_task(runner.run_only(job_id))
    stale = await running(app, job_id)
    await app.queue.release(stale)  # as the sweep does to a silent worker
    newer = await app.queue.claim("somebody else")
    assert newer is not None
    await asyncio.sleep(3)  # longer than the piece takes
    row = await app.service.job(job_id)
    assert (row.state, row.worker) == (State.RUNNING, "somebody else")
    assert not (app.settings.tracks_dir / job_id).exists()
    await app.queue.fail(newer, "enough", retry=False)
    await work


async def test_a_job_of_a_silent_worker_is_taken_over(settings: Settings) -> None:
    async with open_app(settings.model_copy(update={"lease_s": 1.0})) as app, open_runner(app) as runner:
        job, _ = await app.service.compose("ada", app.service.request("chill"))
        assert await app.queue.claim("a worker that dies at once") is not None
        await runner.run_only(job.id)
        done = await app.service.job(job.id)
        assert (done.state, done.attempts) == (State.DONE, 2)


async def test_many_jobs_of_many_listeners_all_finish(app: App, runner: Runner) -> None:
    ids = [(await app.queue.enqueue(f"listener {n % 3}", request("chill"), n))[0].id for n in range(6)]
    work = asyncio.create_task(runner.run())
    jobs = [await over(app, job_id) for job_id in ids]
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert {job.state for job in jobs} == {State.DONE}


def worker(settings: Settings, *extra: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    environment = child_environment(settings) | {
        "TUNESMITH_HOME": str(settings.home),
        "TUNESMITH_COMPOSER": COMPOSER,
        "TUNESMITH_LEASE_S": "1.5",
    }
    return python("-m", "bot", "worker", *extra, environment=environment)


async def test_kill_minus_nine_of_a_worker_mid_job_and_the_job_is_finished_once(settings: Settings) -> None:
    """The real `worker` process, killed while composing; the next one finishes the job."""
    async with open_app(settings) as app:
        job_id = await ask(app, "chill fakeslow")
        async with worker(settings) as first:
            await running(app, job_id)
            first.kill()
            await first.communicate()
        assert (await app.service.job(job_id)).state is State.RUNNING
        async with worker(settings, "--drain") as second:
            _, complaint = await second.communicate()
        assert second.returncode == 0, complaint.decode()
        job = await app.service.job(job_id)
        assert (job.state, job.attempts) == (State.DONE, 2)
        assert [track.id for track in await app.service.history("ada")] == [job_id]
        assert list(settings.work_dir.iterdir()) == []


async def test_a_worker_told_to_stop_leaves_in_order(settings: Settings) -> None:
    async with open_app(settings) as app:
        job_id = await ask(app, "chill fakeslower")
        async with worker(settings) as process:
            await running(app, job_id)
            process.terminate()
            _, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode()
        assert b"Traceback" not in complaint
        assert (await app.service.job(job_id)).state is State.QUEUED


async def test_a_changed_piece_is_a_piece_with_a_parent(app: App) -> None:
    async with open_runner(app) as runner:
        first, _ = await app.service.compose("ada", app.service.request("chill"))
        await runner.run_only(first.id)
        second, _ = await app.service.change("bea", first.id, CHANGES["calmer"])
        await runner.run_only(second.id)
    track = await app.service.track(second.id)
    assert (track.parent_id, track.listener_id) == (first.id, "bea")
    assert track.title.endswith("(moods)")
    assert track.why[0].startswith("because you asked for a calmer version of “")
    assert track.brief["seed"] == second.seed
    assert (await app.service.profile("bea")).signals[0].track_id == first.id
    assert [piece.id for piece in await app.service.history("ada")] == [first.id]


async def test_a_piece_that_is_gone_cannot_be_changed(app: App) -> None:
    with pytest.raises(NotFoundError, match="no track nothere"):
        await app.service.change("bea", "nothere", CHANGES["calmer"])
