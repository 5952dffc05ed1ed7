"""Listening histories from files: Spotify's Extended Streaming History and ListenBrainz exports.

What a file is, its keys say, not its name. Archives are read from the stream within bounds and never unpacked to
disk. Addresses, devices and countries are dropped here; private sessions are skipped.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from personalization.listens import HistoryError, Listen, counts_as_play

SPOTIFY = "spotify_export"
LISTENBRAINZ = "listenbrainz"

MAX_FILE_BYTES = 64 * 2**20  # one JSON file; Spotify splits at about 12 MB
MAX_TOTAL_BYTES = 1024 * 2**20  # unpacked, of all files in an archive
MAX_ENTRIES = 2_000
MAX_RATIO = 200  # JSON packs about 15 : 1; beyond this it is a bomb

_SPOTIFY_KEYS = {"ts", "ms_played"}
_SPOTIFY_ACCOUNT_KEYS = {"endTime", "artistName", "trackName", "msPlayed"}
_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Export:
    """What a file held: the plays that count, in order of time, and why others were skipped."""

    source: str
    listens: tuple[Listen, ...]
    skipped: dict[str, int]


def read_export(path: Path) -> Export:
    """Read a .json, .jsonl or .zip export.

    Raises:
        HistoryError: the file is missing, broken, too large or something else; one sentence says which.
    """
    if not path.is_file():
        raise HistoryError(f"There is no file {path.name}; check the path.")
    skipped: Counter[str] = Counter()
    found: dict[tuple[datetime, str, str], Listen] = {}
    sources: Counter[str] = Counter()
    for name, text in _documents(path):
        for row in _rows(name, text):
            source = _source_of(row, name)
            if source is None:
                skipped["not a play"] += 1
                continue
            sources[source] += 1
            listen = _spotify(row, skipped) if source == SPOTIFY else _listenbrainz(row, skipped)
            if listen is not None:
                key = (listen.played_at, listen.artist.casefold(), listen.title.casefold())
                if key in found:
                    skipped["duplicate"] += 1
                found[key] = listen
    if not sources:
        raise HistoryError(
            f"{path.name} holds no listening history I can read; send Spotify’s Extended Streaming History "
            "(Streaming_History_Audio_….json or its zip) or a ListenBrainz export."
        )
    listens = tuple(sorted(found.values(), key=lambda listen: listen.played_at))
    return Export(sources.most_common(1)[0][0], listens, dict(skipped))


def _documents(path: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of the file, or of each history file in an archive."""
    if zipfile.is_zipfile(path):
        yield from _zip_documents(path)
        return
    if path.suffix.lower() == ".zip":
        raise HistoryError(f"{path.name} is broken or not a zip archive; download it again.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise HistoryError(f"{path.name} is larger than {MAX_FILE_BYTES // 2**20} MB; send its parts or the zip.")
    try:
        yield path.name, path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryError(f"{path.name} is not a text file; send the .json, .jsonl or .zip of the export.") from error
    except OSError as error:
        raise HistoryError(f"{path.name} cannot be read: {error.strerror}.") from error


def _zip_documents(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if e.filename.lower().endswith((".json", ".jsonl"))]
            if not entries:
                raise HistoryError(f"{path.name} holds no JSON files; it is not a listening-history export.")
            if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
                raise HistoryError(f"{path.name} unpacks to more than I accept; send the history files alone.")
            for entry in entries:
                if entry.file_size > MAX_FILE_BYTES or entry.file_size > MAX_RATIO * max(1, entry.compress_size):
                    raise HistoryError(f"{path.name} holds a file that unpacks to an unreasonable size.")
                with archive.open(entry) as stream:
                    # The declared size may lie; never read more than it or the limit.
                    data = stream.read(min(entry.file_size, MAX_FILE_BYTES) + 1)
                yield Path(entry.filename).name, data.decode("utf-8-sig")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise HistoryError(f"{path.name} is a damaged zip archive; download it again.") from error
    except UnicodeDecodeError as error:
        raise HistoryError(f"{path.name} holds a file that is not text; it is not a history export.") from error


def _rows(name: str, text: str) -> Iterator[dict[str, Any]]:
    """The records of one document: a JSON array, one object, or one object on every line."""
    stripped = text.strip()
    if not stripped:
        return
    try:
        if stripped.startswith("["):
            values = json.loads(stripped)
        else:
            values = (
                [json.loads(line) for line in stripped.splitlines() if line.strip()]
                if "\n" in stripped
                else [json.loads(stripped)]
            )
    except json.JSONDecodeError as whole:
        try:
            values = [json.loads(stripped)]
        except (json.JSONDecodeError, RecursionError):
            raise HistoryError(
                f"{name} is not complete JSON (line {whole.lineno}); it may be cut off, download it again."
            ) from whole
    except RecursionError as error:
        raise HistoryError(f"{name} is nested too deeply to be a history export.") from error
    yield from (value for value in values if isinstance(value, dict))


def _source_of(row: dict[str, Any], name: str) -> str | None:
    if row.keys() >= _SPOTIFY_KEYS:
        return SPOTIFY
    if "listened_at" in row and isinstance(row.get("track_metadata"), dict):
        return LISTENBRAINZ
    if row.keys() >= _SPOTIFY_ACCOUNT_KEYS:
        raise HistoryError(
            f"{name} is from Spotify’s “Account data” package; please ask Spotify for the “Extended streaming "
            "history” instead, it has everything since you joined."
        )
    return None


def _spotify(row: dict[str, Any], skipped: Counter[str]) -> Listen | None:
    """One row of the extended history; every key may be null or absent."""
    artist, title = row.get("master_metadata_album_artist_name"), row.get("master_metadata_track_name")
    if not (isinstance(artist, str) and isinstance(title, str) and artist.strip() and title.strip()):
        skipped["podcast or unnamed"] += 1
        return None
    if row.get("incognito_mode") is True:
        skipped["private session"] += 1
        return None
    ms_played = row.get("ms_played")
    if isinstance(ms_played, bool) or not isinstance(ms_played, int) or not counts_as_play(ms_played):
        skipped["played under 30 s"] += 1
        return None
    played_at = _time(row.get("ts"))
    if played_at is None:
        skipped["no time"] += 1
        return None
    album = row.get("master_metadata_album_album_name")
    return Listen(
        SPOTIFY, played_at, artist.strip(), title.strip(), album if isinstance(album, str) else None, ms_played
    )


def _listenbrainz(row: dict[str, Any], skipped: Counter[str]) -> Listen | None:
    metadata = row["track_metadata"]
    artist, title = metadata.get("artist_name"), metadata.get("track_name")
    if not (isinstance(artist, str) and isinstance(title, str) and artist.strip() and title.strip()):
        skipped["podcast or unnamed"] += 1
        return None
    played_at = _time(row.get("listened_at"))
    if played_at is None:
        skipped["no time"] += 1
        return None
    extra = metadata.get("additional_info")
    tags = extra.get("tags") if isinstance(extra, dict) else None
    genres = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    album = metadata.get("release_name")
    return Listen(
        LISTENBRAINZ, played_at, artist.strip(), title.strip(), album if isinstance(album, str) else None, None, genres
    )


def _time(value: object) -> datetime | None:
    """ISO 8601 (Spotify) or Unix seconds (ListenBrainz); None for anything absurd."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if _EARLIEST <= moment <= datetime.now(UTC).replace(year=datetime.now(UTC).year + 1, day=1) else None
