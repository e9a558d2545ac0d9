"""What was submitted to a conversation, by client token and content: so that the same is answered once.

A claim belongs to a process. One that died (looked up where it ran on this machine), or whose lease ran out, has
lost it; what became of its turn then says how to go on. Nothing is remembered here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sash.errors import InvalidOption
from sash.model.blocks import dumps
from sash.model.submissions import Claim, Claimed
from sash.stores.lineage import present
from sash.stores.processes import gone, owner
from sash.stores.transaction import Database, Row, Transaction

KEPT = 86_400.0
"""Seconds for which a submission without a token is remembered; only the newest few seconds are asked for."""


class Submissions:
    """What was submitted. See `sash.flows.record.Submissions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, claim: Claim) -> Claimed:
        """Ours to answer, somebody's, or answered."""
        with self._database.writing() as db:
            present(db, claim.conversation)
            return _claim(db, claim)

    def release(self, submission: int, numbers: Sequence[int] = ()) -> None:
        """What became of a submission."""
        with self._database.writing() as db:
            _release(db, submission, numbers)

    def answered(self, *, namespace: str, prefix: str) -> frozenset[str]:
        """Which of many submissions have their reply."""
        with self._database.reading() as db:
            return _answered(db, namespace, prefix)


def _claim(db: Transaction, asked: Claim) -> Claimed:
    """Claim a submission, or say who has it."""
    row = _same(db, asked)
    if row is None:
        return _new(db, asked)
    if row["digest"] != asked.digest:
        raise InvalidOption(
            f"token {asked.token!r} was used for other content in this conversation; "
            "make a new one for each submission",
            option="token",
            value=asked.token,
        )
    if row["state"] == "answered":
        return Claimed(state="answered", submission=row["id"], numbers=tuple(json.loads(row["numbers"])))
    if row["state"] == "running" and _alive(row, asked):
        return Claimed(state="running", submission=row["id"])
    return _taken_over(db, row, asked)


def _same(db: Transaction, asked: Claim) -> Row | None:
    found: Row | None
    if asked.token is not None:
        found = db.one(
            "SELECT * FROM submissions WHERE conversation_id = ? AND token = ?", (asked.conversation, asked.token)
        )
        return found
    found = db.one(
        "SELECT * FROM submissions WHERE conversation_id = ? ORDER BY id DESC LIMIT 1", (asked.conversation,)
    )
    same = found is not None and found["digest"] == asked.digest and asked.arrived - found["arrived"] <= asked.within
    return found if same else None


def _new(db: Transaction, asked: Claim) -> Claimed:
    db.execute(
        "DELETE FROM submissions WHERE conversation_id = ? AND token IS NULL AND arrived < ?",
        (asked.conversation, asked.arrived - KEPT),
    )
    columns = {
        "conversation_id": asked.conversation,
        "token": asked.token,
        "digest": asked.digest,
        "arrived": asked.arrived,
        **_owner(asked),
    }
    return Claimed(state="new", submission=db.insert("submissions", columns))


def _owner(asked: Claim) -> dict[str, object]:
    return {"state": "running", **owner(), "until": asked.at + asked.lease}


def _alive(row: Row, asked: Claim) -> bool:
    """Whether its owner may still be at it. A process of this machine is looked up, on systems that tell."""
    return row["until"] >= asked.at and not gone(row)


def _taken_over(db: Transaction, row: Row, asked: Claim) -> Claimed:
    """A submission that failed or lost its owner: answered meanwhile, still pending, or to be sent anew."""
    state = db.one("SELECT state FROM turns WHERE id = ?", (row["turn_id"],))
    left = state is not None and _nothing_asked_since(db, row)
    numbers = _answers(db, row)[: None if left else 1] if state is not None and state["state"] == "answered" else ()
    if numbers and left:
        db.update("submissions", row["id"], _owner(asked))
        return Claimed(state="answered", submission=row["id"], numbers=numbers, left=True)
    if numbers:
        _release(db, row["id"], numbers)
        return Claimed(state="answered", submission=row["id"], numbers=numbers)
    pending = state is not None and state["state"] == "pending" and _on_branch(db, row)
    db.update("submissions", row["id"], _owner(asked) | ({} if pending else {"turn_id": None}))
    return Claimed(state="pending" if pending else "new", submission=row["id"])


def _on_branch(db: Transaction, row: Row) -> bool:
    """Whether the turn stands on the conversation's present branch, where sending what is pending finds it."""
    found = db.one(
        "SELECT 1 FROM turns t JOIN conversations c ON c.id = t.conversation_id AND c.branch_id = t.branch_id "
        "WHERE t.id = ?",
        (row["turn_id"],),
    )
    return found is not None


def _nothing_asked_since(db: Transaction, row: Row) -> bool:
    """Whether the turn is the newest question of the conversation's present branch."""
    later = db.one(
        "SELECT 1 FROM turns l JOIN turns t ON t.branch_id = l.branch_id "
        "WHERE t.id = ? AND l.seq > t.seq AND l.plain AND l.state <> 'withdrawn'",
        (row["turn_id"],),
    )
    return later is None and _on_branch(db, row)


def _answers(db: Transaction, row: Row) -> tuple[int, ...]:
    """The numbers of the requests behind the turn that have a reply (a later send may have kept it in front)."""
    found = db.execute(
        "SELECT r.number FROM requests r JOIN turns t ON t.id = ? "
        "WHERE r.conversation_id = t.conversation_id AND r.branch_id = t.branch_id AND r.last_seq >= t.seq "
        "AND r.reply_id IS NOT NULL ORDER BY r.number",
        (row["turn_id"],),
    )
    return tuple(answer["number"] for answer in found)


def sent(db: Transaction, submission: int, turn: int) -> None:
    """The first turn recorded for a submission is its own."""
    if submission:
        db.later("UPDATE submissions SET turn_id = ? WHERE id = ? AND turn_id IS NULL", (turn, submission))


def _release(db: Transaction, submission: int, numbers: Sequence[int]) -> None:
    """Answered by these requests; without any, it failed, and is forgotten where nothing of it is in the view."""
    if not numbers:
        db.execute(
            "DELETE FROM submissions WHERE id = ?1 AND NOT EXISTS "
            "(SELECT 1 FROM turns t WHERE t.id = turn_id AND t.state != 'withdrawn')",
            (submission,),
        )
    outcome = {"state": "answered" if numbers else "failed", "numbers": dumps(list(numbers))}
    db.update("submissions", submission, outcome)


def _answered(db: Transaction, namespace: str, prefix: str) -> frozenset[str]:
    """The tokens with this beginning that have their reply."""
    found = db.execute(
        "SELECT s.token FROM submissions s JOIN conversations c ON c.id = s.conversation_id "
        "WHERE c.namespace = ?1 AND s.state = 'answered' AND substr(s.token, 1, length(?2)) = ?2",
        (namespace, prefix),
    )
    return frozenset(row["token"] for row in found)
