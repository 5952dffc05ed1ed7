"""One play in a listening history, and which plays count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MIN_PLAY_MS = 30_000
SURE_PLAY_MS = 240_000


class HistoryError(ValueError):
    """Raised for a history file that cannot be used; the message is one sentence for the person."""


@dataclass(frozen=True, slots=True)
class Listen:
    """One play. `played_at` is when it ended, aware UTC; `ms_played` is None where the source does not say."""

    source: str
    played_at: datetime
    artist: str
    title: str
    album: str | None = None
    ms_played: int | None = None
    genres: tuple[str, ...] = ()


def counts_as_play(ms_played: int | None, length_ms: int | None = None) -> bool:
    """The scrobbling rule of ListenBrainz and Last.fm: under 30 s no, 4 minutes yes, else more than half.

    With no length known, 30 s are enough; with no playing time known, the source has already decided.
    """
    if ms_played is None:
        return True
    if ms_played < MIN_PLAY_MS:
        return False
    return ms_played >= SURE_PLAY_MS or length_ms is None or ms_played > length_ms / 2
