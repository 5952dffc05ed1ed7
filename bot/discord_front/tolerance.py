"""An event that cannot be read is logged and left out; the library would end the connection, and with it the bot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.logs import logger

_NEEDED = frozenset({"READY", "RESUMED"})  # without these there is no session; the library knows what to do
_log = logger(__name__)


def tolerate(parsers: dict[str, Callable[[Any], Any]]) -> None:
    """Wrap the readers of events, by name, so that one that fails does not take the others along."""
    for name, read in list(parsers.items()):
        if name not in _NEEDED:
            parsers[name] = _tolerant(name, read)


def _tolerant(name: str, read: Callable[[Any], Any]) -> Callable[[Any], None]:
    log = _log.bind(event_name=name)

    def tolerant(data: Any) -> None:
        try:
            read(data)
        except Exception:
            log.exception("event cannot be read")

    return tolerant
