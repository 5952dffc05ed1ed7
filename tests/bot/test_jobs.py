"""The job machine against the real store: nothing lost, one result at most, only the holder writes."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.app import App
from bot.errors import LeaseLost, UserError
from bot.jobs.admission import Limits
from bot.jobs.job import MAX_ATTEMPTS, MAX_POSTS, Claim, Finish, IllegalMove, Job, Posted, State, step
from bot.jobs.progress import Throttle
from bot.jobs.queue import Queue
from bot.store.crypto import Seal
from bot.store.database import Database
from bot.store.store import Store
from tests.bot.making import START, finished, proposal, reply, request, track_row

LEASE = timedelta(seconds=30)


@dataclass
class Held:
    """A worker's own idea of a job; it may be out of date."""

    job: Job
    posting: bool = False


class Ledger(RuleBasedStateMachine):
    """Random workers, crashes and clocks; the model is what a person was promised."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.Runner()
        self.now = START
        self.accepted: dict[str, int | None] = {}
        self.finished: set[str] = set()
        self.posted: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.held: list[Held] = []
        self.numbers = itertools.count(1)
        self._connect()

    def _connect(self) -> None:
        home = Path(self.folder.name)
        self.database = Database(f"sqlite+aiosqlite:///{home}/jobs.db")
        self.loop.run(self.database.__aenter__())
        self.store = Store.over(self.database, Seal.load(home / "key"))
        limits = Limits(per_listener=1000, backlog=1000)
        self.queue = Queue(self.store, limits=limits, lease=LEASE, clock=lambda: self.now, ids=self._id)

    def _id(self) -> str:
        return f"job{next(self.numbers):03}"

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run(self.database.__aexit__())
            self.loop.close()
            self.folder.cleanup()

    def _row(self, job_id: str) -> Job:
        job = self.loop.run(self.queue.get(job_id))
        assert job is not None
        return job

    def _holds(self, held: Held) -> bool:
        row = self._row(held.job.id)
        return row.fence == held.job.fence and row.state == held.job.state

    def _write(self, held: Held, work: object) -> Job | None:
        """A write succeeds exactly if this worker still holds the job."""
        holds = self._holds(held)
        before = self._row(held.job.id)
        try:
            job = self.loop.run(work)  # type: ignore[arg-type]
        except LeaseLost:
            assert not holds
            assert self._row(held.job.id) == before
            return None
        assert holds
        return job

    @rule(listener=st.sampled_from(["ada", "bob", "eve"]), interaction=st.none() | st.integers(1, 6))
    def ask(self, listener: str, interaction: int | None) -> None:
        answer = None if interaction is None else reply(interaction)
        job, new = self.loop.run(self.queue.enqueue(listener, request(), 7, reply=answer))
        replayed = interaction is not None and interaction in self.accepted.values()
        assert new is not replayed
        if new:
            self.accepted[job.id] = interaction

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def claim(self, worker: str) -> None:
        job = self.loop.run(self.queue.claim(worker))
        if job is not None:
            assert job.state is State.RUNNING
            self.held.append(Held(job))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), fraction=st.floats(0, 1))
    def beat(self, data: st.DataObject, fraction: float) -> None:
        held = data.draw(st.sampled_from([h for h in self.held if not h.posting] or self.held))
        if not held.posting:
            job = self._write(held, self.queue.beat(held.job, "render", fraction))
            if job is not None:
                assert job.fraction >= held.job.fraction
                held.job = job

    @precondition(lambda self: self.held)
    @rule(data=st.data(), ending=st.sampled_from(["finish", "retry", "fail", "release", "crash", "propose"]))
    def end(self, data: st.DataObject, ending: str) -> None:
        held = data.draw(st.sampled_from(self.held))
        if held.posting:
            return
        match ending:
            case "finish":
                work = self.queue.finish(held.job, track_row(held.job), lambda: None)
                if self._write(held, work) is not None:
                    assert held.job.id not in self.finished
                    self.finished.add(held.job.id)
            case "propose":
                job = self._write(held, self.queue.propose(held.job, proposal()))
                held.job = job or held.job
                return
            case "release":
                self._write(held, self.queue.release(held.job))
            case "crash":
                pass
            case _:
                self._write(held, self.queue.fail(held.job, "broken", retry=ending == "retry"))
        if data.draw(st.booleans()):  # a zombie keeps thinking it holds the job
            self.held.remove(held)

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def take_post(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.finished)))
        job = self.loop.run(self.queue.take_post(job_id, "front"))
        if job is not None:
            assert self.accepted[job_id] is not None
            self.held.append(Held(job, posting=True))

    @precondition(lambda self: any(held.posting for held in self.held))
    @rule(data=st.data(), ending=st.sampled_from(["posted", "later", "refused", "crash"]))
    def end_post(self, data: st.DataObject, ending: str) -> None:
        held = data.draw(st.sampled_from([held for held in self.held if held.posting]))
        if ending == "posted":
            message = f"m{held.job.id}{held.job.fence}"
            if self._write(held, self.queue.posted(held.job, message, "7")) is not None:
                self.posted[held.job.id] = self.posted.get(held.job.id, 0) + 1
        elif ending != "crash":
            self._write(held, self.queue.put_back(held.job, "away", final=ending == "refused"))
        if data.draw(st.booleans()):
            self.held.remove(held)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.accepted)))
        before = self._row(job_id).state
        if self.loop.run(self.queue.cancel(job_id)):
            assert before in {State.QUEUED, State.RUNNING}
            self.cancelled.add(job_id)

    @rule(seconds=st.sampled_from([1, 20, 31, 100]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def expire(self) -> None:
        self.loop.run(self.queue.expire())
        for job_id in self.accepted:
            row = self._row(job_id)
            assert row.lease_until is None or row.lease_until >= self.now

    @rule()
    def restart(self) -> None:
        self.loop.run(self.database.__aexit__())
        self._connect()

    @invariant()
    def promises_hold(self) -> None:
        for job_id in getattr(self, "accepted", {}):
            row = self._row(job_id)  # nothing accepted is lost
            assert row.attempts <= MAX_ATTEMPTS
            assert row.posts <= MAX_POSTS
            assert self.posted.get(job_id, 0) <= 1
            track = self.loop.run(self.store.tracks.get(job_id))
            assert (track is not None) is (job_id in self.finished)
            if job_id in self.finished:
                assert row.state not in {State.QUEUED, State.RUNNING, State.CANCELLED}
            if job_id in self.cancelled:
                assert row.state is State.CANCELLED
            if job_id in self.posted:
                assert row.state is State.DONE
            assert (row.worker is None) is (row.state not in {State.RUNNING, State.POSTING})


Ledger.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_ledger = Ledger.TestCase


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
