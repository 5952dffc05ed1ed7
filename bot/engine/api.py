"""What an engine is: something that turns orders into tracks elsewhere, and can be watched and stopped.

Knows no jobs, no listeners and no queue. Whoever implements `Engine` passes `tests/bot/engine_contract.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Order:
    """Everything a worker process needs, as JSON values; the files end up in `out_dir`."""

    track_id: str
    brief: dict[str, Any]
    out_dir: str
    takes: int
    ranker: dict[str, Any] | None = None
    soundfont: str | None = None
    delivery: dict[str, Any] = field(default_factory=dict)
    """Of `generator.produce.delivery.Delivery`; what it leaves out is as usual."""
    parent: str | None = None
    """The folder of the piece to change; None composes a new one."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Of `generator.edit.changes.Changes`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`fraction` of the whole, 0 … 1, never going back within one order."""

    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Finished:
    """`track` is `generator.pipeline.Track.to_dict()`."""

    track: dict[str, Any]


class Engine(Protocol):
    @property
    def slots(self) -> int:
        """How many orders are worked on at once."""

    async def warm_up(self) -> None:
        """Start the workers, so that the first order does not wait for imports; optional."""

    async def submit(self, order: Order) -> str:
        """Accept an order at once and return its ticket; it starts when a slot is free."""

    def events(self, ticket: str) -> AsyncIterator[Progress | Finished]:
        """What happens to the order, once; ends after Finished.

        Raises EngineError with the sentence for the person when the piece cannot be made, PieceRefused when it
        was made and failed its checks, EngineLost when the worker died under it, JobCancelled when it was stopped.
        """

    async def cancel(self, ticket: str) -> None:
        """Stop the order within two seconds; nothing happens when it is over already."""

    async def close(self) -> None:
        """Stop everything; when this returns no worker process is left."""
