"""An open transaction on PostgreSQL: statements with its placeholders, rows by name or number, its locks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from sash.stores.postgres.dialect import HELD, POSTGRES
from sash.stores.postgres.placeholders import in_order, numbered, unescaped
from sash.stores.transaction import Rows, Transaction, Values, can_hold, not_to_be_kept

LOCKED = " FOR NO KEY UPDATE"


class PostgresTransaction(Transaction):
    """Runs statements on one connection. `writes`: what it reads for writing is locked against other writers.

    `held`: by row-level security. `nearness`: see `Transaction`.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], *, writes: bool, held: bool = False, nearness: str | None = None
    ) -> None:
        super().__init__(connection, HELD if held else POSTGRES)
        self.held = LOCKED if writes else ""
        self.nearness = nearness
        self.skipping = f"{LOCKED} SKIP LOCKED" if writes else ""

    def execute(self, statement: str, values: Values = ()) -> Rows:
        """Run a statement. Raises InvalidOption for a number or a text that no database holds."""
        asked, order = numbered(statement)
        try:
            rows: Rows = self._connection.execute(asked, in_order(values, order) if order else None)
            return rows
        except (psycopg.Error, UnicodeEncodeError) as error:
            given = list(values.values() if isinstance(values, Mapping) else values)
            if all(map(can_hold, given)):
                raise
            raise not_to_be_kept(given) from error

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement for each of these."""
        given = list(rows)
        if len(given) == 1:
            self.execute(statement, given[0])
        elif given:
            asked, order = numbered(statement)
            self._connection.cursor().executemany(asked, [in_order(values, order) for values in given])

    def alone(self, *subject: object) -> None:
        """From here on, no other transaction that says the same goes on before this one ends."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (lock_key(*subject),))

    def keep_free(self, table: str, upto: int) -> None:
        """Give no id up to this one."""
        if upto > self.highest_id(table):
            self.execute(f"SELECT setval('{table}_id_seq', ?)", (upto,))

    def keep_ids(self) -> None:
        """A sequence remembers by itself what it gave."""


def lock_key(*subject: object) -> int:
    """A number of 64 bits that stands for a subject."""
    return int.from_bytes(hashlib.sha256(repr(subject).encode()).digest()[:8], "big", signed=True)


class NamedRow:
    """A row that was found: its columns by name or by number; of two columns of one name, the first."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: dict[str, int], values: Sequence[Any]) -> None:
        self._names, self._values = names, values

    def __getitem__(self, column: str | int) -> Any:
        return unescaped(self._values[self._names[column] if isinstance(column, str) else column])

    def __iter__(self) -> Iterator[Any]:
        return map(unescaped, self._values)

    def keys(self) -> Iterable[str]:
        """The names of its columns."""
        return self._names

    def __len__(self) -> int:
        return len(self._values)


def named_rows(cursor: psycopg.RawCursor[Any]) -> Callable[[Sequence[Any]], NamedRow]:
    """A row factory for psycopg."""
    names: dict[str, int] = {}
    for at, column in enumerate(cursor.description or ()):
        names.setdefault(column.name, at)
    return lambda values: NamedRow(names, values)


class PlainNumber(Loader):
    """Sums of whole numbers are `numeric` to PostgreSQL: whole numbers here, and others floats."""

    def load(self, data: Buffer) -> int | float:
        """The number that a text says."""
        said = bytes(data)
        return int(said) if said.lstrip(b"-").isdigit() else float(said)
