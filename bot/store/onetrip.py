"""SQLite connections whose statements take one trip to the connection's thread instead of five.

Each trip hands a call to another thread and waits for the event loop to come round again, which costs more than most of
our statements. The driver makes one for the cursor, one for the statement, one for its rows and one to close; here all
of it is done while the thread has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Self

import aiosqlite


class OneTrip(aiosqlite.Connection):
    """For SQLAlchemy, which wants a cursor that is an asynchronous context and reads all rows at once."""

    def cursor(self) -> Any:
        return _Cursor(self)


class _Cursor:
    def __init__(self, connection: OneTrip) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Self:
        await self._trip(sqlite3.Cursor.execute, sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        await self._trip(sqlite3.Cursor.executemany, sql, parameters)
        return self

    async def _trip(self, how: Any, sql: str, parameters: Any) -> None:
        trip: Any = self._connection._execute  # noqa: SLF001
        await trip(self._carry, how, sql, parameters)

    def _carry(self, how: Any, sql: str, parameters: Any) -> None:
        """In the connection's thread."""
        cursor = self._connection._conn.cursor()  # noqa: SLF001
        try:
            how(cursor, sql, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Done already."""


async def connect(path: str) -> OneTrip:
    """Open a database file. Raises sqlite3.Error."""
    connection = OneTrip(lambda: sqlite3.connect(path, check_same_thread=False), iter_chunk_size=64)
    await connection
    return connection
