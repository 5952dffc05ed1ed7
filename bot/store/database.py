"""One database: opening, pragmas, migrations, transactions. Knows no table.

SQLite up to 3.51.2 can corrupt a write-ahead-log database when two connections write and checkpoint at the
same instant (fixed in 3.51.3, backported to 3.50.7 and 3.44.6). On an unfixed build we therefore use the
rollback journal with full synchronisation, about a millisecond a commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Dialect, Executable, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import NewerDatabase, StoreError
from bot.store.onetrip import connect
from bot.store.tables import SCHEMA

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITES = "tunesmith_writes"
_GOODBYE_S = 5.0
_CACHE_KIB = 1024  # a connection: half the usual, since others' writes empty it and the system keeps the file anyway

Result = TypeVar("Result")


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite carries the fix of the WAL-reset bug (3.52.0 was withdrawn)."""
    if version[:2] == (3, 44):
        return version >= (3, 44, 6)
    if version[:2] == (3, 50):
        return version >= (3, 50, 7)
    return version >= (3, 51, 3) and version != (3, 52, 0)


class Transaction:
    """What the rest of the store sees of a connection; a statement once begun is carried to its end."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return await _whole(self._connection.execute(statement, parameters))

    async def run_sync(self, work: Callable[[Connection], Result]) -> Result:
        return await _whole(self._connection.run_sync(work))


class Database:
    """Use as an async context manager; one writer at a time within the process."""

    def __init__(self, url: str) -> None:
        """Raises StoreError when the URL is not one SQLAlchemy can use."""
        try:
            parsed = make_url(url)
            self._path = parsed.database if parsed.get_backend_name() == "sqlite" else None
            self._engine: AsyncEngine = create_async_engine(parsed, pool_size=4, max_overflow=0, **_driver(parsed))
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise StoreError(f"The database address cannot be used: {_first_line(error)}.") from error
        self._write_lock = asyncio.Lock()
        self._open = 0  # transactions
        self._quiet = asyncio.Event()
        self._closed = False
        if self._path is not None:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    async def __aenter__(self) -> Self:
        """Open and bring to the newest schema.

        Raises NewerDatabase when a newer version wrote it and StoreError when it cannot be opened.
        """
        try:
            if self._path is not None:
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            async with self.write() as tx:
                await tx.run_sync(_migrate)
        except NewerDatabase:
            await self._engine.dispose()
            raise
        except (StoreError, OSError) as error:
            await self._engine.dispose()
            place = self._path or self._engine.url.render_as_string(hide_password=True)
            raise StoreError(f"The database {place} cannot be opened: {_first_line(error)}.") from error
        except BaseException:
            await self._engine.dispose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close when what is under way has ended; what comes later is refused."""
        self._closed = True
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._quiet.wait()
        await self._engine.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that holds the write lock from its first statement and commits at the end.

        Raises StoreError when the database does not do what it is told (locked, full, read-only …).
        """
        async with self._write_lock, self._transaction(writes=True) as tx:
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A consistent view for reading. Raises StoreError."""
        async with self._transaction(writes=False) as tx:
            yield tx

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[Transaction]:
        if self._closed:
            raise StoreError("The database is closed.")
        self._open += 1
        self._quiet.clear()
        with _translated():
            connection = self._engine.connect()
            try:
                await _whole(self._begin(connection, writes=writes))
                yield Transaction(connection)
                await _whole(connection.commit())
            finally:
                if connection.sync_connection is not None:
                    await _whole(connection.close())  # rolls back what was not committed
                self._open -= 1
                if not self._open:
                    self._quiet.set()

    @staticmethod
    async def _begin(connection: AsyncConnection, *, writes: bool) -> None:
        await connection.start()
        await connection.execution_options(**{_WRITES: writes})
        await connection.begin()

    async def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log into the database file. Raises StoreError."""
        with _translated():
            async with self._write_lock, self._engine.connect() as connection:
                raw = await connection.get_raw_connection()
                await _whole(raw.driver_connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)"))  # type: ignore[union-attr]

    async def describe(self) -> dict[str, str]:
        """For `doctor`: the backend, its version, and how it keeps its journal."""
        backend = self._engine.url.get_backend_name()
        if self._path is None:
            return {"backend": backend, "schema": SCHEMA}
        async with self.read() as tx:
            journal = (await tx.execute(text("PRAGMA journal_mode"))).scalar_one()
        safe = wal_is_safe(sqlite3.sqlite_version_info)
        return {
            "backend": f"sqlite {sqlite3.sqlite_version}",
            "schema": SCHEMA,
            "journal": str(journal),
            "note": "" if safe else "this SQLite has the WAL-reset bug, so the rollback journal is used",
            "path": self._path,
        }


def _driver(url: URL) -> dict[str, Any]:
    """Our own connections for a plain SQLite file; what an address says beyond its path is the driver's to read."""
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or url.query:
        return {}
    return {"async_creator": lambda: connect(path)}


def _prepare_sqlite(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = connection.cursor()
    wal = wal_is_safe(sqlite3.sqlite_version_info)
    pragmas = (
        "busy_timeout=5000",
        f"journal_mode={'WAL' if wal else 'DELETE'}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what somebody had deleted is overwritten, not only unlinked
        "trusted_schema=OFF",
        f"cache_size=-{_CACHE_KIB}",
    )
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that starts by reading and then writes would fail instead of waiting for the lock.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    # Alembic takes a third of a second to import; most starts need no more than this one comparison.
    if connection.dialect.has_table(connection, "alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        if found == SCHEMA:
            return
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise NewerDatabase(
            f"The database was written by a newer Tunesmith (schema {current}; this one knows {SCHEMA}); "
            "update Tunesmith, or choose another home folder."
        )
    command.upgrade(config, "head")


async def _whole(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` to its end even when cancelled meanwhile; the cancellation follows then.

    A driver call that is abandoned half-way leaves its connection, and with it the lock on the file, behind.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        with suppress(Exception):
            task.result()  # seen, so that nobody reports it as forgotten
        raise cancelled
    return task.result()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise StoreError(f"The database refused: {_first_line(error)}.") from error


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
    return str(cause).splitlines()[0].rstrip(".") if str(cause) else type(cause).__name__
