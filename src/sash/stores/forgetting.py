"""Forgetting on a user's request: the one exception to a record that is never rewritten, and audited.

A redacted turn keeps its place and loses its words, with all that was made of them: index entries, vector, size,
repaired forms (of all turns that a repair moved words between), stored data, kept results, the attachments that quote
it and the summaries that cover it. Every epoch that holds it is over, on every branch, those still to come included;
requests that sent it are rebuilt with the gap. It knows no API.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sash.errors import NotFound
from sash.model.blocks import dumps, readable
from sash.model.redaction import redacted
from sash.model.turns import Draft
from sash.stores import blobs, mends, rows
from sash.stores.connection import Connection
from sash.stores.lineage import Lines, end_epochs, present
from sash.stores.windows import Windows

REASON = "a turn was redacted"
INDEXES = ("turns_fts", "turns_characters")
SECURE = sqlite3.sqlite_version_info >= (3, 42)
"""Whether FTS5 can delete for good ("secure-delete")."""

_COPIES = """WITH RECURSIVE same (id) AS (
    VALUES (?1) UNION SELECT t.id FROM turns t JOIN same s ON t.origin_id = s.id OR t.id =
        (SELECT origin_id FROM turns o WHERE o.id = s.id)
    WHERE t.content = ?2)
SELECT id FROM same"""


class Forgetting:
    """The forgetting part of the SQLite store."""

    _connection: Connection
    _lines: Lines
    _windows: Windows

    def redact(self, conversation: int, *, turn: int, reason: str, at: float) -> int:
        """Take the words of a turn, and of the turns that repeat it, out of the file; how many turns it were."""
        with self._connection.writing() as db:
            securely(db)
            row = self._row(db, conversation, turn)
            copies = mends.sharing(db, [one["id"] for one in db.execute(_COPIES, (turn, row["content"]))])
            for copy in copies:
                _redact(db, copy)
            rewrite_indexes(db)
            _forget_derived(db, copies)
            end_epochs(db, copies, REASON)
            find = "SELECT namespace, name FROM conversations WHERE id = ?"
            namespace, name = db.execute(find, (conversation,)).fetchone()
            audit(db, namespace, name, "turn", copies, reason, at)
            self._windows.forget()
        self._connection.empty_log()  # or the words would stand there until it is written over
        return len(copies)

    def _row(self, db: sqlite3.Connection, conversation: int, turn: int) -> sqlite3.Row:
        branch = present(db, conversation)
        row: sqlite3.Row | None = db.execute("SELECT * FROM turns WHERE id = ?", (turn,)).fetchone()
        if row is None or not self._lines.holds(db, branch, row):
            raise NotFound(
                f"no turn with id {turn} in this conversation's branch; see turn.id, not seq, of chat.history()",
                kind="turn",
                key=turn,
            )
        return row


def securely(db: sqlite3.Connection) -> None:
    """Overwrite what is deleted from now on, in tables and, where this SQLite can, in the indexes."""
    db.execute("PRAGMA secure_delete = ON")
    for index in INDEXES if SECURE else ():
        db.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('secure-delete', 1)")


def rewrite_indexes(db: sqlite3.Connection) -> None:
    """An older SQLite keeps deleted words in an index until that is written anew."""
    for index in () if SECURE else INDEXES:
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")


def _redact(db: sqlite3.Connection, turn: int) -> None:
    """The row itself; its triggers take its index entries and its vector along."""
    row = db.execute("SELECT * FROM turns WHERE id = ?", (turn,)).fetchone()
    draft = Draft(role=row["role"], content=redacted(blobs.turn(db, row).blocks))
    held = [one["hash"] for one in db.execute("SELECT hash FROM turn_blobs WHERE turn_id = ?", (turn,))]
    db.execute("DELETE FROM turn_blobs WHERE turn_id = ?", (turn,))
    db.executemany(
        "DELETE FROM blobs WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM turn_blobs WHERE hash = ?1)",
        [(name,) for name in held],
    )
    mends.forget(db, turn)
    rows.update(db, "turns", turn, {"content": draft.content, "text": readable(draft.blocks)})
    for table in ("counts", "tool_results"):
        db.execute(f"DELETE FROM {table} WHERE turn_id = ?", (turn,))


def _forget_derived(db: sqlite3.Connection, turns: Sequence[int]) -> None:
    """What quotes or covers these turns, and what was built on that."""
    gone = dumps(list(turns))
    quoting = [
        row[0]
        for row in db.execute(
            "SELECT DISTINCT turn_id FROM attachment_sources WHERE source_id IN (SELECT value FROM json_each(?1)) "
            "UNION SELECT turn_id FROM attachments WHERE turn_id IN (SELECT value FROM json_each(?1))",
            (gone,),
        )
    ]
    for table in ("attachment_sources", "attachments"):
        db.executemany(f"DELETE FROM {table} WHERE turn_id = ?", [(turn,) for turn in quoting])
    end_epochs(db, quoting, REASON)
    db.execute(
        "WITH RECURSIVE covering (id) AS (SELECT summary_id FROM summary_sources "
        "WHERE turn_id IN (SELECT value FROM json_each(?1)) "
        "UNION SELECT s.id FROM summaries s JOIN covering c ON s.parent_id = c.id) "
        "UPDATE summaries SET state = 'rejected', text = '', content = ?2, report = '{\"reason\":\"redacted\"}' "
        "WHERE id IN covering",
        (gone, redacted([])),
    )
    db.execute(
        "DELETE FROM memos WHERE name IN (SELECT m.name FROM memo_tags m JOIN turns t JOIN conversations c "
        "ON c.id = t.conversation_id WHERE t.id IN (SELECT value FROM json_each(?)) "
        "AND m.tag = 'conversation:' || c.name)",
        (gone,),
    )


def audit(
    db: sqlite3.Connection, namespace: str, conversation: str, what: str, turns: Sequence[int], reason: str, at: float
) -> None:
    """Write down what was forgotten: the ids of redacted turns; of a whole conversation, how many there were."""
    columns = {"namespace": namespace, "conversation": conversation, "what": what, "reason": reason, "at": at}
    ids = list(turns) if what == "turn" else []
    rows.insert(db, "forgotten", {**columns, "turns": dumps(ids), "number": len(turns)})
