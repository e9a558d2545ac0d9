"""The record in a PostgreSQL database, in a schema of its own."""

from __future__ import annotations

from sash.stores.postgres.database import PostgresDatabase
from sash.stores.store import DatabaseStore


class PostgresStore(DatabaseStore):
    """Open the database at `url`, and make the record's tables there where they are not yet.

    `url`: `postgresql://user:password@host:port/database`, with whatever parameters libpq knows, and three of our own:
    `schema` (where the tables are, "sash"), `language` (whose words are taken for one another in a search, "english";
    "simple": none), `connections` (the most that this process opens to this database, 10). Needs `sash[postgres]` and
    PostgreSQL 15 or newer. Raises InvalidOption, ForeignDatabase, NewerSchema, StoreUnavailable.
    """

    database: PostgresDatabase

    def __init__(self, url: str) -> None:
        super().__init__(PostgresDatabase(url))
