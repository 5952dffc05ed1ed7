"""A backup is one dated tar file: a consistent copy of the SQLite database, the key file, and every track's folder.

The copy is SQLite's own online backup, so the bot may go on meanwhile; a piece that is published during the backup is
either in it whole or not at all. The database may lie elsewhere than in the home folder; one that is no SQLite file
has tools of its own (`pg_dump`), and is refused.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot import clock
from bot.errors import StoreError

DATABASE, KEY, TRACKS = "tunesmith.db", "key", "tracks"
_NAME, _STAMP = "tunesmith-{}.tar", "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup file, how many tracks are in it, and how many older backups were deleted for it."""

    path: Path
    tracks: int
    deleted: int = 0


def database_file(url: str) -> Path:
    """The SQLite file that a database address names. Raises StoreError for an address of anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("The database address cannot be used.") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"The database is {parsed.get_backend_name()}: save it with pg_dump and restore it with pg_restore, "
            "and keep the key and the tracks folder beside it."
        )
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("A database in memory cannot be saved.")
    return Path(parsed.database).absolute()


def back_up(
    home: Path,
    folder: Path,
    keep: timedelta | None = None,
    now: datetime | None = None,
    *,
    database: Path | None = None,
) -> Backup:
    """Write a backup of a home folder into `folder`, then delete backups there that are older than `keep`.

    `database` is where the database lies when it is not in the home folder.

    Raises StoreError when there is nothing to save, or when it cannot be written; nothing half-written stays.
    """
    stamp = now or clock.now()
    path = folder / _NAME.format(stamp.strftime(_STAMP))
    draft = path.with_suffix(".part")
    database = database or home / DATABASE
    if not database.is_file():
        raise StoreError(f"There is no SQLite database at {database}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            copy = Path(scratch) / DATABASE
            tracks = _copy_database(database, copy)
            found = _write(draft, home, copy, tracks)
        draft.replace(path)
        deleted = 0 if keep is None else _delete_before(folder, stamp - keep)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise StoreError(f"The backup cannot be written to {folder}: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return Backup(path, found, deleted)


def _copy_database(database: Path, copy: Path) -> list[str]:
    """Copy the database; the ids of the tracks in the copy."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source, closing(sqlite3.connect(copy)) as to:
        source.backup(to)
        return [track for (track,) in to.execute("SELECT id FROM tracks")]


def _write(draft: Path, home: Path, copy: Path, tracks: list[str]) -> int:
    found = 0
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds the key
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(copy, DATABASE)
            if (home / KEY).is_file():
                archive.add(home / KEY, KEY)
            for track in tracks:
                if (home / TRACKS / track).is_dir():
                    archive.add(home / TRACKS / track, f"{TRACKS}/{track}")
                    found += 1
        file.flush()
        os.fsync(file.fileno())
    return found


def _delete_before(folder: Path, oldest: datetime) -> int:
    deleted = 0
    for path in folder.glob(_NAME.format("*")):
        try:
            written = datetime.strptime(path.name, _NAME.format(_STAMP)).replace(tzinfo=UTC)
        except ValueError:
            continue  # not one of ours
        if written < oldest:
            path.unlink()
            deleted += 1
    return deleted


def restore(backup: Path, home: Path, *, database: Path | None = None) -> Backup:
    """Put a backup into a home folder that has no database yet, the database itself where `database` says.

    Raises StoreError when there is one, or when the file is no whole backup; then the home folder stays as it was.
    """
    database = database or home / DATABASE
    if database.exists():
        raise StoreError(f"{database} is a database already; restore into an empty folder (--home) or move it away.")
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=home, prefix="restore-") as scratch:
            place = Path(scratch)
            with tarfile.open(backup) as archive:
                _check(archive, backup)
                archive.extractall(place, filter="data")
            tracks = _settle(place / DATABASE, home)
            for name in (TRACKS, KEY):
                if (place / name).exists():
                    _move(place / name, home / name)
            _settle_in(place / DATABASE, database)  # the last: with it the restore is done
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise StoreError(f"{backup} cannot be restored: {error}.") from error
    return Backup(backup, tracks)


def _check(archive: tarfile.TarFile, backup: Path) -> None:
    names = [PurePosixPath(member.name) for member in archive.getmembers()]
    strange = [str(name) for name in names if name.parts[0] not in {DATABASE, KEY, TRACKS}]
    if strange or PurePosixPath(DATABASE) not in names:
        raise StoreError(f"{backup} is no backup of Tunesmith.")


def _settle(database: Path, home: Path) -> int:
    """Check the copy and let its tracks lie in the new home; how many they are."""
    with closing(sqlite3.connect(database)) as connection, connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise StoreError(f"The database in the backup is damaged: {verdict}.")
        ids = [track for (track,) in connection.execute("SELECT id FROM tracks")]
        places = [(str(home.absolute() / TRACKS / track), track) for track in ids]
        connection.executemany("UPDATE tracks SET dir = ? WHERE id = ?", places)
    return len(ids)


def _settle_in(source: Path, target: Path) -> None:
    """Move a file, whole or not at all, also to another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.part")
    shutil.move(source, draft)
    draft.replace(target)


def _move(source: Path, target: Path) -> None:
    if source.is_dir() and target.is_dir():
        for child in source.iterdir():
            shutil.move(child, target / child.name)
    else:
        shutil.move(source, target)
