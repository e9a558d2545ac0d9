"""Group commit: transactions of several threads on one connection that are made durable together.

A commit waits for the disk, and writes every page that was touched. Where others wait to write already, a transaction
is left uncommitted for the next thread to go on with, and the last one commits for all: nobody is told of success
before that. Each stands behind a savepoint, so that one that fails takes back its own alone.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress

_OWN = "own"
"""The savepoint that all but the first transaction of a group begin with."""


class Group:
    """Transactions that are committed at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._size = 0
        self._left: threading.Event | None = None
        self.whole = True
        """whether no transaction stopped in the middle: what of it is there must not be committed"""
        self.error: sqlite3.Error | None = None
        """why nothing of it was committed"""

    @property
    def shared(self) -> bool:
        """Whether it is of several transactions."""
        return self._size > 1

    def begin(self) -> None:
        """One more transaction."""
        if self._size:
            self._connection.execute(f"SAVEPOINT {_OWN}")
        self._size += 1
        self.whole = False

    def keep(self) -> None:
        """It is done. Raises sqlite3.Error where SQLite took all of the group back meanwhile."""
        if not self._connection.in_transaction:
            raise interrupted()
        if self._size > 1:
            self._connection.execute(f"RELEASE {_OWN}")
        self.whole = True

    def undo(self) -> bool:
        """Take it back; whether the others stand."""
        with suppress(sqlite3.Error):
            if self._size > 1 and self._connection.in_transaction:
                self._connection.execute(f"ROLLBACK TO {_OWN}")
                self._connection.execute(f"RELEASE {_OWN}")
                self.whole = True
        return self.whole

    def leave(self) -> None:
        """Another thread will go on with it."""
        self._left = self._left or threading.Event()

    def end(self, error: BaseException | None = None) -> None:
        """It is committed, or was undone for this reason; what one transaction raised is no business of the others."""
        if error is not None and self.error is None:
            self.error = error if isinstance(error, sqlite3.Error) else interrupted()
        if self._left is not None:
            self._left.set()

    def ended(self, seconds: float) -> bool:
        """Whether it is, after so many seconds at most."""
        return self._left is None or self._left.wait(seconds)


class Waiters:
    """How many threads wait: each does `with` it."""

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.number += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.number -= 1


def interrupted() -> sqlite3.OperationalError:
    """The error of transactions whose group came to an end in the middle of one of them."""
    return sqlite3.OperationalError("a transaction was interrupted before its commit")
