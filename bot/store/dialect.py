"""The one thing SQLAlchemy Core does not say alike on both databases: INSERT … ON CONFLICT."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.database import Transaction


def insert(tx: Transaction, table: Table) -> Any:
    """An INSERT of this connection's dialect, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
