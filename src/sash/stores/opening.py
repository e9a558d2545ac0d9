"""A place by its name: the path of a SQLite file, or the URL of a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sash.errors import MissingExtra
from sash.stores.database import SqliteDatabase
from sash.stores.transaction import Database
from sash.stores.urls import is_url


def open_database(where: str | Path) -> Database:
    """What the path or the URL names. Raises InvalidOption, MissingExtra, StoreErrors."""
    if not is_url(where):
        return SqliteDatabase(where)
    return _load_postgres().PostgresDatabase(str(where))  # type: ignore[no-any-return]


def _load_postgres() -> Any:
    try:
        from sash.stores.postgres import database  # noqa: PLC0415
    except ImportError as error:
        raise missing_driver() from error
    return database


def missing_driver() -> MissingExtra:
    """The error for a URL where nothing speaks to PostgreSQL."""
    return MissingExtra(
        "a record in PostgreSQL needs psycopg and its pool: pip install 'sash[postgres]'", extra="postgres"
    )
