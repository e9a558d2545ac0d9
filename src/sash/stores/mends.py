"""What is sent of turns in the place of their content, which stays as it came: what repairs made of them, and the ends
of tool results that are too long to be sent whole.

A request that left before a repair is rebuilt without it: each form knows the newest request of its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sash.model.blocks import dumps
from sash.model.turns import Mended
from sash.stores.transaction import Transaction

NOW = 2**62
"""The id of a request that is still to come."""

_SHARING = """WITH RECURSIVE moved (here, there) AS (SELECT m.turn_id, s.value FROM mends m, {sources} s),
shared (id) AS (SELECT value FROM {given} UNION SELECT CASE m.here WHEN shared.id THEN m.there ELSE m.here END
    FROM shared JOIN moved m ON shared.id IN (m.here, m.there))
SELECT id FROM shared"""


def put(db: Transaction, mended: Iterable[Mended], at: float) -> None:
    """Have turns sent in another form from the next request on."""
    newest = db.highest_id("requests")
    for one in mended:
        columns = {"turn_id": one.turn, "content": one.content, "sources": dumps(list(one.sources))}
        db.insert("mends", {**columns, "request_id": newest, "at": at})
        db.update("turns", one.turn, {"mended": True, "plain": one.plain})
        db.execute("DELETE FROM counts WHERE turn_id = ?", (one.turn,))


def begin(db: Transaction, turn: int, form: str, at: float) -> None:
    """Have a turn that was just recorded sent in another form from the start."""
    newest = db.highest_id("requests")
    db.insert("mends", {"turn_id": turn, "content": form, "sources": "[]", "request_id": newest, "at": at})


def of(db: Transaction, turn: int, request: int = NOW) -> str | None:
    """The form in which `request` sent a turn; None: as it came."""
    row = db.one(
        "SELECT content FROM mends WHERE turn_id = ? AND request_id < ? ORDER BY id DESC LIMIT 1", (turn, request)
    )
    return str(row["content"]) if row else None


def sharing(db: Transaction, turns: Sequence[int]) -> list[int]:
    """These turns, and all that a repair moved words from or to."""
    sharing = _SHARING.format(given=db.sql.ids("?1"), sources=db.sql.ids("m.sources"))
    return [int(row["id"]) for row in db.execute(sharing, (dumps(list(turns)),))]


def forget(db: Transaction, turn: int) -> None:
    """Delete every form of a turn; its content is what is sent again."""
    db.execute("DELETE FROM mends WHERE turn_id = ?", (turn,))
    db.update("turns", turn, {"mended": False})
