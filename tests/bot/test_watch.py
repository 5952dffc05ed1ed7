"""What an operator's monitor sees: health turns with the chat and the database, figures are those of the store."""

from __future__ import annotations

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.app import App
from bot.errors import StoreError
from bot.web.server import serving
from bot.web.watch import watch
from tests.bot.making import finished, request


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_figures_are_those_of_the_store(app: App) -> None:
    job = await finished(app.queue, "ada")
    await app.service.rate("ada", job.id, 4)
    await app.queue.enqueue("bea", request("a secret wish"), 7)
    async with serving(watch(app.store, lambda: True), 0) as port:
        status, text = await get(port, "/metrics")
    assert status == 200
    found = {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }  # fmt: skip
    assert found["tunesmith_jobs", "queued"] == 1
    assert found["tunesmith_jobs", "running"] == 0
    assert found["tunesmith_tracks", ""] == found["tunesmith_ratings", ""] == 1
    assert found["tunesmith_listeners", ""] == 2
    assert found["tunesmith_oldest_queued_seconds", ""] >= 0
    assert found["tunesmith_chat_connected", ""] == 1
    assert not any(name in text for name in ("ada", "bea", "secret"))


async def test_health_says_what_is_wrong(app: App) -> None:
    state = {"chat": True}
    async with serving(watch(app.store, lambda: state["chat"]), 0) as port:
        assert (await get(port, "/health"))[0] == 200
        state["chat"] = False
        status, text = await get(port, "/health")
        assert (status, '"chat": false' in text) == (503, True)


async def test_a_port_that_is_taken_is_told_in_a_sentence(app: App) -> None:
    async with serving(watch(app.store, lambda: True), 0) as port:
        with pytest.raises(StoreError, match=f"Port {port}"):
            async with serving({}, port):
                pass
