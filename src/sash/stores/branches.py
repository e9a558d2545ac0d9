"""Conversations and their branches: opened, forked, switched between. A branch shares the past of its parent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from sash.errors import InvalidOption, NotFound
from sash.flows.history.extend import FOREIGN
from sash.model.window import Branch, Head
from sash.planning.rules import has_thinking
from sash.stores import blobs
from sash.stores.cache import Cache, Opened
from sash.stores.heads import head_from, head_of, named, take
from sash.stores.profiles import read_again
from sash.stores.transaction import Database, Row, Transaction
from sash.stores.usage import book, clear


class Branches:
    """Where conversations stand. See `sash.flows.record.Branches`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache
        self._lines = cache.lines

    def open(self, *, namespace: str, id: str, create: bool = True, user: str = "") -> Head:
        """Find the conversation by namespace and id, or create it; one that was nobody's becomes the user's."""
        with self._database.reading() as db:
            found = self._found(db, namespace, id, user)
            if found and (found.user or not user):
                return found
        if not found and not create:
            raise NotFound(f"no conversation {id!r} in {self._database.path!r}", kind="conversation", key=id)
        with self._database.writing() as db:
            db.alone("name", namespace, id)
            found = self._found(db, namespace, id, user)
            key = found.conversation if found else self._create(db, namespace, id, user)
            if found and user and not found.user:
                take(db, self._cache, key)
                book(db, [key], -1)
                db.update("conversations", key, {"owner": user})
                book(db, [key], 1)
                clear(db, namespace, "")
                read_again(db, key)
            return head_of(db, self._lines, key)

    def _found(self, db: Transaction, namespace: str, id: str, user: str) -> Head | None:
        """The conversation where there is one. Raises InvalidOption for one of another user."""
        row = named(db, namespace, id)
        if row is not None and user and row["owner"] not in ("", user):
            raise InvalidOption(
                f"user={user!r}: conversation {id!r} belongs to another user; choose another id",
                option="user",
                value=user,
            )
        return None if row is None else self._opened(db, row)

    def _opened(self, db: Transaction, row: Row) -> Head:
        """Where a conversation stands, remembered for its first window."""
        head = head_from(db, self._lines, row)
        self._cache.opened[head.conversation] = Opened(row["version"], db.changes, head)
        return head

    def _create(self, db: Transaction, namespace: str, name: str, user: str) -> int:
        now = time.time()
        row = {"namespace": namespace, "name": name, "owner": user, "created_at": now, "updated_at": now}
        conversation = db.insert("conversations", row)
        branch = db.insert("branches", {"conversation_id": conversation, "reason": "start", "created_at": now})
        db.update("conversations", conversation, {"branch_id": branch})
        return conversation

    def head(self, conversation: int) -> Head:
        """Where the conversation stands."""
        with self._database.reading() as db:
            return head_of(db, self._lines, conversation)

    def read(self, conversation: int, *, limit: int) -> Sequence[Branch]:
        """The branches of a conversation, found from the present one: up to its first, and down to all."""
        with self._database.reading() as db:
            found = db.execute(
                "WITH RECURSIVE up (id, parent_id) AS (SELECT b.id, b.parent_id FROM conversations c "
                "JOIN branches b ON b.id = c.branch_id WHERE c.id = ?1 UNION ALL "
                "SELECT b.id, b.parent_id FROM branches b JOIN up ON b.id = up.parent_id "
                "WHERE b.conversation_id = ?1), "
                "down (id) AS (SELECT id FROM up UNION "
                "SELECT b.id FROM branches b JOIN down ON b.parent_id = down.id WHERE b.conversation_id = ?1) "
                "SELECT b.*, coalesce((SELECT max(t.seq) FROM turns t WHERE t.branch_id = b.id), b.fork_seq) AS newest "
                "FROM down JOIN branches b ON b.id = down.id ORDER BY b.id DESC LIMIT ?2",
                (conversation, limit),
            )
            return [_branch(row) for row in found]

    def new(
        self, conversation: int, *, seq: int, reason: Literal["fork", "edit", "regenerate"], as_id: str | None = None
    ) -> Head:
        """Share the past up to `seq`; its epoch goes along where the branch still holds its start."""
        with self._database.writing() as db:
            head = head_of(db, self._lines, conversation)
            if not 0 <= seq <= head.seq:
                raise NotFound(f"no turn {seq} to branch off; the newest is {head.seq}", kind="turn", key=seq)
            take(db, self._cache, conversation)
            if as_id is not None:
                conversation = self._create_fork(db, conversation, as_id)
            epoch, sent = self._epoch_at(db, head, seq)
            waiting = db.one("SELECT fresh FROM branches WHERE id = ?", (head.branch,))["fresh"]
            branch = db.insert(
                "branches",
                {
                    "conversation_id": conversation,
                    "parent_id": head.branch,
                    "fork_seq": seq,
                    "epoch_id": epoch,
                    "fresh": waiting or self._foreign(db, head, sent, seq),
                    "reason": reason,
                    "created_at": time.time(),
                },
            )
            db.update("conversations", conversation, {"branch_id": branch})
            return head_of(db, self._lines, conversation)

    def _create_fork(self, db: Transaction, forked: int, as_id: str) -> int:
        namespace, user = db.one("SELECT namespace, owner FROM conversations WHERE id = ?", (forked,))
        db.alone("name", namespace, as_id)
        if db.one("SELECT 1 FROM conversations WHERE namespace = ? AND name = ?", (namespace, as_id)):
            raise InvalidOption(f"conversation {as_id!r} exists already; choose another id", option="id", value=as_id)
        conversation = self._create(db, namespace, as_id, user)
        db.execute(
            "UPDATE conversations SET (model, key, preamble_id) = "
            "(SELECT model, key, preamble_id FROM conversations WHERE id = ?) WHERE id = ?",
            (forked, conversation),
        )
        db.execute(
            "INSERT INTO pins SELECT ?, turn_id, created_at FROM pins WHERE conversation_id = ?",
            (conversation, forked),
        )
        return conversation

    def _epoch_at(self, db: Transaction, head: Head, seq: int) -> tuple[int | None, int]:
        """The epoch in force when the turn `seq` was the newest, and the last seq that it had sent by then."""
        for segment, _, high in reversed(self._lines.segments(db, head.branch)):
            row = db.one(
                "SELECT epoch_id, last_seq FROM requests WHERE branch_id = ? AND last_seq <= ? AND usage IS NOT NULL "
                "AND state <> 'failed' ORDER BY id DESC LIMIT 1",
                (segment, min(seq, high)),
            )
            if row:
                return int(row["epoch_id"]), int(row["last_seq"])
        return None, 0

    def _foreign(self, db: Transaction, head: Head, sent: int, seq: int) -> str:
        """Why an epoch must begin behind turns that were recorded from elsewhere since it last sent something."""
        unasked = "t.role = 'assistant' AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.reply_id = t.id)"
        found = self._lines.rows(db, head.branch, sent + 1, seq, only=unasked)
        return FOREIGN if any(has_thinking(blobs.turn(db, row).blocks) for row in found) else ""

    def switch(self, conversation: int, *, branch: int) -> None:
        """Make another branch of the conversation the present one."""
        with self._database.writing() as db:
            take(db, self._cache, conversation)
            db.update("conversations", conversation, {"branch_id": branch})


def _branch(row: Row) -> Branch:
    return Branch(
        id=row["id"],
        parent=row["parent_id"],
        fork_seq=row["fork_seq"],
        reason=row["reason"],
        at=row["created_at"],
        newest=row["newest"],
    )
