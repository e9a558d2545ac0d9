"""Tables and views of the record, read off a file as all migrations together make it."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from sqlite_utils import Database

from sash.stores import migrations as steps

OWN = "name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_%' ESCAPE '\\'"
INNER = "name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')"


def pages() -> dict[str, str]:
    """One page with tables, views and migrations."""
    return {"reference/schema.md": "\n".join(_lines())}


def listed() -> list[dict[str, str]]:
    """Its entry in the navigation."""
    return [{"Tables and views": "reference/schema.md"}]


def _lines() -> Iterator[str]:
    yield "# Tables and views of the record\n"
    yield "Times are Unix seconds, sizes tokens, costs dollars, content the JSON text that was sent. Views are for"
    yield "people and other programs to read; tables may gain columns with any version.\n"
    with closing(sqlite3.connect(":memory:")) as file:
        db = Database(file)
        steps.migrations.apply(db)
        for kind, title in (("view", "Views"), ("table", "Tables")):
            yield f"## {title}\n"
            made = f"SELECT name, sql FROM sqlite_master WHERE type = '{kind}' AND {OWN} AND {INNER}"
            for name, sql in db.execute(made).fetchall():
                yield from _table(db, name, sql)
    yield from _migrations()


def _table(db: Database, name: str, sql: str) -> Iterator[str]:
    yield f"### {name}\n"
    if "CREATE VIRTUAL" in sql:
        yield f"```sql\n{sql}\n```\n"
        return
    keys = {
        column: f"{table}.{other or 'id'}"
        for _, _, table, column, other, *_ in db.execute(f"PRAGMA foreign_key_list({name})")
    }
    yield "| column | type | |"
    yield "|---|---|---|"
    for _, column, kind, needed, default, key, _ in db.execute(f"PRAGMA table_xinfo({name})"):
        notes = ["key" if key else "", "never null" if needed else "", f"default `{default}`" if default else ""]
        notes.append(f"→ {keys[column]}" if column in keys else "")
        yield f"| {column} | {kind.lower()} | {', '.join(filter(None, notes))} |"
    yield ""


def _migrations() -> Iterator[str]:
    yield "## Migrations\n"
    yield "| step | what it brings |"
    yield "|---|---|"
    for name, function in inspect.getmembers(steps, inspect.isfunction):
        if name.startswith("m0"):
            yield f"| {name} | {' '.join((inspect.getdoc(function) or '').split())} |"
    yield ""
