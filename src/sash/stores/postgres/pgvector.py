"""The extension `vector` (pgvector), where a database has it: a column that it can search, and an index for that.

Nothing is lost without it but time in long conversations. It may be installed at any time: the schema's owner gets the
column when a store is opened next, and what was kept before is filled in beside (`nearness.fill`).
"""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

WAIT = 2_000
"""Milliseconds to wait for the table."""
SMALL = 20_000
"""Vectors up to which an index is made in passing."""

_FOUND = """SELECT n.nspname, a.attname IS NOT NULL, pg_has_role(c.relowner, 'USAGE') FROM pg_class c
LEFT JOIN pg_extension e ON e.extname = 'vector' LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'near' AND NOT a.attisdropped
WHERE c.oid = to_regclass($1)"""
_NEWEST = (
    "SELECT embedder, length(vector) / bytes FROM {0}.vectors WHERE length(vector) > 0 ORDER BY place DESC LIMIT 1"
)


def prepare(connection: Connection, schema: str) -> str | None:
    """The name of the extension's schema, where the record can use it; its owner has it made ready."""
    row = connection.execute(_FOUND, (f'"{schema}".vectors',)).fetchone()
    place, ready, ours = row or (None, False, False)
    if place is None or not (ready or ours):
        return None
    quoted, here = f'"{place}"', f'"{schema}"'
    if not ready and not _made_ready(connection, quoted, here):
        return None
    if ours:
        _index(connection, schema, quoted)
    return quoted


def _made_ready(connection: Connection, quoted: str, here: str) -> bool:
    """Add the column; not where that would have to wait for others, who use the table: next time."""
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout TO {WAIT}")
            connection.execute(f"ALTER TABLE {here}.vectors ADD COLUMN IF NOT EXISTS near {quoted}.halfvec")
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS vectors_untold ON {here}.vectors (place) "
                "WHERE near IS NULL AND length(vector) > 0"
            )
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def lacking_index(connection: Connection, schema: str, quoted: str) -> str | None:
    """The statement that makes the index for the newest embedder, where there is none."""
    row = connection.execute(_NEWEST.format(f'"{schema}"')).fetchone()
    if row is None:
        return None
    embedder, numbers = row
    name = f"vectors_near_{numbers}_{hashlib.sha256(embedder.encode()).hexdigest()[:8]}"
    there = connection.execute("SELECT to_regclass($1) IS NOT NULL", (f'"{schema}".{name}',)).fetchone()
    if there and there[0]:
        return None
    said = embedder.replace("'", "''")
    return (
        f'CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON "{schema}".vectors '
        f"USING hnsw ((near::{quoted}.halfvec({numbers})) {quoted}.halfvec_cosine_ops) WHERE embedder = '{said}'"
    )


def _index(connection: Connection, schema: str, quoted: str) -> None:
    """Make it while the table is small; later it is for whoever runs the server to say when."""
    statement = lacking_index(connection, schema, quoted)
    if statement is not None and _size(connection, schema) <= SMALL:
        connection.execute(statement.replace(" CONCURRENTLY", ""))


def _size(connection: Connection, schema: str) -> int:
    row = connection.execute(
        f'SELECT count(*) FROM (SELECT 1 FROM "{schema}".vectors LIMIT {SMALL + 1}) few'
    ).fetchone()
    return int(row[0]) if row else 0
