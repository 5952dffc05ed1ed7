"""What each kind of export looks like and what a record of it says; what it is, its keys say.

Only time, artist, title, album, playing time and tags are taken: addresses, devices and countries are dropped here,
private sessions are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from personalization.listens import Listen, Source, counts_as_play
from personalization.sources.records import Record

DAY_MS = 86_400_000  # no play lasts longer, whatever a file says
_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)

UNNAMED = "podcast or unnamed"
PRIVATE = "private session"
SHORT = "played under 30 s"
NO_TIME = "no time"
NO_END = "not the end of a play"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of export. `read` gives the play of a record, or the reason why it counts as none; records that have
    all of `keys` are read by it. `note` is said to whoever sends one."""

    source: Source
    name: str
    keys: frozenset[str]
    read: Callable[[Record], Listen | str]
    note: str | None = None


def _spotify(row: Record) -> Listen | str:
    """A row of the extended history; every key may be null or absent."""
    artist, title = _name(row.get("master_metadata_album_artist_name")), _name(row.get("master_metadata_track_name"))
    if not (artist and title):
        return UNNAMED
    if row.get("incognito_mode") is True:
        return PRIVATE
    ms_played = row["ms_played"]
    if not _is_whole(ms_played) or not counts_as_play(ms_played):
        return SHORT
    played_at = moment(row["ts"])
    if played_at is None:
        return NO_TIME
    album = _name(row.get("master_metadata_album_album_name"))
    return Listen(Source.SPOTIFY_EXPORT, played_at, artist, title, album, min(ms_played, DAY_MS))


def _spotify_account(row: Record) -> Listen | str:
    artist, title = _name(row["artistName"]), _name(row["trackName"])
    if not (artist and title):
        return UNNAMED
    ms_played = row["msPlayed"]
    if not _is_whole(ms_played) or not counts_as_play(ms_played):
        return SHORT
    played_at = moment(row["endTime"])
    return (
        Listen(Source.SPOTIFY_ACCOUNT, played_at, artist, title, None, min(ms_played, DAY_MS)) if played_at else NO_TIME
    )


def _listenbrainz(row: Record) -> Listen | str:
    return listenbrainz_listen(row) or (NO_TIME if moment(row["listened_at"]) is None else UNNAMED)


def listenbrainz_listen(row: Record) -> Listen | None:
    """A listen as ListenBrainz writes it, in exports and in answers alike; None when it has no time or no names."""
    metadata = row.get("track_metadata")
    if not isinstance(metadata, dict):
        return None
    artist, title = _name(metadata.get("artist_name")), _name(metadata.get("track_name"))
    played_at = moment(row.get("listened_at"))
    if not (artist and title and played_at):
        return None
    extra = metadata.get("additional_info")
    tags = extra.get("tags") if isinstance(extra, dict) else None
    genres = tuple(name for tag in tags if (name := _name(tag))) if isinstance(tags, list) else ()
    return Listen(
        Source.LISTENBRAINZ, played_at, artist, title, _name(metadata.get("release_name")), None, genres
    )  # fmt: skip


def _lastfm_json(row: Record) -> Listen | str:
    """A scrobble as Last.fm's interface gives it; what plays right now has no date."""
    date = row["date"]
    return _scrobble(
        _hash_text(row["artist"]),
        row["name"],
        _hash_text(row.get("album")),
        moment(_number(date.get("uts"))) if isinstance(date, dict) else None,
    )


def _lastfm_csv(row: Record) -> Listen | str:
    return _scrobble(row["artist"], row["track"], row.get("album"), moment(_number(row["uts"])))


def _lastfm_plain(row: Record) -> Listen | str:
    """The exporter without a header: artist, album, title, "31 Dec 2025 12:34"."""
    try:
        played_at = datetime.strptime(row["3"].strip(), "%d %b %Y %H:%M").replace(tzinfo=UTC)
    except ValueError:
        return NO_TIME
    return _scrobble(row["0"], row["2"], row["1"], moment(played_at.isoformat()))


def _scrobble(artist: object, title: object, album: object, played_at: datetime | None) -> Listen | str:
    artist, title = _name(artist), _name(title)
    if not (artist and title):
        return UNNAMED
    return Listen(Source.LASTFM, played_at, artist, title, _name(album)) if played_at else NO_TIME


def _apple(row: Record) -> Listen | str:
    """A row of Play Activity: one for every start, end and pause; the artist is often missing."""
    if row["event type"] not in ("PLAY_END", ""):
        return NO_END
    artist = _name(row.get("container artist name")) or _name(row.get("artist name"))
    title = _name(row["song name"])
    if not (artist and title):
        return UNNAMED
    played_ms, length_ms = (
        _number(row["play duration milliseconds"]),
        _number(row.get("media duration in milliseconds")),
    )
    if played_ms is None or not counts_as_play(int(played_ms), int(length_ms) if length_ms else None):
        return SHORT
    played_at = moment(row["event start timestamp"])
    return (
        Listen(Source.APPLE, played_at, artist, title, _name(row.get("album name")), min(int(played_ms), DAY_MS))
        if played_at
        else NO_TIME
    )


FORMATS = (
    Format(Source.SPOTIFY_EXPORT, "Spotify extended streaming history", frozenset({"ts", "ms_played"}), _spotify),
    Format(
        Source.SPOTIFY_ACCOUNT,
        "Spotify account data",
        frozenset({"endTime", "artistName", "trackName", "msPlayed"}),
        _spotify_account,
        "This is Spotify’s “Account data” package, which has the last year only; the “Extended streaming history” "
        "has everything since you joined.",
    ),
    Format(Source.LISTENBRAINZ, "ListenBrainz export", frozenset({"listened_at", "track_metadata"}), _listenbrainz),
    Format(Source.LASTFM, "Last.fm export", frozenset({"uts", "artist", "track"}), _lastfm_csv),
    Format(Source.LASTFM, "Last.fm export", frozenset({"artist", "name", "date"}), _lastfm_json),
    Format(Source.LASTFM, "Last.fm export", frozenset("0123"), _lastfm_plain),
    Format(
        Source.APPLE,
        "Apple Music play activity",
        frozenset({"song name", "event type", "event start timestamp", "play duration milliseconds"}),
        _apple,
    ),
)  # fmt: skip

# Keys of files that people send by mistake -> what it is and what to send instead.
WRONG: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"score", "recording_msid"}), "ListenBrainz feedback; send the whole export with its listens folder"),
    (frozenset({"playlists"}), "Spotify playlists; send the streaming history files of the same package"),
    (frozenset({"tracks", "albums"}), "your Spotify library; send the streaming history files of the same package"),
    (frozenset({"username", "country"}), "Spotify’s account details; send the streaming history files instead"),
    (frozenset({"timestamp_utc", "context_time"}), "Spotify’s technical log; ask for the extended streaming history"),
    (frozenset({"header", "titleurl"}), "a Google (YouTube) history, which I cannot read"),
    (frozenset({"header", "titleUrl"}), "a Google (YouTube) history, which I cannot read"),
    (
        frozenset({"track description", "date played"}),
        "Apple’s daily play history; send “Apple Music Play Activity.csv”",
    ),
)


def format_of(record: Record) -> Format | None:
    keys = record.keys()
    return next((found for found in FORMATS if keys >= found.keys), None)


def wrong_package(record: Record) -> str | None:
    """What a record that is no play comes from, and what to send instead."""
    keys = record.keys()
    return next((sentence for expected, sentence in WRONG if keys >= expected), None)


def moment(value: object) -> datetime | None:
    """ISO 8601 or Unix seconds as aware UTC; None for anything absurd."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if _EARLIEST <= found <= datetime.now(UTC) + timedelta(days=366) else None


def _name(value: object) -> str | None:
    """Text without what no database takes (half characters, NUL); None for nothing."""
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "ignore").decode().replace("\0", "").strip() or None


def _hash_text(value: object) -> object:
    """Last.fm names an artist {"#text": …}, or {"name": …} in its extended form."""
    return value.get("#text", value.get("name")) if isinstance(value, dict) else value


def _number(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
