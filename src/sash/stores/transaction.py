"""What the statements of a store are run in: an open transaction, and the dialect that it speaks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sash.stores.dialect import Dialect

Values = Sequence[Any] | Mapping[str, Any]
"""What is bound to the placeholders of a statement: `?` in their order, `?1`, or `:name`."""

NEVER_AGAIN = ("conversations", "branches", "turns", "epochs", "requests", "summaries", "submissions")
"""Tables whose ids are not given a second time: other processes remember them beyond a deletion."""


class Row(Protocol):
    """A row that was found: its columns by name or by number."""

    def __getitem__(self, column: str | int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Rows(Protocol):
    """Rows as they are read, one after the other; how many a statement changed."""

    @property
    def rowcount(self) -> int: ...
    def __iter__(self) -> Iterator[Row]: ...


class Transaction:
    """Runs statements. Names in them come from this package alone, values are bound."""

    def __init__(self, connection: sqlite3.Connection, dialect: Dialect) -> None:
        self._connection = connection
        self.sql = dialect

    def execute(self, statement: str, values: Values = ()) -> Rows:
        """Run a statement."""
        return self._connection.execute(statement, values)

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement for each of these."""
        self._connection.executemany(statement, rows)

    def one(self, statement: str, values: Values = ()) -> Any:
        """The first row that a query finds, a `Row`; None where it finds none."""
        return self._connection.execute(statement, values).fetchone()

    def all(self, statement: str, values: Values = ()) -> list[Row]:
        """All rows that a query finds."""
        return self._connection.execute(statement, values).fetchall()

    def insert(self, table: str, columns: Mapping[str, Any]) -> int:
        """Insert one row; its id."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        if table in NEVER_AGAIN:
            names, marks = f"id, {names}", f"{self.sql.next_id(table)}, {marks}"
        row = self.one(f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", tuple(columns.values()))
        return int(row["id"])

    def update(self, table: str, key: int, columns: Mapping[str, Any]) -> None:
        """Update one row by its id."""
        pairs = ", ".join(f"{name} = ?" for name in columns)
        self.execute(f"UPDATE {table} SET {pairs} WHERE id = ?", (*columns.values(), key))

    def keep_ids(self) -> None:
        """Remember the highest ids given so far, before rows are deleted."""
        for table in NEVER_AGAIN:
            self.execute(
                f"INSERT INTO last_ids SELECT '{table}', max(id) FROM {table} WHERE true HAVING max(id) IS NOT NULL "
                f"ON CONFLICT (name) DO UPDATE SET id = {self.sql.greatest}(last_ids.id, excluded.id)"
            )
