"""The line before each conversation: tickets in order of arrival, of which the first may write.

A ticket is void once its holder has left (for its own process even where that could not be written down), once its
process has ended (looked up where it ran on this machine) or, where that cannot be told, `LASTS` seconds after it was
last renewed: a thread renews all that this process holds. Times are the store's own, for the clocks of those who wait
may differ. A power cut may take tickets along: their processes are gone, too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from weakref import WeakSet

from sash.errors import ConversationClosed, StoreError
from sash.model.blocks import dumps
from sash.model.leases import Place, Ticket
from sash.stores.cache import Cache
from sash.stores.lineage import deleted
from sash.stores.processes import gone, owner
from sash.stores.transaction import Database, Row, Transaction
from sash.stores.windows import Windows

LASTS = 60.0
"""Seconds after which a ticket is void that nobody renewed."""
EVERY = 15.0
"""Seconds between two renewals."""


class Leases:
    """Who may write. See `sash.flows.record.Leases`."""

    def __init__(self, database: Database, cache: Cache, windows: Windows) -> None:
        self._database, self._cache, self._windows = database, cache, windows
        self._held: set[str] = set()
        self._first: dict[int, str] = {}
        """by conversation: the ticket of this store whose turn it is"""

    def enter(self, ticket: Ticket) -> Place:
        """Come last in the line, and see who is ahead."""
        self._held.add(ticket.token)
        _renewals.begin(self)
        with self._database.passing() as db:
            place = _settle(db, ticket) if _join(db, ticket) else Place(ahead=0)
            if not place.ahead:
                self._first[ticket.conversation] = ticket.token
                self._windows.look_ahead(db, ticket.conversation)
        return place

    def place(self, ticket: Ticket) -> Place:
        """How it stands now."""
        place = self._place(ticket)
        if not place.ahead:
            self._first[ticket.conversation] = ticket.token
        return place

    def _place(self, ticket: Ticket) -> Place:
        with self._database.reading() as db:
            line = _line(db, ticket)
        if any(row["token"] == ticket.token for row in line) and not any(map(_void, line)):
            return _place(line, ticket)
        with self._database.passing() as db:
            return _settle(db, ticket)

    def give_up(self, db: Transaction, conversation: int) -> str:
        """In a transaction that ends a call: whoever's turn it is lets the next one in. The token, "" for none."""
        token = self._first.get(conversation, "")
        if token:
            db.later("DELETE FROM leases WHERE token = ?", (token,))
        return token

    def given_up(self, token: str) -> None:
        """That transaction is committed: nothing is left to be given back."""
        self._held.discard(token)

    def leave(self, ticket: Ticket) -> None:
        """Let the next one in."""
        self._cache.ahead.pop(ticket.conversation, None)
        if self._first.get(ticket.conversation) == ticket.token:
            del self._first[ticket.conversation]
        if ticket.token not in self._held:
            return
        self._held.discard(ticket.token)
        with self._database.passing() as db:
            db.execute("DELETE FROM leases WHERE token = ?", (ticket.token,))

    def renew(self) -> bool:
        """Renew what is held here; whether there may be anything to renew later."""
        tokens = tuple(self._held)
        if not tokens:
            return False
        try:
            with self._database.passing() as db:
                db.execute(
                    f"UPDATE leases SET until = ? WHERE token IN {db.sql.among_names('?')}",
                    (time.time() + LASTS, dumps(tokens)),
                )
        except ConversationClosed:
            return False
        except StoreError:
            return True  # next time
        return True

    def close(self) -> None:
        """Give back all that is held here, before the store is closed."""
        tokens, self._held = tuple(self._held), set()
        if tokens:
            with suppress(StoreError, ConversationClosed), self._database.passing() as db:
                db.execute(f"DELETE FROM leases WHERE token IN {db.sql.among_names('?')}", (dumps(tokens),))


def _join(db: Transaction, ticket: Ticket) -> int:
    """Stand last; how many are ahead. Raises NotFound for a conversation that was deleted meanwhile."""
    mine = owner()
    db.alone("line", ticket.conversation)  # or one who is ahead might not be seen yet
    row = db.one(
        "INSERT INTO leases (conversation_id, token, caller, machine, process, until) "
        "SELECT id, ?2, ?3, ?4, ?5, ?6 FROM conversations WHERE id = ?1 "
        "RETURNING (SELECT count(*) FROM leases l WHERE l.conversation_id = ?1 AND l.id < leases.id) AS ahead",
        (ticket.conversation, ticket.token, ticket.caller, mine["machine"], mine["process"], time.time() + LASTS),
    )
    if row is None:
        raise deleted(ticket.conversation)
    return int(row["ahead"])


def _settle(db: Transaction, ticket: Ticket) -> Place:
    """Take out of the line who is void; who was out of it by mistake stands last again."""
    for row in _line(db, ticket):
        if _void(row) and row["token"] != ticket.token:
            db.execute("DELETE FROM leases WHERE id = ?", (row["id"],))
    line = _line(db, ticket)
    if not any(row["token"] == ticket.token for row in line):
        _join(db, ticket)
        line = _line(db, ticket)
    return _place(line, ticket)


def _line(db: Transaction, ticket: Ticket) -> list[Row]:
    return db.all("SELECT * FROM leases WHERE conversation_id = ? ORDER BY id", (ticket.conversation,))


def _void(row: Row) -> bool:
    """Whether nobody stands there any more; one of ours does while it is held, even if it could not be given back."""
    if row["until"] < time.time():
        return True
    ours = {key: row[key] for key in ("machine", "process")} == owner()
    return not _renewals.holds(row["token"]) if ours else gone(row)


def _place(line: Iterable[Row], ticket: Ticket) -> Place:
    """Where a ticket stands in a line that holds it."""
    line, mine, callers = list(line), owner(), (ticket.caller, *ticket.within)
    ahead = line[: [row["token"] for row in line].index(ticket.token)]
    own = any(row["caller"] in callers and {key: row[key] for key in mine} == mine for row in ahead)
    return Place(ahead=len(ahead), own=own)


class _Renewals:
    """Renews the tickets of all stores of this process, in one thread that lives as long as there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._leases: WeakSet[Leases] = WeakSet()

    def begin(self, leases: Leases) -> None:
        """Renew what is held there from now on."""
        with self._lock:
            self._leases.add(leases)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="sash leases", daemon=True)
                self._thread.start()

    def holds(self, token: str) -> bool:
        """Whether a ticket of this process is held."""
        with self._lock:
            return any(token in leases._held for leases in self._leases)

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            with self._lock:
                all_of_them = list(self._leases)
            idle = [leases for leases in all_of_them if not leases.renew()]
            del all_of_them
            with self._lock:
                self._leases.difference_update(leases for leases in idle if not leases._held)
                del idle
                if not self._leases:
                    self._thread = None
                    return


_renewals = _Renewals()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renewals.__init__)  # type: ignore[misc]
