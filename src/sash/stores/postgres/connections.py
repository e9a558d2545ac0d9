"""Connections to a database: one pool for all stores of this process that name the same address.

A connection that broke while nobody used it (the server was restarted) is found out at the next transaction, and
another is taken. A pooler that gives each transaction another session may stand before the server: no settings and no
locks outlast a transaction, and statements are prepared only where the session is the server's own.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from sash.errors import StoreUnavailable
from sash.stores.postgres.faults import unreachable
from sash.stores.postgres.transaction import PlainNumber, named_rows
from sash.stores.postgres.url import Address

PATIENCE = 10.0
"""Seconds in all to wait for a connection, a lock, or a server that is being restarted."""
IDLE = 60.0
"""Seconds after which a connection that nobody uses is closed."""

PREPARED_AFTER, PREPARED = 3, 400
"""Uses after which the server keeps a statement's plan, and how many it keeps for a connection."""

Connection = psycopg.Connection[Any]
PARAMETERS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "cursor_factory": psycopg.RawCursor,
    "row_factory": named_rows,
    "client_encoding": "utf8",
    "connect_timeout": int(PATIENCE),
    "application_name": "sash",
}


class Connections:
    """The connections of this process to one place, shared by whoever names it; `leave` once for each `share`."""

    _shared: dict[tuple[int, str, int], Connections] = {}  # noqa: RUF012
    _lock = threading.Lock()

    def __init__(self, address: Address) -> None:
        self._address = address
        self._users = 0
        self._pool = ConnectionPool(
            address.conninfo,
            kwargs=PARAMETERS,
            configure=_configure,
            min_size=0,
            max_size=address.connections,
            timeout=PATIENCE,
            max_idle=IDLE,
            reconnect_timeout=PATIENCE,
            open=True,
            name="sash",
        )

    @classmethod
    def share(cls, address: Address) -> Connections:
        """The connections to an address. Raises StoreUnavailable where nobody gets in."""
        key = (os.getpid(), address.conninfo, address.connections)  # a child of this process opens its own
        with cls._lock:
            found = cls._shared.get(key)
        if found is None:
            connect(address).close()  # a pool would not say why it gets none
        with cls._lock:
            found = cls._shared.setdefault(key, found or cls._shared.get(key) or cls(address))
            found._users += 1
            return found

    def leave(self) -> None:
        """Close them once nobody needs them."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            self._shared.pop((os.getpid(), self._address.conninfo, self._address.connections), None)
        self._pool.close()

    def take(self) -> Connection:
        """A connection, to be given back. Raises StoreUnavailable."""
        try:
            return self._pool.getconn()
        except PoolTimeout:
            connect(self._address).close()  # says why, if it is the server's fault
            raise StoreUnavailable(
                f"{self._address.shown!r}: all {self._address.connections} connections of this process were in use for "
                f"{PATIENCE:g} seconds; allow more (connections=NUMBER in the URL) or do less at once. "
                "Nothing of this step was written",
                path=self._address.shown,
            ) from None
        except PoolClosed as error:
            raise StoreUnavailable(
                f"{self._address.shown!r} was closed; open it again", path=self._address.shown
            ) from error

    def give_back(self, connection: Connection) -> None:
        """Leave it to the next; a broken one is closed."""
        self._pool.putconn(connection)


def connect(address: Address) -> Connection:
    """A connection of one's own. Raises StoreUnavailable, which says what to do."""
    try:
        connection: Connection = psycopg.connect(address.conninfo, **PARAMETERS)
    except psycopg.Error as error:
        raise unreachable(address, error) from None
    _configure(connection)
    return connection


def _configure(connection: Connection) -> None:
    connection.adapters.register_loader("numeric", PlainNumber)
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    if row and row[0] == connection.info.backend_pid:  # a pooler says another number than the session behind it
        connection.prepare_threshold, connection.prepared_max = PREPARED_AFTER, PREPARED
