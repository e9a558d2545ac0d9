"""What repairs made of turns: the form in which each is sent since, beside its content, which stays as it came.

A request that left before a repair is rebuilt without it: each form knows the newest request of its time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from sash.model.blocks import dumps
from sash.model.turns import Mended
from sash.stores import rows

NOW = 2**62
"""The id of a request that is still to come."""

_SHARING = """WITH RECURSIVE shared (id) AS (
    SELECT value FROM json_each(?1)
    UNION SELECT m.turn_id FROM mends m, json_each(m.sources) s JOIN shared ON s.value = shared.id
    UNION SELECT s.value FROM mends m JOIN shared ON m.turn_id = shared.id, json_each(m.sources) s)
SELECT id FROM shared"""


def put(db: sqlite3.Connection, mended: Iterable[Mended], at: float) -> None:
    """Have turns sent in another form from the next request on."""
    newest = int(db.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()[0])
    for one in mended:
        columns = {"turn_id": one.turn, "content": one.content, "sources": dumps(list(one.sources))}
        rows.insert(db, "mends", {**columns, "request_id": newest, "at": at})
        rows.update(db, "turns", one.turn, {"mended": 1, "plain": int(one.plain)})
        db.execute("DELETE FROM counts WHERE turn_id = ?", (one.turn,))


def of(db: sqlite3.Connection, turn: int, request: int = NOW) -> str | None:
    """The form in which `request` sent a turn; None: as it came."""
    row = db.execute(
        "SELECT content FROM mends WHERE turn_id = ? AND request_id < ? ORDER BY id DESC LIMIT 1", (turn, request)
    ).fetchone()
    return str(row["content"]) if row else None


def sharing(db: sqlite3.Connection, turns: Sequence[int]) -> list[int]:
    """These turns, and all that a repair moved words from or to."""
    return [int(row["id"]) for row in db.execute(_SHARING, (dumps(list(turns)),))]


def forget(db: sqlite3.Connection, turn: int) -> None:
    """Delete every form of a turn; its content is what is sent again."""
    db.execute("DELETE FROM mends WHERE turn_id = ?", (turn,))
    rows.update(db, "turns", turn, {"mended": 0})
