"""The job machine against the real store: nothing lost, one result at most, only the holder writes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.app import App
from bot.errors import UserError
from bot.jobs.admission import Limits
from bot.jobs.job import Claim, Finish, IllegalMove, Job, Posted, State, step
from bot.jobs.progress import Throttle
from bot.jobs.queue import Queue
from tests.bot.making import START, finished, proposal, reply, request, track_row

LEASE = timedelta(seconds=30)


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED])
def test_a_finished_job_takes_nothing(state: State) -> None:
    job = Job("j", "ada", request(), 7, wants_post=False, created_at=START, updated_at=START, state=state)
    for event in (Claim("w", LEASE), Finish(), Posted()):
        with pytest.raises(IllegalMove):
            step(job, event, START)


async def test_turns_are_fair_between_listeners(app: App) -> None:
    queue = Queue(app.store, limits=Limits(per_listener=10))
    for listener in ("ada", "ada", "ada", "ada", "bob", "eve", "bob"):
        await queue.enqueue(listener, request(), 7)
    served = []
    for _ in range(7):
        job = await queue.claim("w")
        assert job is not None
        served.append(job.listener_id)
        await queue.fail(job, "enough", retry=False)
    assert served == ["ada", "bob", "eve", "ada", "bob", "ada", "ada"]


async def test_what_nobody_waits_for_comes_after_all_others_and_stands_in_nobodys_way(app: App) -> None:
    queue = Queue(app.store, limits=Limits(per_listener=1, backlog=3))
    radio, _ = await queue.enqueue("ada", request(), 7, background=True)
    for listener in ("ada", "bob"):
        await queue.enqueue(listener, request(), 7)
    served = [job.id for _ in range(3) if (job := await queue.claim("w")) is not None]
    assert served[2] == radio.id
    with pytest.raises(UserError, match="long queue"):
        await queue.enqueue("ada", request(), 7, background=True)


async def test_two_claims_never_give_the_same_job(app: App) -> None:
    for number in range(12):
        await app.queue.enqueue(f"listener {number}", request(), 7)
    jobs = await asyncio.gather(*(app.queue.claim(f"w{n}") for n in range(20)))
    taken = [job.id for job in jobs if job is not None]
    assert len(taken) == len(set(taken)) == 12


async def test_limits_are_one_sentence_and_lift_again(app: App) -> None:
    queue = Queue(app.store, limits=Limits(per_listener=2, backlog=3))
    first, _ = await queue.enqueue("ada", request(), 7)
    await queue.enqueue("ada", request(), 7)
    with pytest.raises(UserError, match="already have 2"):
        await queue.enqueue("ada", request(), 7)
    await queue.enqueue("bob", request(), 7)
    with pytest.raises(UserError, match="long queue"):
        await queue.enqueue("eve", request(), 7)
    assert await queue.cancel(first.id)
    await queue.enqueue("eve", request(), 7)


async def test_a_beat_does_not_undo_a_proposal(app: App) -> None:
    await app.queue.enqueue("ada", request(), 7)
    job = await app.queue.claim("w")
    assert job is not None
    await app.queue.propose(job, proposal())
    await app.queue.beat(job, "compose", 0.5)  # with the older idea of the job
    stored = await app.queue.get(job.id)
    assert stored is not None
    assert stored.proposal is not None
    assert stored.fraction == 0.5


async def test_a_track_is_not_recorded_when_its_files_cannot_be_moved(app: App) -> None:
    await app.queue.enqueue("ada", request(), 7)
    job = await app.queue.claim("w")
    assert job is not None

    def refuse() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await app.queue.finish(job, track_row(job), refuse)
    stored = await app.queue.get(job.id)
    assert stored is not None
    assert stored.state is State.RUNNING
    assert await app.store.tracks.get(job.id) is None


async def test_interaction_tokens_are_not_readable_in_the_file(app: App) -> None:
    job, _ = await app.queue.enqueue("ada", request(), 7, reply=reply(token="very-readable-token"))
    assert b"very-readable-token" not in (app.settings.home / "tunesmith.db").read_bytes()
    row = await app.store.messages.of_job(job.id)
    assert row is not None
    assert app.store.seal.open(job.id, row["sealed_token"]) == "very-readable-token"


async def test_a_done_job_is_found_by_its_message_only_when_posted(app: App) -> None:
    job, _ = await app.queue.enqueue("ada", request(), 7, reply=reply())
    claimed = await app.queue.claim("w")
    assert claimed is not None
    await app.queue.finish(claimed, track_row(claimed), lambda: None)
    taken = await app.queue.take_post(job.id, "front")
    assert taken is not None
    assert await app.store.messages.track_of("55") is None
    await app.queue.posted(taken, "55", "7")
    assert await app.store.messages.track_of("55") == job.id


async def test_history_shows_the_newest_first(app: App) -> None:
    first = await finished(app.queue)
    second = await finished(app.queue)
    await app.service.rate("local", first.id, 4)
    assert [(t.id, t.stars) for t in await app.service.history("local")] == [(second.id, None), (first.id, 4)]
    assert await app.service.history("somebody new") == []


def test_progress_is_shown_rarely_and_only_when_it_changes() -> None:
    throttle: Throttle[str] = Throttle(3.0)
    shown = [(second, text) for second, text in enumerate("aaabbbbbccdefghh") if throttle.due(text, float(second))]
    assert shown == [(0, "a"), (3, "b"), (8, "c"), (11, "e"), (14, "h")]


async def test_a_take_is_inherited_while_it_is_made(app: App) -> None:
    """The worker that makes it holds an older idea of it, and is not disturbed."""
    queue = app.queue
    await queue.enqueue("ada", request(), 7, reply=reply(1), twice=True)
    first, second = await queue.claim("w1"), await queue.claim("w2")
    assert first is not None
    assert second is not None
    first = await queue.propose(first, proposal())
    await queue.fail(first, "no", retry=False)
    second = await queue.beat(second, "render", 0.5)
    done = await queue.finish(second, track_row(second), lambda: None)
    assert done.state is State.RENDERED
    (row,) = await app.store.messages.open()
    assert row["job_id"] == second.id
    assert app.store.seal.open(second.id, row["sealed_token"]) == "interaction-token-1"


@pytest.mark.parametrize("reason", ["no proposal", "no second take"])
async def test_whoever_cannot_inherit_is_told_what_failed(app: App, reason: str) -> None:
    queue = app.queue
    await queue.enqueue("ada", request(), 7, reply=reply(1), twice=True)
    first, second = await queue.claim("w1"), await queue.claim("w2")
    assert first is not None
    assert second is not None
    if reason == "no second take":
        first = await queue.propose(first, proposal())
        await queue.fail(second, "no", retry=False)
    await queue.fail(first, reason, retry=False)
    (row,) = await app.store.messages.open()
    assert (row["job_id"], row["state"], row["error"]) == (first.id, "failed", reason)
