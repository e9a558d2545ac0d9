"""The record in a PostgreSQL database, in a schema of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from sash.errors import InvalidOption
from sash.stores.port import Remark
from sash.stores.postgres.database import PostgresDatabase
from sash.stores.store import DatabaseStore


class PostgresStore(DatabaseStore):
    """Open the database at `url`, and make the record's tables there where they are not yet.

    `url`: `postgresql://user:password@host:port/database`, with whatever parameters libpq knows, and three of our own:
    `schema` (where the tables are, "sash"), `language` (whose words are taken for one another in a search, "english";
    "simple": none), `connections` (the most that this process opens to this database, 10).
    `namespace`: the one tenant that is seen, where row-level security holds this user; None: not said. Needs
    `sash[postgres]` and PostgreSQL 15 or newer. Raises InvalidOption, ForeignDatabase, NewerSchema, StoreUnavailable.
    """

    database: PostgresDatabase

    def __init__(self, url: str, *, namespace: str | None = None) -> None:
        super().__init__(PostgresDatabase(url, namespace=namespace))
        self._tenants: dict[str, PostgresStore] = {}
        self._lock = threading.Lock()

    def within(self, namespace: str) -> PostgresStore:
        """The store as one tenant sees it: the same, unless row-level security holds this user.

        It is closed with this one. Raises InvalidOption for another tenant than the one that is seen already.
        """
        database = self.database
        if not database.held or database.namespace == namespace:
            return self
        if database.namespace is not None:
            raise InvalidOption(
                f"namespace={namespace!r}: this store shows the namespace {database.namespace!r} alone; "
                "open another one",
                option="namespace",
                value=namespace,
            )
        with self._lock:
            if namespace not in self._tenants:
                self._tenants[namespace] = PostgresStore(database.url, namespace=namespace)
            return self._tenants[namespace]

    def keep_tenants_apart(self, users: Iterable[str] = (), *, on: bool = True) -> None:
        """Row-level security: whatever statement asks, a transaction sees and writes the rows of one namespace.

        It holds all users but the schema's owner (who turns it on or off), superusers and roles with BYPASSRLS. `users`
        are given what an application needs: to read and write, not to change the tables. Stores that were open
        before are opened again. Raises StoreUnavailable.
        """
        self.database.keep_tenants_apart(tuple(users), on=on)

    def remarks(self) -> Sequence[Remark]:
        """Whom row-level security holds, and how search by meaning works."""
        return (*self._of_tenants(), self._of_vectors())

    def _of_vectors(self) -> Remark:
        if self.database.nearness is None:
            text = (
                "without the extension pgvector each process reads the vectors of a conversation before it searches "
                "them by meaning: install it (CREATE EXTENSION vector) if conversations have thousands of turns, then "
                "open the record as the schema's owner"
            )
            return Remark(about="meaning", text=text, good=False)
        lacking = self.database.lacking_index()
        if lacking is not None:
            text = f"pgvector searches long conversations without an index; the schema's owner may make it: {lacking}"
            return Remark(about="meaning", text=text, good=False)
        return Remark(about="meaning", text="pgvector searches long conversations")

    def _of_tenants(self) -> Sequence[Remark]:
        if not self.database.tenants_apart():
            return ()
        if self.database.held:
            return (Remark(about="tenants", text="row-level security shows this user one namespace at a time"),)
        text = (
            "row-level security is on, and does not hold this user (the schema's owner, a superuser, or one with "
            "BYPASSRLS): applications come as another one (sash row-security DATABASE --on --user NAME)"
        )
        return (Remark(about="tenants", text=text, good=False),)

    def close(self) -> None:
        """Close it, and what it made; further calls raise ConversationClosed."""
        with self._lock:
            tenants, self._tenants = tuple(self._tenants.values()), {}
        for tenant in tenants:
            tenant.close()
        super().close()
