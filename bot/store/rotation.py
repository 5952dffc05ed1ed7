"""New keys for everything that is sealed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table, func, select, update

from bot.errors import UserError
from bot.store.crypto import add_key, drop_old_keys
from bot.store.database import Database
from bot.store.tables import jobs, links, messages

_SEALED: tuple[tuple[Table, tuple[Column[Any], ...]], ...] = (
    (links, (links.c.listener_id, links.c.source)),
    (messages, (messages.c.job_id,)),
)


async def rotate_keys(database: Database, key_file: Path, now: datetime) -> int:
    """Seal everything again with a new key and drop the old ones; how many values that were.

    A crash in between loses nothing: until every value is sealed anew the old keys stay in the file.
    Raises UserError while a process works on jobs, which would not know the new key, and StoreError.
    """
    async with database.write() as tx:
        busy = select(func.count()).select_from(jobs).where(jobs.c.lease_until > now)
        if (await tx.execute(busy)).scalar_one():
            raise UserError("Something is being composed or posted; stop `serve` and `worker` first.")
        seal = add_key(key_file)
        count = 0
        for table, key in _SEALED:
            rows = (await tx.execute(select(*key, table.c.sealed_token).where(table.c.sealed_token.is_not(None)))).all()
            for row in rows:
                *identity, sealed = tuple[str, ...](row)
                where = [column == value for column, value in zip(key, identity, strict=True)]
                await tx.execute(update(table).where(*where).values(sealed_token=seal.rotate(sealed)))
            count += len(rows)
    drop_old_keys(key_file)
    return count
