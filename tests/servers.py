"""A PostgreSQL server for tests: one for each process of pytest, on a unix socket, started when the first test asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from typing import Any

import psycopg
import pytest
from benchmarks.postgres import Server

from sash.stores.postgres.placeholders import in_order, numbered
from sash.stores.postgres.store import PostgresStore

QUICK = ("fsync", "full_page_writes")
"""Settings that are for power cuts alone."""
TEMPLATE = "made"
"""A database with the tables of a record: each test gets a copy."""

APPLICATION = "bot"
"""A user of the server who owns nothing."""

_numbers = count()
_started: list[Server] = []


@cache
def server() -> Server:
    """The server, started. Skips the test where its wheel does not run."""
    try:
        found = Server()
    except ImportError as error:
        pytest.skip(f"no PostgreSQL server for this platform: {error}")
    _started.append(found)
    with psycopg.connect(found.url(), autocommit=True) as admin:
        for setting in QUICK:
            admin.execute(f"ALTER SYSTEM SET {setting} TO off")
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
    PostgresStore(found.url(TEMPLATE)).close()
    return found


def stop() -> None:
    """Stop it, where it was started."""
    while _started:
        _started.pop().stop()


def admin(statement: str, database: str | None = None) -> list[Any]:
    """What the server answers to its owner."""
    with psycopg.connect(server().url(database), autocommit=True) as connection:
        found = connection.execute(statement)
        return found.fetchall() if found.description else []


def run(url: str, *statements: str) -> list[Any]:
    """What a person's statements find."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            found = connection.execute(statement)
        return found.fetchall() if found.description else []


def keep_tenants_apart(url: str) -> None:
    """Turn row-level security on, and let an application in."""
    admin(f"DO $$ BEGIN CREATE ROLE {APPLICATION} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    with closing(PostgresStore(url)) as owner:
        owner.keep_tenants_apart([APPLICATION])


def as_application(url: str) -> str:
    """The URL of the same database for a user who is not the owner."""
    return url.replace("postgres:@", f"{APPLICATION}@", 1)


class Reader:
    """Reads what stands in a database, beside whoever writes there; statements as for SQLite."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(
            url, autocommit=True, cursor_factory=psycopg.RawCursor, options="-c search_path=sash"
        )

    def execute(self, query: str, values: Sequence[Any] = ()) -> psycopg.Cursor[Any]:
        """What a query finds."""
        asked, order = numbered(query)
        return self._connection.execute(asked, in_order(values, order) if order else None)

    def close(self) -> None:
        """Read no more."""
        self._connection.close()


@contextmanager
def fresh_database(*, made: bool = True) -> Iterator[str]:
    """The URL of a database of one's own: with the tables of an empty record, or with nothing."""
    server()
    name = f"test{next(_numbers)}"
    admin(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if made else 'template0'} STRATEGY file_copy")
    try:
        yield server().url(name)
    finally:
        admin(f"DROP DATABASE {name} WITH (FORCE)")
