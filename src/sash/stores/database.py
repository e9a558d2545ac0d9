"""One SQLite database: opened safely, written to by one thread at a time, in short transactions.

Readers do not wait for writers: as soon as two threads meet, they get connections of their own. A program of one
thread has one connection, which keeps what it has read in its cache, as long as only it writes.

WAL, `BEGIN IMMEDIATE`, foreign keys on, file mode 0600, every commit on disk (`synchronous=FULL`). A busy
database is tried again with jitter for `PATIENCE` seconds in all: a short wait each time, so that
several writers do not form a convoy. Threads that wait for one another to write share a commit (`sash.stores.groups`).
All statements of all parts of a store go through a `Transaction`; what SQLite says otherwise than other databases is
named in `sash.stores.dialect`.
"""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from sash.errors import ConversationClosed, ForeignDatabase, StoreUnavailable
from sash.stores.dialect import SQLITE
from sash.stores.groups import Group, Waiters, interrupted
from sash.stores.transaction import Transaction, newer_schema

APPLICATION_ID = 0x73617368  # "sash", in the file's header: tells our files from others'
SCHEMA = 43
"""How many migrations there are: stands in the file's header once they are applied. A test holds it true."""
INDEXES = ("turns_fts", "turns_characters")
SECURE = sqlite3.sqlite_version_info >= (3, 42)
"""Whether FTS5 can delete for good ("secure-delete")."""
SMALLER = ("m036_said_once", "m039_wordings")
"""The migrations after which a file holds much less than before."""
BUSY_SECONDS = 0.25
PATIENCE = 10.0
LONGEST = 1.0
"""Seconds for which a transaction waits for others to commit it, before it looks whether they still do."""
MOST_IDLE = 4
"""Connections that are kept open for readers."""
Reader = tuple[sqlite3.Connection, Transaction]
_creating = threading.Lock()
"""Held while a new file is made: nobody opens it before it is closed again."""


class SqliteDatabase:
    """An open database with the present schema. Raises ForeignDatabase, NewerSchema, StoreUnavailable."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._where = Path(self.path).absolute()  # the working directory may change while it is open
        self._lock = threading.RLock()
        self._crowded = False
        """whether several threads are at work here, so that readers have connections of their own"""
        self._waiting = Waiters()
        """for the lock"""
        self._group: Group | None = None
        """what is not committed yet, for somebody waits who goes on with it"""
        self._running = False
        """whether whoever has the lock is in the middle of a transaction"""
        self._exclusive = 0
        """how often whoever has the lock wants to be alone: what is written then is committed at once"""
        self._idle: list[Reader] = []
        """those that nobody reads with just now"""
        self._closed = False
        self._file: tuple[int, int] | None = None
        self._sqlite = self._connect()
        self._transaction = Transaction(self._sqlite, SQLITE)
        self._undone: list[Callable[[], None]] = []
        self._file = self._stat()
        self._closing = weakref.finalize(self, _close, self._sqlite, self._idle)  # also for an object nobody closes
        try:
            self._prepare()
        except BaseException:
            self._closing()
            raise

    def _connect(self) -> sqlite3.Connection:
        if self.path != ":memory:":
            self._create_private()
        try:
            return sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def _create_private(self) -> None:
        """Create the file readable by its owner alone; chats are nobody else's business.

        One that is there is not opened: closing it again would take away the locks that all connections of this process
        hold there (POSIX), and other processes would delete the log that these write to.
        """
        try:
            with _creating:
                if _is_usable(self._where):
                    return
                where = self._where.resolve() if self._where.is_symlink() else self._where  # `O_EXCL` follows no link
                os.close(os.open(where, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if where.is_dir():
                raise self._unopened(os.strerror(errno.EISDIR)) from None
            if not os.access(where, os.R_OK | os.W_OK):
                raise self._unopened(os.strerror(errno.EACCES)) from None
        except OSError as error:
            raise self._unopened(str(error.strerror)) from error

    def _unopened(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"cannot open {self.path!r}: {reason}; check the folder and its permissions", path=self.path
        )

    def _prepare(self) -> None:
        with self._lock, self._translated():
            self._reject_foreign()
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._patiently(f"PRAGMA {pragma}")
            if self._pragma("user_version") != SCHEMA:  # the file's header saves asking for each migration
                self._set_up()
            self._sqlite.row_factory = sqlite3.Row

    def _set_up(self) -> None:
        """Make the tables of a new file, or bring those of an older one up to date."""
        if not self._tables():
            self._create()
        if self._pragma("user_version") != SCHEMA:
            self._bring_up_to_date()

    def _create(self) -> None:
        """The present schema, in one go. Another process that makes the same new file at once is not disturbed."""
        with self._setting_up() as db:
            if not self._tables():
                for statement in _schema():
                    db.execute(statement)
                self._sign()

    def _bring_up_to_date(self) -> None:
        steps = _load_migrations()
        db = steps.Database(self._sqlite)
        self._reject_newer(steps.migrations, db)
        if steps.migrations.pending(db):
            smaller = any(migration.name in SMALLER for migration in steps.migrations.pending(db))
            with self._setting_up():
                steps.migrations.apply(db)
                self._sign()
            if smaller:
                self._give_back_space()

    def _give_back_space(self) -> None:
        """Make the file as small as what it holds; one that another program reads just now stays as large as it is."""
        with suppress(sqlite3.OperationalError):
            self._sqlite.execute("VACUUM")

    def _sign(self) -> None:
        """Say in the file's header that it is ours, with the present schema."""
        self._sqlite.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._sqlite.execute(f"PRAGMA user_version = {SCHEMA}")

    def _is_signed(self) -> bool:
        return self._pragma("application_id") == APPLICATION_ID

    @contextmanager
    def _setting_up(self) -> Iterator[sqlite3.Connection]:
        """A transaction for the tables themselves."""
        self._patiently("BEGIN IMMEDIATE")
        try:
            yield self._sqlite
            self._sqlite.execute("COMMIT")
        except BaseException:
            self._sqlite.rollback()
            raise

    def _tables(self) -> int:
        return int(self._sqlite.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def _pragma(self, name: str) -> int:
        return int(self._sqlite.execute(f"PRAGMA {name}").fetchone()[0])

    def _reject_foreign(self) -> None:
        try:
            foreign = not self._is_signed() and self._tables() > 0
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise ForeignDatabase(
                f"{self.path!r} is no SQLite database ({error}); name another file", path=self.path
            ) from error
        if foreign and not self._is_signed():  # nor was it made just now
            raise ForeignDatabase(
                f"{self.path!r} is a SQLite database that sash did not make; name another file, "
                "nothing in it was touched",
                path=self.path,
            )

    def _reject_newer(self, migrations: Any, db: Any) -> None:
        applied = {migration.name for migration in migrations.applied(db)}
        newer = sorted(applied - {migration.name for migration in migrations._migrations})
        if newer:
            raise newer_schema(self.path, newer)

    def close(self) -> None:
        """Close; a second time does nothing."""
        with self._lock:
            if not self._closed:
                self._settle(self._group)
                self._closed = True
                self._closing()

    @property
    def identity(self) -> tuple[int, int] | None:
        """Which file is open: device and number; None for a database in memory."""
        return self._file

    def _stat(self) -> tuple[int, int] | None:
        """Which file stands at the path; None for a database in memory, and where there is none any more."""
        if self.path == ":memory:":
            return None
        try:
            found = self._where.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _reject_lost(self) -> None:
        """What is written to a file that was deleted or replaced while open is gone when it is closed."""
        if self._lost():
            raise self._gone()

    def _lost(self) -> bool:
        return self._file is not None and self._stat() != self._file

    def _gone(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self.path!r} was deleted, moved or replaced while it was open; nothing of this step was written. "
            "Put the file back, or close this store and open the path again",
            path=self.path,
        )

    def when_undone(self, forget: Callable[[], None]) -> None:
        """Have this called when a transaction fails: what was remembered while it ran never happened."""
        self._undone.append(forget)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent snapshot for several reads."""
        with self._translated(), self._for_reading() as (sqlite, transaction):
            self._patiently("BEGIN", sqlite)
            try:
                yield transaction
            finally:
                sqlite.rollback()

    @contextmanager
    def _for_reading(self) -> Iterator[Reader]:
        """The connection that writes, while only one thread is at work; else another one, which waits for nobody."""
        if self._is_alone():
            try:
                self._require_open()
                yield self._sqlite, self._transaction
            finally:
                self._lock.release()
        elif self._file is None or (not self._idle and self._lost()):
            with self._locked():
                yield self._sqlite, self._transaction
        else:
            self._crowded = True
            yield from self._apart()

    def _is_alone(self) -> bool:
        """Take the lock if only one thread is at work: with others, something may be left there to be committed."""
        if self._crowded or not self._lock.acquire(blocking=False):
            return False
        if self._crowded:  # only just
            self._lock.release()
            return False
        return True

    def _apart(self) -> Iterator[Reader]:
        """A connection of the reader's own, for one reading."""
        self._require_open()
        try:
            reader = self._idle.pop()
        except IndexError:
            reader = self._another()
        try:
            yield reader
        finally:
            if self._closed or len(self._idle) >= MOST_IDLE:
                reader[0].close()
            else:
                self._idle.append(reader)

    def _another(self) -> Reader:
        sqlite = sqlite3.connect(
            f"{self._where.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, check_same_thread=False,
            isolation_level=None,
        )  # fmt: skip
        sqlite.row_factory = sqlite3.Row
        return sqlite, Transaction(sqlite, SQLITE)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._held():
            group = yield from self._written()
        self._await(group)

    @contextmanager
    def passing(self) -> Iterator[Transaction]:
        """A transaction that need not outlast a power cut: it waits for the disk only where it shares a commit."""
        with self._held():
            if self._group is not None:
                group = yield from self._written()
            else:
                with self._with_pragma("synchronous = NORMAL", then="synchronous = FULL"):
                    group = yield from self._written()
        self._await(group)

    @contextmanager
    def _with_pragma(self, pragma: str, *, then: str) -> Iterator[None]:
        """For one thread alone, with a pragma in force for as long."""
        with self._locked():
            self._sqlite.execute(f"PRAGMA {pragma}")
            try:
                yield
            finally:
                self._sqlite.execute(f"PRAGMA {then}")

    def _written(self) -> Generator[Transaction, None, Group]:
        """A transaction, the first of a group or a further one. Left to whoever waits to write, else committed."""
        self._reject_lost()
        group = self._joined()
        try:
            self._running = True
            yield self._transaction
            group.keep()
        except BaseException as error:
            self._undo(group, error)
            raise
        finally:
            self._running = False
            if self._group is group and not self._is_left(group):
                self._commit(group)
        return group

    def _joined(self) -> Group:
        """The group that a transaction begins in."""
        if self._group is not None and not self._group.whole:
            self._fail(self._group, interrupted())
        if self._group is None:
            self._patiently("BEGIN IMMEDIATE")
            self._group = Group(self._sqlite)
        self._group.begin()
        return self._group

    def _is_left(self, group: Group) -> bool:
        """Whether somebody waits who may go on with a group."""
        if self._exclusive or not self._crowded or not self._waiting.number:
            return False
        group.leave()
        return True

    def _undo(self, group: Group, error: BaseException) -> None:
        """Take back one transaction; its whole group where SQLite did so already, as it may on a full disk."""
        if group.undo():
            self._forget()
        else:
            self._fail(group, error)

    def _commit(self, group: Group) -> None:
        """Make durable what a group wrote, or undo it; its transactions learn which."""
        try:
            if not group.whole:
                raise interrupted()
            self._patiently("COMMIT")
        except BaseException as error:
            if isinstance(error, sqlite3.Error) or self._sqlite.in_transaction:
                self._fail(group, error)
            if not isinstance(error, sqlite3.Error):
                raise
        finally:
            self._group = None
            group.end()

    def _fail(self, group: Group, error: BaseException) -> None:
        self._group = None
        try:
            self._sqlite.rollback()
        finally:
            self._forget()
            group.end(error)

    def _forget(self) -> None:
        for forget in self._undone:
            forget()

    def _await(self, group: Group) -> None:
        """Wait until a group is committed: by whoever came last, or from here where that one was struck down."""
        try:
            while not group.ended(LONGEST):
                self._settle(group)
        except BaseException:
            self._settle(group)
            raise
        if group.error is not None:
            raise self._unavailable(group.error, shared=group.shared) from group.error

    def _settle(self, group: Group | None) -> None:
        """Commit a group that was left, unless somebody has done so."""
        with self._lock, suppress(sqlite3.Error):  # those who wait for it are told
            if group is not None and self._group is group:
                self._commit(group)

    @contextmanager
    def erasing(self) -> Iterator[Transaction]:
        """A transaction that leaves nothing of what it deletes in the file, in its indexes or in its log."""
        with self._locked():
            with self.writing() as db:
                _overwrite(db)
                yield db
                _rewrite_indexes(db)
            self._empty_log()

    def _empty_log(self) -> None:
        """Or the words would stand in the log until it is written over; whoever still reads there is waited for."""
        deadline = time.monotonic() + PATIENCE
        while self._sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] and time.monotonic() < deadline:
            time.sleep(random.uniform(0.005, 0.05))

    def unchecked(self) -> AbstractContextManager[None]:
        """While this lasts, references are not checked: for each row deleted, that would read whole tables."""
        return self._with_pragma("foreign_keys = OFF", then="foreign_keys = ON")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """For one thread alone, with nothing left to be committed. Raises what `_held` does."""
        with self._held():
            self._settle(self._group)
            self._exclusive += 1
            try:
                yield
            finally:
                self._exclusive -= 1

    @contextmanager
    def _held(self) -> Iterator[None]:
        """For one thread at a time. Raises ConversationClosed, and StoreUnavailable for whatever SQLite raises."""
        if not self._lock.acquire(blocking=False):
            self._crowded = self._file is not None
            with self._waiting:
                self._lock.acquire()
        try:
            self._require_open()
            self._reject_nested()
            yield
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error
        finally:
            self._lock.release()

    def _reject_nested(self) -> None:
        """A signal handler that writes while its thread does would take that transaction apart."""
        if self._running:
            raise sqlite3.OperationalError("cannot start a transaction within a transaction")

    def _require_open(self) -> None:
        if self._closed:
            raise ConversationClosed(f"the store {self.path!r} is closed; open it again", conversation=None)

    def _patiently(self, statement: str, sqlite: sqlite3.Connection | None = None) -> None:
        """Run a statement, waiting for other writers with jitter."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                (sqlite or self._sqlite).execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.005, 0.05))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException, *, shared: bool = False) -> StoreUnavailable:
        """`shared`: whoever hears of it is not the only one, and perhaps not the one whose step went wrong."""
        if self._lost():
            return self._gone()
        what = "this step was to be committed together with others, and none of them was: " if shared else ""
        remedy = "another program holds it; try again" if _is_busy(error) else "check its permissions and the disk"
        again = "try again; if that fails, too, " if shared and not _is_busy(error) else ""
        return StoreUnavailable(
            f"{self.path!r}: {what}{error}; {again}{remedy}. Nothing of this step was written", path=self.path
        )


def _is_usable(where: Path) -> bool:
    """Whether a file is there that may be read and written."""
    return os.access(where, os.R_OK | os.W_OK) and not os.path.isdir(where)  # noqa: PTH112 - in half the time


def _close(sqlite: sqlite3.Connection, idle: list[Reader]) -> None:
    for reader, _ in idle:
        reader.close()
    sqlite.close()


def _overwrite(db: Transaction) -> None:
    """Overwrite what is deleted from now on, in tables and, where this SQLite can, in the indexes."""
    db.execute("PRAGMA secure_delete = ON")
    for index in INDEXES if SECURE else ():
        db.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('secure-delete', 1)")


def _rewrite_indexes(db: Transaction) -> None:
    """An older SQLite keeps deleted words in an index until that is written anew."""
    for index in () if SECURE else INDEXES:
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")


@cache
def _schema() -> tuple[str, ...]:
    """The statements that make a new file."""
    text = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    return tuple(text.split(";\n\n"))


def _load_migrations() -> Any:
    """The one place that imports sqlite-utils: only a file of an older sash needs it."""
    from sash.stores import migrations  # noqa: PLC0415

    return migrations


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
