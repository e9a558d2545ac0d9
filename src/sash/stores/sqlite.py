"""The record in one SQLite file."""

from __future__ import annotations

from pathlib import Path

from sash.stores.database import SqliteDatabase
from sash.stores.store import DatabaseStore


class SqliteStore(DatabaseStore):
    """Open or create the file at `path`. Raises ForeignDatabase, NewerSchema, StoreUnavailable."""

    database: SqliteDatabase

    def __init__(self, path: str | Path) -> None:
        super().__init__(SqliteDatabase(path))
