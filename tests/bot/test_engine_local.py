"""The local engine: the contract, and what is true of processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.engine.local import LocalEngine, child_command
from bot.errors import EngineError
from bot.settings import child_environment, load_settings
from tests.bot.conftest import COMPOSER
from tests.bot.engine_contract import EngineContract


def children() -> set[int]:
    """Live child processes of this one that are workers."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and state != "Z" and b"bot.engine.child" in command:
            found.add(int(entry.name))
    return found


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    made = LocalEngine(child_command(COMPOSER), child_environment(load_settings()), slots=2)
    yield made
    await made.close()
    assert children() == set()


class TestLocalEngine(EngineContract):
    async def test_workers_stay_warm_between_orders(self, engine: LocalEngine, tmp_path: Path) -> None:
        await engine.warm_up()
        before = children()
        assert len(before) == 2
        for number in range(4):
            await self.follow(engine, self.order(tmp_path, track_id=f"t{number}"))
        assert children() == before

    async def test_an_idle_worker_that_died_is_replaced(self, engine: LocalEngine, tmp_path: Path) -> None:
        await engine.warm_up()
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        while children():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await self.follow(engine, self.order(tmp_path))

    async def test_an_order_is_stopped_also_after_its_watcher(self, engine: LocalEngine, tmp_path: Path) -> None:
        ticket = await engine.submit(self.order(tmp_path, "fakeslower"))
        seen = asyncio.Event()

        async def watch() -> None:
            async for _ in engine.events(ticket):
                seen.set()

        watching = asyncio.create_task(watch())
        await seen.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.gather(engine.cancel(ticket), engine.cancel(ticket))  # and twice at once
        assert children() == set()

    async def test_a_composer_that_cannot_be_imported_is_an_error(self, tmp_path: Path) -> None:
        broken = LocalEngine(child_command("no.such:thing"), child_environment(load_settings()))
        with pytest.raises(EngineError, match="ended unexpectedly"):
            await self.follow(broken, self.order(tmp_path))
        await broken.close()

    async def test_workers_do_not_outlive_a_killed_parent(self, tmp_path: Path) -> None:
        script = (
            "import asyncio, os\n"
            "from bot.engine.local import LocalEngine, child_command\n"
            "async def main():\n"
            f"    engine = LocalEngine(child_command({COMPOSER!r}), os.environ)\n"
            "    await engine.warm_up()\n"
            "    print(engine._idle[0]._process.pid, flush=True)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
        assert parent.stdout is not None
        try:
            child = int(await parent.stdout.readline())
        finally:
            parent.kill()
            await parent.communicate()
        async with asyncio.timeout(5):
            while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text():
                await asyncio.sleep(0.02)
