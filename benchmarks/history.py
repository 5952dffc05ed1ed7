"""Importing listening histories: every kind of export, half a million plays, time and memory.

The exports are made here, of invented artists and titles, in the shapes the services write. Time is that of a whole
import into SQLite as `tunesmith import` does it; memory is the peak of a process of its own.
"""

from __future__ import annotations

import asyncio
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.result import Must, Options, Result, Rows
from bot.app import open_app
from bot.settings import load_settings

PLAYS, QUICK_PLAYS = 500_000, 50_000
SMALL = 20_000
MAX_S, MAX_MB = 60.0, 500.0
NOTES = ("The peak holds about 200 MB of torch, which this package brings along and an import does not need.",)
_START = datetime(2016, 1, 1, tzinfo=UTC)
_PER_FILE = 15_000  # Spotify splits at about 12 MB


def run(options: Options) -> Result:
    plays = QUICK_PLAYS if options.quick else PLAYS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make, count in (
            ("Spotify extended", _spotify, plays),
            ("Spotify account", _spotify_account, SMALL),
            ("ListenBrainz", _listenbrainz, SMALL),
            ("Last.fm CSV", _lastfm, SMALL),
            ("Apple Music CSV", _apple, SMALL),
        ):
            path = Path(folder) / f"{name}.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                make(archive, count)
            rows.append({"export": name, "plays": count} | _measured(path, Path(folder) / name))
    columns = {
        "export": "export", "plays": "plays", "new": "stored", "again": "stored again", "seconds": "s",
        "rate": "plays/s", "memory_mb": "peak MB", "steps": "progress steps",
    }  # fmt: skip
    first = rows[0]
    limit_s = MAX_S * plays / PLAYS
    musts = [
        Must(f"time of {plays} plays", f"≤ {limit_s:g} s", f"{first['seconds']:.1f} s", first["seconds"] <= limit_s),
        Must("peak memory", f"≤ {MAX_MB:g} MB", f"{first['memory_mb']:.0f} MB", first["memory_mb"] <= MAX_MB),
        Must("nothing lost", "all plays", ", ".join(str(row["new"]) for row in rows),
             all(row["new"] == row["plays"] for row in rows)),
        Must("nothing doubled", "0", str(sum(row["again"] for row in rows)), not any(row["again"] for row in rows)),
        Must("progress", "≥ 10 steps", str(first["steps"]), first["steps"] >= 10),
    ]  # fmt: skip
    title = "Importing listening histories"
    return Result("history", [Rows(title, columns, rows, {"seconds": 1, "rate": 0, "memory_mb": 0})], musts, NOTES)


def _measured(path: Path, home: Path) -> dict[str, Any]:
    """Import twice in a process of its own, so that its memory is nobody else's."""
    command = [sys.executable, "-m", "benchmarks.history", str(path), str(home)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own module
    return dict(json.loads(done.stdout))


async def _import(path: Path, home: Path) -> dict[str, Any]:
    steps: list[float] = []
    async with open_app(load_settings(home=home)) as app:
        start = time.perf_counter()
        imported = await app.service.import_history("benchmark", path, lambda share, _: steps.append(share))
        seconds = time.perf_counter() - start
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        again = 0
        if imported.new <= QUICK_PLAYS:
            again = (await app.service.import_history("benchmark", path)).new
    return {
        "new": imported.new, "again": again, "seconds": seconds, "rate": imported.new / seconds,
        "memory_mb": memory_mb, "steps": len(steps),
    }  # fmt: skip


def _times(count: int, first: int = 0) -> Iterator[tuple[int, datetime]]:
    return ((number, _START + timedelta(seconds=200 * number)) for number in range(first, first + count))


def _write(archive: zipfile.ZipFile, name: str, lines: Iterator[str], start: str, between: str, end: str) -> None:
    with archive.open(name, "w", force_zip64=True) as raw, io.TextIOWrapper(raw, encoding="utf-8") as stream:
        stream.write(start)
        for number, line in enumerate(lines):
            stream.write((between if number else "") + line)
        stream.write(end)


def _spotify(archive: zipfile.ZipFile, count: int) -> None:
    for first in range(0, count, _PER_FILE):
        rows = (
            json.dumps({
                "ts": f"{when:%Y-%m-%dT%H:%M:%SZ}", "platform": "linux", "ms_played": 180_000 + n, "conn_country": "ZZ",
                "ip_addr": "192.0.2.1", "master_metadata_track_name": f"Song {n % 9000}",
                "master_metadata_album_artist_name": f"Artist {n % 1200}",
                "master_metadata_album_album_name": f"Album {n % 3000}", "spotify_track_uri": f"spotify:track:{n:022}",
                "episode_name": None, "episode_show_name": None, "spotify_episode_uri": None, "audiobook_title": None,
                "audiobook_uri": None, "audiobook_chapter_uri": None, "audiobook_chapter_title": None,
                "reason_start": "trackdone", "reason_end": "trackdone", "shuffle": False, "skipped": False,
                "offline": False, "offline_timestamp": 1700000000, "incognito_mode": False,
            }, indent=2)
            for n, when in _times(min(_PER_FILE, count - first), first)
        )  # fmt: skip
        name = f"Spotify Extended Streaming History/Streaming_History_Audio_2016_{first // _PER_FILE}.json"
        _write(archive, name, rows, "[", ",\n", "]")


def _spotify_account(archive: zipfile.ZipFile, count: int) -> None:
    rows = (
        json.dumps({"endTime": f"{when:%Y-%m-%d %H:%M}", "artistName": f"Artist {n % 900}", "trackName": f"Song {n}",
                    "msPlayed": 190_000})
        for n, when in _times(count)
    )  # fmt: skip
    _write(archive, "Spotify Account Data/StreamingHistory_music_0.json", rows, "[", ",\n", "]")


def _listenbrainz(archive: zipfile.ZipFile, count: int) -> None:
    rows = (
        json.dumps({
            "listened_at": int(when.timestamp()), "inserted_at": int(when.timestamp()),
            "track_metadata": {"artist_name": f"Artist {n % 900}", "track_name": f"Song {n % 4000}",
                               "recording_msid": f"{n:032x}", "mbid_mapping": None,
                               "additional_info": {"tags": ["jazz"]}},
        })
        for n, when in _times(count)
    )  # fmt: skip
    _write(archive, "listens/2016/1.jsonl", rows, "", "\n", "\n")


def _lastfm(archive: zipfile.ZipFile, count: int) -> None:
    rows = (
        f'"{int(when.timestamp())}","{when:%d %b %Y, %H:%M}","Artist {n % 900}","","Album","","Song {n % 4000}",""'
        for n, when in _times(count)
    )
    header = "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
    _write(archive, "recenttracks-ada-1.csv", rows, header, "\n", "\n")


def _apple(archive: zipfile.ZipFile, count: int) -> None:
    rows = (
        f"Album,Song {n % 4000},Artist {n % 900},200000,240000,{when:%Y-%m-%dT%H:%M:%SZ},PLAY_END"
        for n, when in _times(count)
    )
    header = (
        "Album Name,Song Name,Container Artist Name,Play Duration Milliseconds,Media Duration In Milliseconds,"
        "Event Start Timestamp,Event Type\n"
    )
    _write(archive, "Apple Music Play Activity.csv", rows, header, "\n", "\n")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_import(Path(sys.argv[1]), Path(sys.argv[2])))))
