"""Random workers, crashes, clocks, raters and forgotten listeners over the real store; the model is what people were
promised: nothing lost, nothing posted twice, nobody served out of turn, one rating of a listener for a piece.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Table, select

from bot.errors import LeaseLost, UserError
from bot.jobs.admission import Limits
from bot.jobs.job import INTERRUPTED, MAX_ATTEMPTS, MAX_POSTS, TERMINAL, Expire, Job, State, TakePost, step
from bot.jobs.queue import Queue
from bot.store import tables
from bot.store.crypto import Seal
from bot.store.database import Database
from bot.store.store import Store
from tests.bot.making import START, proposal, reply, request, track_row

LEASE = timedelta(seconds=30)
LIMITS = Limits(per_listener=3, backlog=6)
LISTENERS = ("ada", "bob", "eve")
COMPOSING = {State.QUEUED, State.RUNNING}


@dataclass
class Held:
    """A worker's or a front's own idea of a job; it may be out of date."""

    job: Job
    posting: bool = False


@dataclass
class Promised:
    """What the model knows of an accepted job."""

    listener: str
    interaction: int | None
    finished: bool = False
    cancelled: bool = False
    posts: int = 0


@dataclass
class Rated:
    """Ratings of one listener for one piece, the newest last: stars and where they came from."""

    given: dict[int, str] = field(default_factory=dict)

    def give(self, stars: int, source: str) -> None:
        if source == "typed":  # takes the place of the one typed before
            self.given = {number: kind for number, kind in self.given.items() if kind != "typed"}
        stays = self.given.pop(stars, None)
        self.given[stars] = "reaction" if stays == "reaction" else source


class Bot(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.Runner()
        self.now = START
        self.jobs: dict[str, Promised] = {}
        self.ratings: dict[tuple[str, str], Rated] = {}
        self.held: list[Held] = []
        self.holder: dict[str, Held] = {}  # whoever took a job last
        self.numbers = itertools.count(1)
        self._connect()
        for number, listener in enumerate((*LISTENERS, "ada")):  # a queue to begin with
            self._submit(listener, 100 + number)
        self._make(self.loop.run(self.queue.claim("first worker")))

    def _make(self, job: Job | None) -> None:
        assert job is not None
        self.loop.run(self.queue.finish(job, track_row(job), lambda: None))
        self.jobs[job.id].finished = True

    def _connect(self) -> None:
        home = Path(self.folder.name)
        self.database = Database(f"sqlite+aiosqlite:///{home}/jobs.db")
        self.loop.run(self.database.__aenter__())
        self.store = Store.over(self.database, Seal.load(home / "key"))
        self.queue = Queue(self.store, limits=LIMITS, lease=LEASE, clock=self._clock, ids=self._id)

    def _clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)  # no two things happen at one moment
        return self.now

    def _id(self) -> str:
        return f"job{next(self.numbers):03}"

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self._let_everything_end()
        finally:
            self.loop.run(self.database.__aexit__())
            self.loop.close()
            self.folder.cleanup()

    def _row(self, job_id: str) -> Job | None:
        return self.loop.run(self.queue.get(job_id))

    def _rows(self) -> dict[str, Job]:
        """The jobs as they are stored."""
        rows = {row["id"]: Job(**{**row, "state": State(row["state"])}) for row in self._select(tables.jobs)}
        assert rows.keys() == self.jobs.keys()  # nothing accepted is lost, nothing else is there
        return rows

    def _select(self, table: Table) -> list[dict[str, Any]]:
        async def read() -> list[dict[str, Any]]:
            async with self.database.read() as tx:
                return [dict(row) for row in (await tx.execute(select(table))).mappings()]

        return self.loop.run(read())

    def _took(self, job: Job, *, posting: bool = False) -> None:
        self.holder[job.id] = Held(job, posting)
        self.held.append(self.holder[job.id])

    def _tracks(self) -> list[str]:
        return sorted(job_id for job_id, promised in self.jobs.items() if promised.finished)

    def _write(self, held: Held, work: Any) -> Job | None:
        """A write succeeds exactly if this worker still holds the job."""
        before = self._row(held.job.id)
        holds = before is not None and before.state is held.job.state and self.holder[held.job.id] is held
        try:
            job: Job = self.loop.run(work)
        except LeaseLost:
            assert not holds
            assert self._row(held.job.id) == before
            return None
        assert holds
        return job

    # Listeners ----------------------------------------------------------------------------------

    @rule(listener=st.sampled_from(LISTENERS), interaction=st.none() | st.integers(1, 8))
    def submit(self, listener: str, interaction: int | None) -> None:
        self._submit(listener, interaction)

    def _submit(self, listener: str, interaction: int | None) -> None:
        answer = None if interaction is None else reply(interaction)
        replayed = interaction is not None and interaction in {one.interaction for one in self.jobs.values()}
        waiting = [self.jobs[job_id].listener for job_id, row in self._rows().items() if row.state in COMPOSING]
        full = waiting.count(listener) >= LIMITS.per_listener or len(waiting) >= LIMITS.backlog
        try:
            job, new = self.loop.run(self.queue.enqueue(listener, request(), 7, reply=answer))
        except UserError:
            assert full
            assert not replayed
            return
        assert new is not replayed
        assert replayed or not full
        if new:
            self.jobs[job.id] = Promised(listener, interaction)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        before = self._rows()[job_id].state
        assert self.loop.run(self.queue.cancel(job_id)) is (before in COMPOSING)
        self.jobs[job_id].cancelled |= before in COMPOSING

    @precondition(lambda self: self._tracks())
    @rule(data=st.data(), listener=st.sampled_from(LISTENERS), stars=st.integers(1, 5), typed=st.booleans())
    def rate(self, data: st.DataObject, listener: str, stars: int, typed: bool) -> None:
        track, source = data.draw(st.sampled_from(self._tracks())), "typed" if typed else "reaction"
        self.loop.run(self.store.ratings.give(listener, track, stars, source=source, now=self._clock()))
        self.ratings.setdefault((listener, track), Rated()).give(stars, source)

    @precondition(lambda self: self.ratings)
    @rule(data=st.data(), stars=st.integers(1, 5))
    def withdraw(self, data: st.DataObject, stars: int) -> None:
        listener, track = data.draw(st.sampled_from(sorted(self.ratings)))
        rated = self.ratings[listener, track]
        assert self.loop.run(self.store.ratings.withdraw(listener, track, stars)) is (stars in rated.given)
        rated.given.pop(stars, None)

    @rule(listener=st.sampled_from(LISTENERS), meant=st.integers(0, 9))
    def forget(self, listener: str, meant: int) -> None:
        if meant:  # seldom, or there would be nothing to forget
            return
        self.loop.run(self.store.everything.forget(listener))
        gone = {job_id for job_id, promised in self.jobs.items() if promised.listener == listener}
        self.jobs = {job_id: promised for job_id, promised in self.jobs.items() if job_id not in gone}
        self.ratings = {key: one for key, one in self.ratings.items() if key[0] != listener and key[1] not in gone}
        assert not any(self.loop.run(self.store.everything.of_listener(listener)).values())
        assert all(self._row(job_id) is None for job_id in gone)

    # Workers ------------------------------------------------------------------------------------

    @rule()
    def lease(self) -> None:
        before = self._rows()
        job = self.loop.run(self.queue.claim("worker"))
        queued = {self.jobs[job_id].listener for job_id, row in before.items() if row.state is State.QUEUED}
        assert (job is None) is (not queued)
        if job is None:
            return
        assert job.state is State.RUNNING
        turns = {listener: self._turn(before, listener) for listener in queued}
        assert turns[job.listener_id] == min(turns.values())  # round robin
        older = [row for row in before.values() if row.listener_id == job.listener_id and row.state is State.QUEUED]
        assert job.id == min(older, key=lambda row: row.created_at).id
        self._took(job)

    @staticmethod
    def _turn(rows: dict[str, Job], listener: str) -> tuple[int, float]:
        """How many jobs of a listener run, and when they were served last."""
        mine = [row for row in rows.values() if row.listener_id == listener]
        served = [row.claimed_at.timestamp() for row in mine if row.claimed_at is not None]
        return sum(row.state is State.RUNNING for row in mine), max(served, default=0.0)

    @precondition(lambda self: any(not held.posting for held in self.held))
    @rule(data=st.data(), fraction=st.floats(0, 1))
    def heartbeat(self, data: st.DataObject, fraction: float) -> None:
        held = data.draw(st.sampled_from([held for held in self.held if not held.posting]))
        job = self._write(held, self.queue.beat(held.job, "render", fraction))
        if job is not None:
            assert job.fraction >= held.job.fraction
            held.job = job

    @precondition(lambda self: any(not held.posting for held in self.held))
    @rule(
        data=st.data(),
        ending=st.sampled_from(["finish", "finish", "finish", "retry", "fail", "release", "crash", "propose"]),
    )
    def stage_ends(self, data: st.DataObject, ending: str) -> None:
        held = data.draw(st.sampled_from([held for held in self.held if not held.posting]))
        match ending:
            case "finish":
                if self._write(held, self.queue.finish(held.job, track_row(held.job), lambda: None)) is not None:
                    assert not self.jobs[held.job.id].finished
                    self.jobs[held.job.id].finished = True
            case "propose":
                held.job = self._write(held, self.queue.propose(held.job, proposal())) or held.job
                return
            case "release":
                self._write(held, self.queue.release(held.job))
            case "retry" | "fail":
                self._write(held, self.queue.fail(held.job, "broken", retry=ending == "retry"))
        if data.draw(st.integers(0, 3)) == 0:  # else a zombie keeps thinking it holds the job
            self.held.remove(held)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def silent(self, data: st.DataObject) -> None:
        """A worker says nothing until its job is another's, and then speaks again."""
        held = data.draw(st.sampled_from(self.held))
        self.now += 2 * LEASE
        self.loop.run(self.queue.expire())
        if held.posting:
            job = self.loop.run(self.queue.take_post(held.job.id, "successor"))
        else:
            job = self.loop.run(self.queue.claim("successor", only=held.job.id))
        if job is not None:
            self._took(job, posting=held.posting)

    @precondition(lambda self: self._tracks())
    @rule(data=st.data())
    def take_post(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._tracks()))
        before = self._rows()[job_id]
        job = self.loop.run(self.queue.take_post(job_id, "front"))
        due = before.not_before is None or before.not_before <= self.now
        assert (job is not None) is (before.state is State.RENDERED and due)
        if job is not None:
            assert self.jobs[job_id].interaction is not None
            self._took(job, posting=True)

    @precondition(lambda self: any(held.posting for held in self.held))
    @rule(data=st.data(), ending=st.sampled_from(["posted", "posted", "later", "refused", "crash"]))
    def post_ends(self, data: st.DataObject, ending: str) -> None:
        held = data.draw(st.sampled_from([held for held in self.held if held.posting]))
        if ending == "posted":
            message = f"m{held.job.id}{held.job.fence}"
            if self._write(held, self.queue.posted(held.job, message, "7")) is not None:
                self.jobs[held.job.id].posts += 1
        elif ending != "crash":
            self._write(held, self.queue.put_back(held.job, "away", final=ending == "refused"))
        if data.draw(st.integers(0, 3)) == 0:
            self.held.remove(held)

    # Time ---------------------------------------------------------------------------------------

    @rule(what=st.sampled_from(["a second", "a lease", "sweep", "sweep", "restart"]))
    def meanwhile(self, what: str) -> None:
        if what == "restart":
            self.loop.run(self.database.__aexit__())
            self._connect()
        elif what == "sweep":
            moment = self.now
            self.loop.run(self.queue.expire())
            assert all(row.lease_until is None or row.lease_until >= moment for row in self._rows().values())
        else:
            self.now += LEASE if what == "a lease" else timedelta(seconds=1)

    def _let_everything_end(self) -> None:
        """Whatever happened before: workers that live bring every job to an end, and each piece to one post."""
        for _ in range(12):
            self.now += timedelta(minutes=5)
            self.loop.run(self.queue.expire())
            while (job := self.loop.run(self.queue.claim("last worker"))) is not None:
                self._make(job)
            for job_id in self._tracks():
                job = self.loop.run(self.queue.take_post(job_id, "last front"))
                if job is not None:
                    self.loop.run(self.queue.posted(job, f"last{job.id}", "7"))
                    self.jobs[job_id].posts += 1
        rows = self._rows()
        assert {job_id for job_id, row in rows.items() if row.state not in TERMINAL} == set()
        for job_id, promised in self.jobs.items():
            owed = promised.finished and promised.interaction is not None and rows[job_id].state is State.DONE
            assert promised.posts == int(owed)

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "jobs"):
            return
        rows = self._rows()
        made = {row["id"] for row in self._select(tables.tracks)}
        running = Counter(row.listener_id for row in rows.values() if row.state in COMPOSING)
        assert all(count <= LIMITS.per_listener for count in running.values())
        for job_id, promised in self.jobs.items():
            row = rows[job_id]
            assert row.attempts <= MAX_ATTEMPTS
            assert row.posts <= MAX_POSTS + 1
            assert promised.posts <= 1
            assert (job_id in made) is promised.finished
            assert not (promised.finished and row.state in COMPOSING | {State.CANCELLED})
            assert not (promised.cancelled and row.state is not State.CANCELLED)
            assert not (promised.posts and row.state is not State.DONE)
            assert (row.worker is None) is (row.state not in {State.RUNNING, State.POSTING})

    @invariant()
    def one_rating_of_a_listener_for_a_piece(self) -> None:
        if not hasattr(self, "jobs"):
            return
        for listener in {who for who, _ in self.ratings}:
            rows = self.loop.run(self.store.ratings.of_listener(listener))
            mine = {
                track: list(rated.given)[-1]
                for (who, track), rated in self.ratings.items()
                if who == listener and rated.given
            }
            assert {row["track_id"]: row["stars"] for row in rows} == mine
            assert len(rows) == len(mine)


Bot.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_bot = Bot.TestCase


def test_a_post_that_is_interrupted_again_and_again_ends() -> None:
    """Killed while posting, every time: the job must not stay where nobody may take it any more."""
    job = Job("j", "ada", request(), 7, wants_post=True, created_at=START, updated_at=START, state=State.RENDERED)
    now = START
    while not job.finished:
        job = step(job, TakePost("front", LEASE), now)
        now += 2 * LEASE
        job = step(job, Expire(), now)
    assert (job.state, job.error, job.posts) == (State.FAILED, INTERRUPTED, MAX_POSTS + 1)
