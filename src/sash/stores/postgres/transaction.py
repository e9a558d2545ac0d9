"""A transaction on PostgreSQL: statements with its placeholders, rows by name or number, its locks.

It begins with its first statement, and what nobody asks the outcome of goes along with the next one that is asked: a
server is far away compared with what it does there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from sash.stores.postgres.dialect import HELD, POSTGRES
from sash.stores.postgres.placeholders import in_order, numbered, unescaped
from sash.stores.postgres.trips import Asked, in_one_trip
from sash.stores.transaction import Query, Row, Rows, Transaction, Values, can_hold, not_to_be_kept

LOCKED = " FOR NO KEY UPDATE"
COMMIT: Asked = ("COMMIT", None)
MOST = 256
"""Statements that go to the server together, at most."""

Begin = Callable[[Sequence[Asked]], tuple[psycopg.Connection[Any], list[psycopg.Cursor[Any]]]]
"""Begins a transaction with these statements: the connection, and what they found."""


class PostgresTransaction(Transaction):
    """Runs statements on the connection that `begin` finds.

    `writes`: what it reads for writing is locked against other writers. `held`: by row-level security. `nearness`: see
    `Transaction`.
    """

    def __init__(self, begin: Begin, *, writes: bool, held: bool = False, nearness: str | None = None) -> None:
        super().__init__(None, HELD if held else POSTGRES)
        self._begin = begin
        self._waiting: list[Asked] = []
        self.held = LOCKED if writes else ""
        self.nearness = nearness
        self.skipping = f"{LOCKED} SKIP LOCKED" if writes else ""

    @property
    def begun(self) -> psycopg.Connection[Any] | None:
        """The connection that it runs on, once it has begun."""
        return self._connection  # type: ignore[no-any-return]

    @property
    def changes(self) -> tuple[int, int]:
        """The connection; what others wrote without sash, nobody tells."""
        return self.connection, 0

    def execute(self, statement: str, values: Values = ()) -> Rows:
        """Run a statement. Raises InvalidOption for a number or a text that no database holds."""
        self.later(statement, values)
        return self._go()[-1]

    def _add(self, insertion: str, values: Values) -> int:
        """Run an insertion of one row; its id."""
        return int(self.one(f"{insertion} RETURNING id", values)["id"])

    def each(self, asked: Iterable[Query]) -> list[list[Row]]:
        """What each of these queries finds, asked together."""
        queries = [_numbered(statement, values) for statement, values in asked]
        self._waiting += queries
        return [list(found) for found in self._go()[-len(queries) :]] if queries else []

    def later(self, statement: str, values: Values = ()) -> None:
        """Run a statement along with the next one that is asked, or at the end."""
        if len(self._waiting) >= MOST:
            self._go()
        self._waiting.append(_numbered(statement, values))

    def many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run a statement for each of these, as `later` does."""
        for values in rows:
            self.later(statement, values)

    def commit(self) -> None:
        """End it: what waits is run and all is kept. One that never began leaves nothing to keep.

        The beginning is never sent along with the end: of a transaction without a number nobody could tell what became.
        """
        if self._connection is None and self._waiting:
            self._go()
        if self._connection is not None:
            self._waiting.append(COMMIT)
            self._go()

    def _go(self) -> list[psycopg.Cursor[Any]]:
        """What the statements find that wait, on their way to the server together."""
        asked, self._waiting = self._waiting, []
        try:
            if self._connection is None:
                self._connection, found = self._begin(asked)
                return found
            return in_one_trip(self._connection, asked)
        except (psycopg.Error, UnicodeEncodeError) as error:
            given = [value for _, values in asked for value in values or ()]
            if all(map(can_hold, given)):
                raise
            raise not_to_be_kept(given) from error

    def alone(self, *subject: object) -> None:
        """From here on, no other transaction that says the same goes on before this one ends."""
        self.later("SELECT pg_advisory_xact_lock(?)", (lock_key(*subject),))

    def keep_free(self, table: str, upto: int) -> None:
        """Give no id up to this one."""
        if upto > self.highest_id(table):
            self.execute(f"SELECT setval('{table}_id_seq', ?)", (upto,))

    def keep_ids(self) -> None:
        """A sequence remembers by itself what it gave."""


def _numbered(statement: str, values: Values) -> Asked:
    asked, order = numbered(statement)
    return asked, in_order(values, order) if order else None


def lock_key(*subject: object) -> int:
    """A number of 64 bits that stands for a subject."""
    return int.from_bytes(hashlib.sha256(repr(subject).encode()).digest()[:8], "big", signed=True)


class NamedRow:
    """A row that was found: its columns by name or by number, or several; of two of one name, the first."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: dict[str, int], values: Sequence[Any]) -> None:
        self._names, self._values = names, values

    def __getitem__(self, column: str | int | slice) -> Any:
        if isinstance(column, slice):
            return tuple(map(unescaped, self._values[column]))
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
