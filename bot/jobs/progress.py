"""How often a person is told how far a piece is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Shown = TypeVar("Shown")


@dataclass(slots=True)
class Throttle(Generic[Shown]):
    """Lets a value through only when it changed, and never twice within `interval_s`; the last one wins."""

    interval_s: float = 3.0
    _last: Shown | None = None
    _at: float = field(default=float("-inf"))

    def due(self, value: Shown, now_s: float) -> bool:
        """Whether to show `value` at `now_s` (any monotonic clock); remembers it as shown if so."""
        if value == self._last or now_s - self._at < self.interval_s:
            return False
        self._last = value
        self._at = now_s
        return True
