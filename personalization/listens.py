"""Listening histories as plain values, what may become of them, and the protocol of the services they come from.

Evidence has a class. A `Listen` may be kept and counted; what Spotify's interface answers is a `Shown`: it can be shown
with a link back and nothing else, so no function that stores, counts or learns takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

MIN_PLAY_MS = 30_000
SURE_PLAY_MS = 240_000


class Source(StrEnum):
    """Where evidence comes from."""

    SELF = "self"
    SPOTIFY = "spotify"
    SPOTIFY_EXPORT = "spotify_export"
    SPOTIFY_ACCOUNT = "spotify_account"
    LISTENBRAINZ = "listenbrainz"
    LASTFM = "lastfm"
    APPLE = "apple_export"

    @property
    def storable(self) -> bool:
        """Whether what it says may be kept: Spotify's developer terms forbid it of their interface's answers."""
        return self is not Source.SPOTIFY

    @property
    def trainable(self) -> bool:
        """Whether it may reach a taste model: only what listeners say of themselves. Plays are counted, no more."""
        return self is Source.SELF


class HistoryError(ValueError):
    """Raised for a history that cannot be read; the message is one sentence for the person."""


class UnknownUser(HistoryError):
    """Raised when the service knows nobody of that name."""


class PrivateUser(HistoryError):
    """Raised when the listener keeps their history to themselves."""


class NotAllowed(HistoryError):
    """Raised when the service refuses us: a wrong or suspended key, an account that is not on the list."""


class Throttled(HistoryError):
    """Raised when we asked too much. `retry_after_s` is how long the service wants to be left alone."""

    def __init__(self, sentence: str, retry_after_s: float) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class Unreachable(HistoryError):
    """Raised when the service is down, too slow, or answers with something else than data."""


@dataclass(frozen=True, slots=True)
class Listen:
    """One play that may be kept. `played_at` is aware UTC; `ms_played` is None where the source does not say.

    Raises ValueError for a source whose answers may not be kept.
    """

    source: Source
    played_at: datetime
    artist: str
    title: str
    album: str | None = None
    ms_played: int | None = None
    genres: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.source.storable:
            raise ValueError(f"plays from {self.source} are shown, never kept")


@dataclass(frozen=True, slots=True)
class Shown:
    """Something a service lets us show and not keep; `link` leads back to it. `played_at` is None in a top list."""

    artist: str
    title: str | None
    link: str
    played_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Favourite:
    """An artist much listened to; `plays` is None where the service only ranks. `genres` as the service names them."""

    artist: str
    plays: int | None = None
    genres: tuple[str, ...] = ()
    link: str | None = None


Play_co = TypeVar("Play_co", bound=Listen | Shown, covariant=True)


class HistorySource(Protocol[Play_co]):
    """A service that knows what somebody listens to. Nothing here blocks the event loop.

    Every method raises UnknownUser, PrivateUser, NotAllowed, Throttled or Unreachable, with one sentence.
    """

    @property
    def source(self) -> Source:
        """The class of evidence it gives."""
        ...

    async def recent(self, since: datetime | None = None, limit: int = 1000) -> Sequence[Play_co]:
        """At most `limit` plays after `since`, the newest first."""
        ...

    async def favourites(self, limit: int = 50) -> Sequence[Favourite]:
        """The artists most listened to, the most played first."""
        ...

    async def close(self) -> None:
        """Give back what is open; the source is not used afterwards."""
        ...


def counts_as_play(ms_played: int | None, length_ms: int | None = None) -> bool:
    """The scrobbling rule of ListenBrainz and Last.fm: under 30 s no, 4 minutes yes, else more than half.

    With no length known, 30 s are enough; with no playing time known, the source has already decided.
    """
    if ms_played is None:
        return True
    if ms_played < MIN_PLAY_MS:
        return False
    return ms_played >= SURE_PLAY_MS or length_ms is None or ms_played > length_ms / 2
