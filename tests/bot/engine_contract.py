"""What every engine promises; a test module subclasses this and gives an `engine` fixture.

The engine must compose with `tests.fakes.composer`, whose misbehaviour is chosen by words in the brief's text.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bot.engine.api import Engine, Finished, Order, Progress
from bot.errors import EngineError, EngineLost, JobCancelled
from tests.bot.making import brief


class EngineContract:
    def order(self, folder: Path, text: str = "chill", track_id: str = "abc") -> Order:
        return Order(track_id, brief(text).to_dict(), str(folder / track_id), takes=2)

    async def follow(self, engine: Engine, order: Order) -> tuple[list[Progress], Finished]:
        progress: list[Progress] = []
        async for event in engine.events(await engine.submit(order)):
            if isinstance(event, Finished):
                return progress, event
            progress.append(event)
        raise AssertionError("the engine ended without a piece")

    async def test_a_piece_comes_out_and_progress_never_goes_back(self, engine: Engine, tmp_path: Path) -> None:
        progress, finished = await self.follow(engine, self.order(tmp_path))
        fractions = [event.fraction for event in progress]
        assert fractions == sorted(fractions)
        assert (progress[0].stage, fractions[-1]) == ("compose", 1.0)
        assert finished.track["track_id"] == "abc"
        assert (tmp_path / "abc" / "track.mp3").stat().st_size > 1000

    async def test_refusals_arrive_as_their_sentence(self, engine: Engine, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match="did not pass its checks") as caught:
            await self.follow(engine, self.order(tmp_path, "fakerefuse"))
        assert not isinstance(caught.value, EngineLost)
        with pytest.raises(EngineError, match="mistake of ours"):
            await self.follow(engine, self.order(tmp_path, "fakebug"))
        with pytest.raises(EngineError, match="Permission denied"):
            await self.follow(engine, self.order(tmp_path, "fakedisk"))
        await self.follow(engine, self.order(tmp_path))  # and the engine goes on

    async def test_a_killed_worker_is_an_engine_error_and_the_next_order_works(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        with pytest.raises(EngineLost):
            await self.follow(engine, self.order(tmp_path, "fakedie"))
        await self.follow(engine, self.order(tmp_path))

    async def test_cancel_takes_less_than_two_seconds(self, engine: Engine, tmp_path: Path) -> None:
        ticket = await engine.submit(self.order(tmp_path, "fakeslow"))
        events = engine.events(ticket)
        await anext(events)
        started = time.monotonic()
        await engine.cancel(ticket)
        with pytest.raises(JobCancelled):
            async for _ in events:
                pass
        assert time.monotonic() - started < 2.0
        await engine.cancel(ticket)  # over already: nothing happens
        await self.follow(engine, self.order(tmp_path))

    async def test_more_orders_than_slots_wait_their_turn(self, engine: Engine, tmp_path: Path) -> None:
        orders = [self.order(tmp_path, track_id=f"t{number}") for number in range(4)]
        done = await asyncio.gather(*(self.follow(engine, order) for order in orders))
        assert sorted(finished.track["track_id"] for _, finished in done) == ["t0", "t1", "t2", "t3"]

    async def test_close_stops_what_runs_and_refuses_what_comes(self, engine: Engine, tmp_path: Path) -> None:
        ticket = await engine.submit(self.order(tmp_path, "fakeslow"))
        events = engine.events(ticket)
        await anext(events)
        await engine.close()
        with pytest.raises(JobCancelled):
            async for _ in events:
                pass
        with pytest.raises(EngineError, match="shutting down"):
            await engine.submit(self.order(tmp_path))
