"""Forgetting on a user's request: the one exception to a record that is never rewritten, and audited.

A redacted turn keeps its place and loses its words, with all that was made of them: index entries, vector, size,
repaired forms (of all turns that a repair moved words between), stored data, kept results, the attachments that quote
it and the summaries that cover it. Every epoch that holds it is over, on every branch, those still to come included;
requests that sent it are rebuilt with the gap. It knows no API.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sash.errors import NotFound
from sash.limits.ceilings.policy import account_key
from sash.model.blocks import dumps
from sash.model.fitting import checked
from sash.model.redaction import redacted
from sash.model.turns import Draft
from sash.model.users import check_user
from sash.stores import attachments, blobs, deletion, mends, profiles
from sash.stores.cache import Cache
from sash.stores.lineage import end_epochs
from sash.stores.port import Deleted, Forgotten
from sash.stores.transaction import Database, Transaction
from sash.stores.turns import on_any_branch, searched

REASON = "a turn was redacted"

_COPIES = """WITH RECURSIVE same (id) AS (
    SELECT id FROM turns WHERE id = ?1 UNION SELECT t.id FROM turns t JOIN same s ON t.origin_id = s.id OR t.id =
        (SELECT origin_id FROM turns o WHERE o.id = s.id)
    WHERE t.content = (SELECT content FROM turns WHERE id = ?1))
SELECT id FROM same"""


class Forgetting:
    """Takes out of the file what was to be kept for good. See `sash.flows.record.Forgetting`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache
        self._lines = cache.lines

    def redact(self, conversation: int, *, turn: int, reason: str, at: float) -> int:
        """Take the words of a turn, and of the turns that repeat it, out of the file; how many turns it were."""
        with self._database.erasing() as db:
            on_any_branch(db, self._lines, conversation, turn)
            copies = mends.sharing(db, [one["id"] for one in db.execute(_COPIES, (turn,))])
            for copy in copies:
                _redact(db, copy)
            _forget_derived(db, copies)
            profiles.redact(db, copies, at)
            end_epochs(db, copies, REASON)
            find = "SELECT namespace, name FROM conversations WHERE id = ?"
            namespace, name = db.one(find, (conversation,))
            _audit(db, namespace, name, "turn", copies, reason, at)
            self._cache.forget()
        return len(copies)

    @checked
    def delete(self, id: str, *, namespace: str = "", reason: str = "") -> Deleted:
        """Delete a conversation with all that was made of it. Raises NotFound."""
        with self._database.unchecked(), self._database.erasing() as db:
            find = "SELECT id FROM conversations WHERE namespace = ? AND name = ?"
            row = db.one(find, (namespace, id))
            if row is None:
                raise NotFound(f"no conversation {id!r} in {self._database.path!r}", kind="conversation", key=id)
            done = delete_audited(db, row["id"], namespace, id, reason)
            self._cache.forget()
        return done

    @checked
    def forget_user(self, user: str, *, namespace: str = "", reason: str = "") -> Forgotten:
        """Delete all that is a user's. Raises NotFound, InvalidOption."""
        check_user(user)
        with self._database.unchecked(), self._database.erasing() as db:
            find = "SELECT id, name FROM conversations WHERE namespace = ? AND owner = ? ORDER BY id"
            found = db.all(find, (namespace, user))
            files, entries = _forget_files(db, namespace, user), profiles.forget(db, namespace, user)
            if not found and not files and not entries:
                raise NotFound(f"no user {user!r} in {self._database.path!r}", kind="user", key=user)
            turns = sum(deletion.delete(db, row["id"], namespace, row["name"]).turns for row in found)
            _forget_bookings(db, namespace, user)
            _audit(db, namespace, "", "user", range(turns), reason, time.time())
            self._cache.forget()
        return Forgotten(conversations=len(found), turns=turns, files=files, entries=entries)


def delete_audited(db: Transaction, key: int, namespace: str, name: str, reason: str) -> Deleted:
    """Delete a conversation (id), and write down that it was."""
    done = deletion.delete(db, key, namespace, name)
    _audit(db, namespace, name, "conversation", range(done.turns), reason, time.time())
    return done


def _forget_files(db: Transaction, namespace: str, user: str) -> int:
    """Every version of a user's memory files; how many files it were."""
    mine = "FROM memory_files WHERE namespace = ? AND owner = ?"
    files = int(db.one(f"SELECT count(DISTINCT path) {mine}", (namespace, user))[0])
    db.execute(f"DELETE {mine}", (namespace, user))
    return files


def _forget_bookings(db: Transaction, namespace: str, user: str) -> None:
    """What ceilings booked under the user's name."""
    account = account_key(namespace, user)
    db.execute("DELETE FROM spend WHERE scope = 'user' AND key = ?", (account,))
    alerts = f"user {account} "
    db.execute("DELETE FROM alerts WHERE substr(name, 1, ?) = ?", (len(alerts), alerts))


def _redact(db: Transaction, turn: int) -> None:
    """The row itself; its triggers take its index entries and its vector along."""
    row = db.one(attachments.ONE, (turn,))
    draft = Draft(role=row["role"], content=redacted(blobs.turn(db, row).blocks))
    held = [one["hash"] for one in db.execute("SELECT hash FROM turn_blobs WHERE turn_id = ?", (turn,))]
    db.execute("DELETE FROM turn_blobs WHERE turn_id = ?", (turn,))
    db.many(
        "DELETE FROM blobs WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM turn_blobs WHERE hash = ?1)",
        [(name,) for name in held],
    )
    mends.forget(db, turn)
    db.update("turns", turn, db.sql.turn_columns({"content": draft.content, "text": searched(draft.blocks)}))
    for table in ("counts", "tool_results"):
        db.execute(f"DELETE FROM {table} WHERE turn_id = ?", (turn,))


def _forget_derived(db: Transaction, turns: Sequence[int]) -> None:
    """What quotes or covers these turns, and what was built on that."""
    gone, among = dumps(list(turns)), db.sql.among_ids("?1")
    end_epochs(db, attachments.forget_quoting(db, turns), REASON)
    db.execute(
        "WITH RECURSIVE covering (id) AS (SELECT summary_id FROM summary_sources "
        f"WHERE turn_id IN {among} "
        "UNION SELECT s.id FROM summaries s JOIN covering c ON s.parent_id = c.id) "
        "UPDATE summaries SET state = 'rejected', text = '', content = ?2, report = '{\"reason\":\"redacted\"}' "
        "WHERE id IN (SELECT id FROM covering)",
        (gone, redacted([])),
    )
    db.execute(
        "DELETE FROM memos WHERE name IN (SELECT m.name FROM memo_tags m CROSS JOIN turns t JOIN conversations c "
        f"ON c.id = t.conversation_id WHERE t.id IN {among} "
        "AND m.tag = 'conversation:' || c.name)",
        (gone,),
    )


def _audit(
    db: Transaction, namespace: str, conversation: str, what: str, turns: Sequence[int], reason: str, at: float
) -> None:
    """Write down what was forgotten: the ids of redacted turns; of a whole conversation, how many there were."""
    columns = {"namespace": namespace, "conversation": conversation, "what": what, "reason": reason, "at": at}
    ids = list(turns) if what == "turn" else []
    db.insert("forgotten", {**columns, "turns": dumps(ids), "number": len(turns)})
