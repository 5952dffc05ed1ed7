"""Structured logs on standard error, with everything secret taken out on the way.

Libraries that log through the standard library (discord.py, alembic) pass the same redaction.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

_SECRET_KEYS = re.compile(r"token|secret|password|authorization|cookie", re.IGNORECASE)
# Interaction tokens travel in the paths of these two routes; bot tokens after "Bot ".
_SECRET_TEXT = re.compile(r"(/(?:webhooks|interactions)/\d+/|\bBot )[\w.%=-]{16,}")
_MASK = "[secret]"


class Redactor:
    """A structlog processor; the values given at start are masked wherever they occur in the line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 4)

    def text(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, _MASK)
        return _SECRET_TEXT.sub(lambda match: match.group(1) + _MASK, line)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        del logger, method
        for key in event:
            if _SECRET_KEYS.search(key):
                event[key] = _MASK
        return event


def configure_logs(level: str, *, as_json: bool, secrets: Iterable[str] = ()) -> None:
    """Route structlog and the standard library to standard error at this level."""
    redact = Redactor(secrets)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )

    def render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        return redact.text(str(renderer(logger, method, event)))

    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # At debug level discord.py prints whole payloads, tokens included; nobody needs that in a bot's log.
    logging.getLogger("discord").setLevel(max(logging.INFO, root.level))
    for chatty in ("alembic", "aiosqlite", "sqlalchemy", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
