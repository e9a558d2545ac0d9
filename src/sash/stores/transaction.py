"""What the statements of a store are run in: a database, its open transaction, and the dialect that it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Protocol

from sash.errors import InvalidOption, NewerSchema
from sash.stores.dialect import Dialect

Values = Sequence[Any] | Mapping[str, Any]
"""What is bound to the placeholders of a statement: `?` in their order, `?1`, or `:name`."""
Query = tuple[str, Values]
"""A statement that asks, and its values."""

NEVER_AGAIN = ("conversations", "branches", "turns", "epochs", "requests", "summaries", "submissions")
"""Tables whose ids are not given a second time: other processes remember them beyond a deletion."""


class Row(Protocol):
    """A row that was found: its columns by name or by number, or several of them as a tuple."""

    def __getitem__(self, column: str | int | slice, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def keys(self) -> Iterable[str]:
        """The names of its columns."""
        ...


class Rows(Protocol):
    """Rows as they are read, one after the other; how many a statement changed."""

    @property
    def rowcount(self) -> int: ...
    def __iter__(self) -> Iterator[Row]: ...


class Database(Protocol):
    """An open database with the present schema. Of the transactions that begin here, one thread has one at a time."""

    @property
    def path(self) -> str:
        """Where it is, as people are told."""
        ...

    @property
    def identity(self) -> object:
        """The same for all that have this database open; None for one that nobody else can open."""
        ...

    def when_undone(self, forget: Callable[[], None]) -> None:
        """Have this called when a transaction fails: what was remembered while it ran never happened."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """A consistent snapshot for several reads."""
        ...

    def writing(self) -> AbstractContextManager[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        ...

    def passing(self) -> AbstractContextManager[Transaction]:
        """A transaction that need not outlast a power cut: nothing waits for the disk."""
        ...

    def erasing(self) -> AbstractContextManager[Transaction]:
        """A transaction with no other beside it, whose deleted rows are not left where the database can help it."""
        ...

    def unchecked(self) -> AbstractContextManager[None]:
        """While this lasts, references may lead nowhere."""
        ...

    def close(self) -> None:
        """Close; a second time does nothing."""
        ...


class Transaction:
    """Runs statements. Names in them come from this package alone, values are bound."""

    held = ""
    """What a query ends in, for no other writer to change what it finds: here, nobody else writes anyway."""
    nearness: str | None = None
    """The schema of what compares vectors in the database itself; None: nothing does."""
    skipping = ""
    """The same for a query that steps over what another writer has: here, there is none."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self._connection = connection
        self.sql = dialect

    @property
    def connection(self) -> int:
        """Names the connection."""
        return id(self._connection)

    @property
    def changes(self) -> tuple[int, int]:
        """The connection, and a number that changes there when another one has written, with sash or without."""
        return self.connection, int(self.one("PRAGMA data_version")[0])

    def alone(self, *subject: object) -> None:
        """From here on, no other transaction that says the same goes on before this one ends: here, none does."""

    def execute(self, statement: str, values: Values = ()) -> Rows:
        """Run a statement. Raises InvalidOption for a number or a text that no database holds."""
        try:
            rows: Rows = self._connection.execute(statement, values)
            return rows
        except (OverflowError, UnicodeEncodeError) as error:
            raise not_to_be_kept(values) from error

    def later(self, statement: str, values: Values = ()) -> None:
        """Run a statement of which nobody asks what came of it: before the next one that is asked, or at the end.

        Whatever is the matter with it is raised there, at the latest; here, it is run at once.
        """
        self.execute(statement, values)

    def many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run a statement for each of these, as `later` does; of none, the database hears nothing."""
        if rows:
            self._connection.executemany(statement, rows)

    def one(self, statement: str, values: Values = ()) -> Any:
        """The first row that a query finds, a `Row`; None where it finds none."""
        return next(iter(self.execute(statement, values)), None)

    def all(self, statement: str, values: Values = ()) -> list[Row]:
        """All rows that a query finds."""
        return list(self.execute(statement, values))

    def each(self, asked: Iterable[Query]) -> list[list[Row]]:
        """What each of these queries finds: where the database is far away, all of them in one way there and back."""
        return [self.all(statement, values) for statement, values in asked]

    def insert(self, table: str, columns: Mapping[str, Any]) -> int:
        """Insert one row; its id."""
        return self._add(_insertion(self.sql, table, tuple(columns)), tuple(columns.values()))

    def _add(self, insertion: str, values: Values) -> int:
        """Run an insertion of one row; its id."""
        cursor: Any = self.execute(insertion, values)
        return int(cursor.lastrowid)

    def update(self, table: str, key: int, columns: Mapping[str, Any]) -> None:
        """Update one row by its id, as `later` does."""
        pairs = ", ".join(f"{name} = ?" for name in columns)
        self.later(f"UPDATE {table} SET {pairs} WHERE id = ?", (*columns.values(), key))

    def highest_id(self, table: str) -> int:
        """The highest id that a table has ever given, 0 before the first."""
        return int(self.one(f"SELECT {self.sql.newest_id(table)}")[0])

    def keep_free(self, table: str, upto: int) -> None:
        """Give no id up to this one, where ids are not given a second time."""
        if upto and table in NEVER_AGAIN:
            self.execute(
                "INSERT INTO last_ids VALUES (?, ?) "
                f"ON CONFLICT (name) DO UPDATE SET id = {self.sql.greatest}(last_ids.id, excluded.id)",
                (table, upto),
            )

    def keep_ids(self) -> None:
        """Remember the highest ids given so far, before rows are deleted."""
        for table in NEVER_AGAIN:
            self.keep_free(table, self.highest_id(table))


@cache  # few tables with few sets of columns, several times in every send
def _insertion(sql: Dialect, table: str, columns: tuple[str, ...]) -> str:
    """The statement that inserts a row with these columns, and an id that was never given where that matters."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    if table in NEVER_AGAIN:
        names, marks = f"id, {names}", f"{sql.next_id(table)}, {marks}"
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"


def newer_schema(path: str, found: Sequence[str]) -> NewerSchema:
    """The error for a database with migrations (names) that this version does not know."""
    return NewerSchema(
        f"{path!r} was written by a newer sash (it knows {', '.join(found)}); upgrade sash to open it",
        path=path,
        found=found,
    )


def not_to_be_kept(values: Values) -> InvalidOption:
    """The error for a value that cannot be bound: it names the first such one."""
    given = values.values() if isinstance(values, Mapping) else values
    value = next((one for one in given if not can_hold(one)), None)
    return InvalidOption(
        f"{value!r:.60} is nothing that a database holds: whole numbers have 64 bits, texts no half surrogate pair",
        option="value",
        value=value,
    )


def can_hold(value: Any) -> bool:
    """Whether a database can hold this number or text."""
    if isinstance(value, str):
        return not any("\ud800" <= sign <= "\udfff" for sign in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63
