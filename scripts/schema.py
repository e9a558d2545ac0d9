"""Write what a new file holds, `src/sash/stores/schema.sql`, and the same for PostgreSQL: run it after a migration was
appended (and say in `stores/postgres/migrations.py` what an older schema there lacks)."""

from pathlib import Path

from sqlite_utils import Database

import postgres_schema
import sash
from sash.stores.migrations import migrations

HEAD = """-- What a new file holds: all migrations together. Written by scripts/schema.py from migrations.py.
-- Statements end with a semicolon and an empty line.
"""
OWN = "name NOT LIKE 'sqlite_%' AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')"


def statements(db: Database) -> list[str]:
    """The tables, indexes, views and triggers in the order they were made, and the rows that a new file begins with."""
    made = [sql for (sql,) in db.execute(f"SELECT sql FROM sqlite_master WHERE {OWN} ORDER BY rowid")]
    applied = [f"('{migrations.name}', '{one.name}', datetime('now') || '+00:00')" for one in migrations.applied(db)]
    marks = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES\n    " + ",\n    ".join(applied)
    return [*made, marks, *rows(db)]


def rows(db: Database) -> list[str]:
    """What migrations put into their own tables."""
    tables = db.execute(f"SELECT name FROM sqlite_master WHERE {OWN} AND type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
    found = [(name, tuple(row)) for (name,) in tables.fetchall() for row in db.execute(f'SELECT * FROM "{name}"')]
    return [f"INSERT INTO {name} VALUES ({', '.join(map(repr, row))})" for name, row in found if name[0] != "_"]


def text(head: str, made: list[str]) -> str:
    """A file of statements."""
    return head + ";\n\n".join(made) + ";\n"


if __name__ == "__main__":
    db = Database(memory=True)
    migrations.apply(db)
    stores = Path(sash.__file__).with_name("stores")
    made = statements(db)
    (stores / "schema.sql").write_text(text(HEAD, made), encoding="utf-8")
    postgres = text(postgres_schema.HEAD, postgres_schema.statements(made))
    (stores / "postgres" / "schema.sql").write_text(postgres, encoding="utf-8")
