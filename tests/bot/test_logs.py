"""Logs go to standard error and never hold a secret, whoever wrote them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from bot.logs import configure_logs, logger

CANARY = "canary-0123456789"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_masked_in_every_position(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    configure_logs("debug", as_json=as_json, secrets=[CANARY])
    log = logger("bot.test")
    log.info("a token", token="abc-plain-token")
    log.info(f"in the text {CANARY}", other=[CANARY])  # noqa: G004 - it happens
    log.warning("url", url="https://discord.com/api/v10/webhooks/123/aW50ZXJhY3Rpb246MTIz.x-y_z/messages/@original")
    logging.getLogger("discord.http").warning("sent with Bot MTIzNDU2Nzg5MDEyMzQ1Njc4.abc.def to %s", CANARY)
    try:
        int(CANARY)
    except ValueError:
        log.exception("failed")
    captured = capsys.readouterr()
    assert captured.out == ""
    for secret in (CANARY, "abc-plain-token", "aW50ZXJhY3Rpb246", "MTIzNDU2"):
        assert secret not in captured.err
    assert captured.err.count("[secret]") >= 5


def test_the_chat_library_never_logs_payloads(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("debug", as_json=True)
    logging.getLogger("discord.gateway").debug("whole payloads")
    logging.getLogger("discord.client").info("connected")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["connected"]
