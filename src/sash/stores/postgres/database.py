"""One PostgreSQL database: the record in a schema of its own, read and written in transactions of pooled connections.

Any number of threads, processes and machines may write at once. Who moves a conversation on locks its row first;
whoever erases on a user's request is alone. A commit whose answer was lost is looked up: what is raised says what
was written. All settings are those of a transaction, so that none outlasts it in a pooler.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from sash.errors import ConversationClosed, InvalidOption, StoreError, StoreUnavailable
from sash.stores.postgres import pgvector, row_security, setup
from sash.stores.postgres.connections import PATIENCE, Connection, Connections, connect
from sash.stores.postgres.faults import unavailable
from sash.stores.postgres.placeholders import escaped
from sash.stores.postgres.transaction import Begin, PostgresTransaction, lock_key
from sash.stores.postgres.trips import Asked, in_one_trip
from sash.stores.postgres.url import read_url
from sash.stores.transaction import Transaction

Begun = tuple[str, str]
"""The number of a transaction, and when the server that gave it was started."""
BEGUN = "pg_current_xact_id()::text, pg_postmaster_start_time()::text"
DEFERRED: Asked = ("SET CONSTRAINTS ALL DEFERRED", None)
WRITE: Asked = ("BEGIN ISOLATION LEVEL READ COMMITTED", None)
READ: Asked = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", None)
UNKNOWN = (
    "Whether this step was written is not known: the connection broke while it was committed, and the server cannot "
    "be asked. Look at the history before you say it again"
)


class PostgresDatabase:
    """An open database with the present schema. `url`, `namespace`: see `PostgresStore`."""

    def __init__(self, url: str, *, namespace: str | None = None) -> None:
        self.url = url
        self._address = read_url(url)
        self.namespace = namespace
        self.held = False
        self.nearness: str | None = None
        self._undone: list[Callable[[], None]] = []
        self._closed = False
        self._deferred: tuple[Asked, ...] = ()
        self._lock = threading.Lock()
        self._connections = Connections.share(self._address)
        self._closing = weakref.finalize(self, self._connections.leave)  # also for an object nobody closes
        self._settings = (
            f"SELECT set_config('search_path', '\"{self._address.schema}\"', true), "
            f"set_config('lock_timeout', '{int(PATIENCE * 1_000)}', true)"
        )
        if self.namespace is not None:
            self._settings += f", {row_security.tenant_setting(escaped(self.namespace))}"
        self._erasing = lock_key("erasing", self._address.schema)
        try:
            self._prepare()
        except BaseException:
            self._closing()
            raise

    @property
    def path(self) -> str:
        """The URL, without a password."""
        return self._address.shown

    @property
    def identity(self) -> tuple[str, str]:
        """The same for all of this process that have this schema open."""
        return self._address.conninfo, self._address.schema

    def _prepare(self) -> None:
        with self._connection() as connection:
            setup.prepare(connection, self._address)
            self.held = row_security.holds(connection, self._address.schema)
            self.nearness = pgvector.prepare(connection, self._address.schema)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection without a transaction, for what concerns the tables themselves. Raises StoreUnavailable."""
        connection = self._connections.take()
        try:
            yield connection
        except psycopg.Error as error:
            raise unavailable(self._address, error) from error
        finally:
            self._connections.give_back(connection)

    def _transaction(self, begin: Begin, *, writes: bool) -> PostgresTransaction:
        self._require_open()
        return PostgresTransaction(begin, writes=writes, held=self.held, nearness=self.nearness)

    def when_undone(self, forget: Callable[[], None]) -> None:
        """Have this called when a transaction fails: what was remembered while it ran never happened."""
        self._undone.append(forget)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent snapshot for several reads."""
        opening = (READ, (self._settings, None))
        transaction = self._transaction(lambda asked: self._begin(opening, asked), writes=False)
        try:
            yield transaction
            transaction.commit()  # not ROLLBACK, at which psycopg forgets all that the server has prepared
        except BaseException as error:
            self._roll_back(transaction.begun, error)
            if isinstance(error, psycopg.Error):
                raise unavailable(self._address, error) from error
            raise
        self._give_back(transaction)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._writing(*self._deferred, also=f"pg_advisory_xact_lock_shared({self._erasing})") as db:
            yield db

    @contextmanager
    def passing(self) -> Iterator[Transaction]:
        """A transaction that need not outlast a power cut: nothing waits for the disk."""
        passing = "set_config('synchronous_commit', 'off', true)"
        with self._writing(also=f"{passing}, pg_advisory_xact_lock_shared({self._erasing})") as db:
            yield db

    @contextmanager
    def erasing(self) -> Iterator[Transaction]:
        """A transaction with no other beside it. The server overwrites what was deleted when it vacuums."""
        with self._writing(DEFERRED, also=f"pg_advisory_xact_lock({self._erasing})") as db:
            yield db

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """While this lasts, references may lead nowhere until a transaction ends."""
        self._deferred = (DEFERRED,)
        try:
            yield
        finally:
            self._deferred = ()

    @contextmanager
    def _writing(self, *first: Asked, also: str) -> Iterator[PostgresTransaction]:
        """A transaction that begins with these statements and, with its settings, `also`."""
        number: list[Begun] = []
        opening = (WRITE, *first, (f"{self._settings}, {also}, {BEGUN}", None))

        def begin(asked: Sequence[Asked]) -> tuple[Connection, list[psycopg.Cursor[Any]]]:
            connection, found = self._begin(opening, asked)
            row = found[len(opening) - 1].fetchone() or ("", "")
            number.append((row[-2], row[-1]))
            return connection, found

        transaction = self._transaction(begin, writes=True)
        try:
            yield transaction
            self._commit(transaction, number)
        except BaseException as error:
            self._roll_back(transaction.begun, error)
            for forget in self._undone:
                forget()
            if isinstance(error, psycopg.Error):
                raise unavailable(self._address, error) from error
            raise
        self._give_back(transaction)

    def _require_open(self) -> None:
        if self.held and self.namespace is None:
            raise _which_namespace(self.path)
        if self._closed:
            raise ConversationClosed(f"the store {self.path!r} is closed; open it again", conversation=None)

    def _begin(self, opening: Sequence[Asked], asked: Sequence[Asked]) -> tuple[Connection, list[psycopg.Cursor[Any]]]:
        """A connection with a transaction that begins so; one that broke meanwhile is left for another.

        Whatever else is the matter with a statement is raised as it is, and the transaction is gone.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            self._require_open()
            connection = self._connections.take()
            try:
                return connection, in_one_trip(connection, [*opening, *asked])
            except BaseException as error:
                broken = connection.closed and isinstance(error, psycopg.Error)
                self._roll_back(connection, error)
                if not broken or time.monotonic() > deadline:
                    raise

    def _commit(self, transaction: PostgresTransaction, number: Sequence[Begun]) -> None:
        """Commit; where the answer is lost, ask what became of the transaction."""
        try:
            transaction.commit()
        except psycopg.OperationalError as error:
            broken = transaction.begun is not None and transaction.begun.closed
            if not broken or not self._was_committed(number[0]):
                raise unavailable(self._address, error) from error

    def _was_committed(self, transaction: Begun) -> bool:
        """What became of a transaction whose connection broke. Raises StoreUnavailable where nobody can tell.

        A server that crashed gives numbers again that it had given and not written down: there, the number of a
        transaction that is gone may be another one's by now.
        """
        number, server = transaction
        deadline = time.monotonic() + PATIENCE
        while True:
            said, asked = self._status(number)
            if said == "aborted" or (said == "committed" and asked == server):
                return said == "committed"
            if said == "committed" or time.monotonic() > deadline:
                raise StoreUnavailable(f"{self.path!r}: the connection was lost. {UNKNOWN}", path=self.path)
            time.sleep(0.1)

    def _status(self, number: str) -> Begun:
        """What a server says of a transaction ("" where it cannot be asked), and which run of it says so."""
        try:
            with connect(self._address) as connection:
                asked = "SELECT coalesce(pg_xact_status($1::xid8), ''), pg_postmaster_start_time()::text"
                row = connection.execute(asked, (number,)).fetchone()
                return (row[0], row[1]) if row else ("", "")
        except (StoreError, psycopg.Error):
            return "", ""  # asked again, as long as there is patience

    def _roll_back(self, connection: Connection | None, error: BaseException) -> None:
        if connection is None:
            return  # it never began
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        if isinstance(error, psycopg.errors.FeatureNotSupported):
            connection.close()  # what it has prepared is older than the tables: a newer version changed them
        self._connections.give_back(connection)

    def _give_back(self, transaction: PostgresTransaction) -> None:
        if transaction.begun is not None:
            self._connections.give_back(transaction.begun)

    def keep_tenants_apart(self, users: Sequence[str], *, on: bool) -> None:
        """Turn row-level security of the schema on or off, and let users in. Raises StoreUnavailable."""
        with self._connection() as connection:
            with connection.transaction():
                setup.lock(connection, self._address)
                if on:
                    row_security.turn_on(connection)
                else:
                    row_security.turn_off(connection)
                row_security.let_in(connection, self._address.schema, users)
            self.held = row_security.holds(connection, self._address.schema)

    def tenants_apart(self) -> bool:
        """Whether the schema has row-level security."""
        with self.reading() as db:
            row = db.one("SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('conversations')")
        return bool(row[0])

    def lacking_index(self) -> str | None:
        """The statement that would make search by meaning quicker, where there is one. Raises StoreUnavailable."""
        if self.nearness is None:
            return None
        with self._connection() as connection:
            return pgvector.lacking_index(connection, self._address.schema, self.nearness)

    def close(self) -> None:
        """Close; a second time does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._closing()


def _which_namespace(path: str) -> InvalidOption:
    return InvalidOption(
        f"{path!r} has row-level security, and shows this user one namespace at a time: say which "
        "(PostgresStore(url, namespace=NAME), or store.within(NAME)), or come as the owner of the schema",
        option="namespace",
        value=None,
    )
