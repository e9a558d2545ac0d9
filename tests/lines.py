"""The line before a conversation, for tests of several modules: who stands in it, another in front, a lost place."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sash.model.leases import Ticket


def ticket(conversation: int, caller: str = "somebody else") -> Ticket:
    """A new one."""
    return Ticket(conversation=conversation, token=uuid.uuid4().hex, caller=caller)


@contextmanager
def another(store: Any, conversation: int = 1) -> Iterator[Ticket]:
    """Somebody else of this process writes to the conversation meanwhile."""
    theirs = ticket(conversation)
    store.leases.enter(theirs)
    try:
        yield theirs
    finally:
        store.leases.leave(theirs)


def lose_places(store: Any, *, renewed: bool = False) -> None:
    """All who stand in any line sleep until their time has run out; the thread that renews places sleeps on with those
    of this store, unless they are to be `renewed`."""
    if not renewed:
        store.leases.renew = lambda: True
    with store.database.writing() as db:
        db.execute("UPDATE leases SET until = 0")


def callers(path: Path) -> list[str]:
    """Who stands in the lines of a file, in order."""
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT caller FROM leases ORDER BY id")]
