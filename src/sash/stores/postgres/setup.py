"""The tables of a record in a PostgreSQL database: made where there are none, brought up to date where they are older.

Migrations have SQLite's names and numbers. `schema.sql` (written by `scripts/schema.py`) and `search.sql` make a new
schema in one transaction; two processes that find none do not disturb each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from sash.errors import ForeignDatabase, InvalidOption, StoreUnavailable
from sash.stores.postgres import row_security
from sash.stores.postgres.migrations import STEPS
from sash.stores.postgres.transaction import lock_key
from sash.stores.postgres.url import Address
from sash.stores.transaction import newer_schema

OLDEST = 15
"""The oldest version of PostgreSQL that this was made for."""
FIRST = "m001_record"
LANGUAGE = "english"
"""Whose words are taken for one another, as in a SQLite file."""
COLLATIONS = ("pg_c_utf8", "und-x-icu", "default")
"""What tells small letters from capitals, the best first: a database may have been made with rules for ASCII alone."""

Connection = psycopg.Connection[Any]


def prepare(connection: Connection, address: Address) -> None:
    """Make or bring up to date. Raises InvalidOption, ForeignDatabase, NewerSchema, StoreUnavailable."""
    _reject_server(connection, address)
    applied = _applied(connection, address)
    if applied is None or applied != names():
        with connection.transaction():
            lock(connection, address)
            _set_up(connection, address)
    _reject_language(connection, address)


@cache
def names() -> frozenset[str]:
    """All migrations that this version knows."""
    return frozenset(re.findall(r"\('(m\d{3}_\w+)'", _text("schema.sql")))


def _reject_server(connection: Connection, address: Address) -> None:
    version, encoding = connection.info.server_version, connection.info.parameter_status("server_encoding")
    if version < OLDEST * 10_000:
        raise StoreUnavailable(
            f"{address.shown!r} is served by PostgreSQL {version // 10_000}; sash needs {OLDEST} or newer "
            "(it is tested with 18): upgrade the server, or name another",
            path=address.shown,
        )
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"{address.shown!r} keeps texts as {encoding}; make a database with encoding UTF8, or name another",
            path=address.shown,
        )


def _applied(connection: Connection, address: Address) -> frozenset[str] | None:
    """The migrations of the schema; None where there is nothing. Raises ForeignDatabase, NewerSchema."""
    known = connection.execute(
        "SELECT to_regclass($1), (SELECT count(*) FROM pg_class c WHERE c.relnamespace = to_regnamespace($2))",
        (f'"{address.schema}".migrations', f'"{address.schema}"'),
    ).fetchone()
    table, things = known if known else (None, 0)
    if table is None and not things:
        return None
    applied = _names_in(connection, address) if table is not None else frozenset()
    if FIRST not in applied:
        raise ForeignDatabase(
            f"the schema {address.schema!r} of {address.shown!r} holds tables that sash did not make; name another "
            "(schema=NAME in the URL). Nothing in it was touched",
            path=address.shown,
        )
    if newer := sorted(applied - names()):
        raise newer_schema(address.shown, newer)
    return applied


def _names_in(connection: Connection, address: Address) -> frozenset[str]:
    columns = connection.execute(
        "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'name'",
        (f'"{address.schema}".migrations',),
    )
    if columns.fetchone() is None:
        return frozenset()
    return frozenset(row[0] for row in connection.execute(f'SELECT name FROM "{address.schema}".migrations'))


def _set_up(connection: Connection, address: Address) -> None:
    applied = _applied(connection, address)
    if applied is None and not _there(connection, address):
        connection.execute(f'CREATE SCHEMA "{address.schema}"')
    for statement in _new(connection, address) if applied is None else _missing(applied):
        connection.execute(statement)
    if row_security.is_on(connection, address.schema):
        row_security.turn_on(connection)  # what a migration added is held, too


def lock(connection: Connection, address: Address) -> None:
    """Nobody else changes the tables before this transaction ends; names in it are those of the schema."""
    connection.execute("SELECT pg_advisory_xact_lock($1)", (lock_key("setup", address.schema),))
    connection.execute(f'SET LOCAL search_path TO "{address.schema}"')


def _there(connection: Connection, address: Address) -> bool:
    found = connection.execute("SELECT to_regnamespace($1) IS NOT NULL", (f'"{address.schema}"',)).fetchone()
    return bool(found and found[0])


def _new(connection: Connection, address: Address) -> Iterator[str]:
    """What makes a new schema."""
    language = address.language or LANGUAGE
    stems = "pg_catalog.simple" if language == "simple" else f"pg_catalog.snowball, LANGUAGE = {language}"
    collation = _collation(connection)
    _reject_unknown(connection, language)
    yield _text("schema.sql")
    yield _text("search.sql").replace("{stems}", stems).replace("{collation}", f'pg_catalog."{collation}"')


def _missing(applied: frozenset[str]) -> Iterator[str]:
    """What an older schema lacks, in order."""
    for name in sorted(names() - applied):
        yield from STEPS[name]
        yield f"INSERT INTO migrations (name) VALUES ('{name}')"


def _collation(connection: Connection) -> str:
    found = {row[0] for row in connection.execute("SELECT collname FROM pg_collation WHERE collencoding IN (-1, 6)")}
    return next(name for name in COLLATIONS if name in found)


def _reject_unknown(connection: Connection, language: str) -> None:
    known = [row[0] for row in connection.execute("SELECT cfgname FROM pg_catalog.pg_ts_config ORDER BY cfgname")]
    if language not in known:
        raise InvalidOption(
            f"language={language!r}: this server knows {', '.join(known)}", option="language", value=language
        )


def _reject_language(connection: Connection, address: Address) -> None:
    """One language for a schema: its index was made with it."""
    if address.language is None:
        return
    found = connection.execute(
        "SELECT coalesce(substring(dictinitoption FROM 'language = ''(\\w+)'''), 'simple') FROM pg_ts_dict "
        "WHERE dictname = 'stems' AND dictnamespace = to_regnamespace($1)",
        (f'"{address.schema}"',),
    ).fetchone()
    if found and found[0] != address.language:
        raise InvalidOption(
            f"language={address.language!r}: the schema {address.schema!r} was made for {found[0]!r}; leave it out, or "
            "copy the record into a new schema (sash copy)",
            option="language",
            value=address.language,
        )


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
