"""Row-level security: the server itself shows each transaction the rows of one namespace, whatever statement asks.

Held are all users but the schema's owner, superusers and roles with BYPASSRLS: these migrate, copy, prune and work over
all namespaces. A transaction names its namespace by the setting `sash.tenant`, so that a pooler may give the session to
another one afterwards; one that names none sees no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_OWN = "namespace = tenant()"
_CONVERSATION = "EXISTS (SELECT 1 FROM conversations c WHERE c.id = conversation_id AND c.namespace = tenant())"
_TURN = "EXISTS (SELECT 1 FROM turns t WHERE t.id = turn_id)"
_PLACE = "EXISTS (SELECT 1 FROM turns t WHERE t.place = {0})"
_BRANCH = "EXISTS (SELECT 1 FROM branches b WHERE b.id = branch_id)"
_MEMO = "memo_tenant(name) = tenant()"
_PREAMBLE = (
    "EXISTS (SELECT 1 FROM requests r WHERE r.preamble_id = {0}) OR "
    "EXISTS (SELECT 1 FROM epochs e WHERE e.preamble_id = {0}) OR "
    "EXISTS (SELECT 1 FROM conversations c WHERE c.preamble_id = {0}) OR NOT preamble_held({0})"
)
_BLOB = "EXISTS (SELECT 1 FROM turn_blobs t WHERE t.hash = blobs.hash) OR NOT blob_held(hash)"
_NAMED = "CASE tenant() WHEN '' THEN strpos({0}, '/') = 0 ELSE strpos({0}, {1} || tenant() || '/') {2} END"
_ACCOUNT = (
    "scope = 'all' OR (scope = 'namespace' AND key = tenant()) OR (scope IN ('conversation', 'user') AND "
    + _NAMED.format("key", "''", "= 1")
    + ")"
)

OWN: dict[str, str] = {
    **dict.fromkeys(
        (
            "conversations", "gaps", "batches", "attempts", "deleted_spending", "usage_days", "memory_files",
            "forgotten", "retention", "profile_entries", "profile_jobs", "jobs",
        ),
        _OWN,
    ),
    **dict.fromkeys(
        (
            "branches", "turns", "epochs", "requests", "pins", "tool_results", "submissions", "imported", "summaries",
            "summary_jobs", "batch_items", "leases", "profile_read", "profile_distillings",
            "imported_requests",
        ),
        _CONVERSATION,
    ),
    **dict.fromkeys(("counts", "mends", "attachments", "attachment_sources", "turn_blobs"), _TURN),
    **dict.fromkeys(("vectors_removed", "profile_reading"), _BRANCH),
    **dict.fromkeys(("memos", "memo_tags"), _MEMO),
    "summary_sources": "EXISTS (SELECT 1 FROM summaries s WHERE s.id = summary_id)",
    "profile_sources": "EXISTS (SELECT 1 FROM profile_entries e WHERE e.id = entry_id)",
    "vectors": _PLACE.format("vectors.place"),
    "turns_fts": _PLACE.format("rowid"),
    "turns_characters": _PLACE.format("rowid"),
    "preambles": _PREAMBLE.format("preambles.id"),
    "preamble_counts": _PREAMBLE.format("preamble_counts.preamble_id"),
    "blobs": _BLOB,
    "spend": _ACCOUNT,
    "alerts": _NAMED.format("name", "' '", "> 0"),
}  # fmt: skip
"""By table: which rows are a tenant's."""
ADDED_BY_ANYBODY = ("preambles", "blobs", "wordings", "memos", "memo_tags", "alerts")
"""Tables whose rows become a tenant's by what is written next, or are not read back by who adds them."""
KEPT_WHILE_HELD = {
    "preambles": "NOT preamble_held(id)",
    "preamble_counts": "NOT preamble_held(preamble_id)",
    "blobs": "NOT blob_held(hash)",
    "wordings": "NOT wording_held(id)",
}
"""Tables that tenants share: a row goes when no conversation holds it any more, whosoever it is."""
OF_ALL = {
    "calibration": "numbers learned of all",
    "wordings": "what plans, markers and usage are told in, without a figure",
    "memo_use": "numbers of all",
    "last_ids": "numbers of all",
    "workers": "processes that work for all",
    "job_counts": "numbers of all",
    "migrations": "the schema's own",
}
"""Tables that everybody sees, and why."""
READ_ONLY = ("migrations", "turns_fts", "turns_characters")
NEVER_CHANGED = ("wordings",)
"""Tables whose rows come and go, and say the same all that time."""

Connection = psycopg.Connection[Any]


def is_on(connection: Connection, schema: str) -> bool:
    """Whether a schema has row-level security."""
    return _first(connection, "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass($1)", schema)


def holds(connection: Connection, schema: str) -> bool:
    """Whether it holds the user of this connection."""
    return _first(connection, "SELECT row_security_active(to_regclass($1))", schema)


def held() -> list[str]:
    """Tables with policies."""
    return list(dict.fromkeys((*OWN, *KEPT_WHILE_HELD)))


def turn_on(connection: Connection) -> None:
    """Have the schema in the search path show each user one namespace at a time; once more, it is as it should be."""
    connection.execute(Path(__file__).with_name("row_security.sql").read_text(encoding="utf-8"))
    for table in held():
        for statement in _policies(table):
            connection.execute(statement)
    for (view,) in connection.execute("SELECT viewname FROM pg_views WHERE schemaname = current_schema()").fetchall():
        connection.execute(f'ALTER VIEW "{view}" SET (security_invoker = true)')


def turn_off(connection: Connection) -> None:
    """Show everybody with rights on the tables all rows again."""
    for table in held():
        connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def let_in(connection: Connection, schema: str, users: Sequence[str]) -> None:
    """Give users what an application needs in a schema: to read and write, not to change the tables."""
    for user in users:
        for statement in _rights(schema, user):
            connection.execute(statement)


def tenant_setting(namespace: str) -> str:
    """How a transaction names its namespace; so told that a session without is no tenant's."""
    return f"set_config('sash.tenant', {sql.Literal('n' + namespace).as_string()}, true)"


def _policies(table: str) -> Iterator[str]:
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    for name in ("own", "added", "kept"):
        yield f"DROP POLICY IF EXISTS {name} ON {table}"
    own = OWN.get(table, "true")
    added = "true" if table in ADDED_BY_ANYBODY else own
    if table not in ADDED_BY_ANYBODY and table not in KEPT_WHILE_HELD:
        yield f"CREATE POLICY own ON {table} USING ({own})"
        return
    yield f"CREATE POLICY own ON {table} USING ({own}) WITH CHECK ({added})"
    if table in KEPT_WHILE_HELD:
        yield f"CREATE POLICY kept ON {table} AS RESTRICTIVE FOR DELETE USING ({KEPT_WHILE_HELD[table]})"


def _rights(schema: str, user: str) -> Iterator[str]:
    here, role = f'"{schema}"', sql.Identifier(user).as_string()
    yield f"GRANT USAGE ON SCHEMA {here} TO {role}"
    for what in ("SELECT, INSERT, UPDATE, DELETE ON {}TABLES", "USAGE, SELECT, UPDATE ON {}SEQUENCES"):
        yield f"GRANT {what.format('ALL ')} IN SCHEMA {here} TO {role}"
        yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {here} GRANT {what.format('')} TO {role}"
    for table in READ_ONLY:
        yield f"REVOKE INSERT, UPDATE, DELETE ON {here}.{table} FROM {role}"
    for table in NEVER_CHANGED:
        yield f"REVOKE UPDATE ON {here}.{table} FROM {role}"


def _first(connection: Connection, asked: str, schema: str) -> bool:
    row = connection.execute(asked, (f'"{schema}".conversations',)).fetchone()
    return bool(row and row[0])
