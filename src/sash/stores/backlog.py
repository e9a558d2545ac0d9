"""Backlogs in the SQLite store: conversations at rest, batches under way and the items they wait for.

An item remembers the turns it was made of; whether its result may still be used is judged when it is kept
(`stores.summaries`). It knows no API.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

from sash.flows.backlog_steps import (
    BatchRow,
    BatchTask,
    CloseItem,
    KeepBatch,
    MarkBatch,
    ReadBatches,
    ReadItem,
    ReadItems,
    ReadResting,
    Resting,
)
from sash.flows.summary_steps import SummaryTask
from sash.model.blocks import dumps
from sash.model.summaries import Summary
from sash.model.turns import Turn
from sash.stores import blobs, rows
from sash.stores.connection import Connection
from sash.stores.lineage import Lines
from sash.stores.summaries import by_id, failures, newest


class Backlog:
    """The part of the SQLite store that batches are made from and collected into."""

    _connection: Connection
    _lines: Lines

    def read_resting(self, step: ReadResting) -> Sequence[Resting]:
        """Conversations whose newest turn is older than `before`."""
        with self._connection.reading() as db:
            found = db.execute(_RESTING, {"namespace": step.namespace, "before": step.before, "at": step.at}).fetchall()
            return [self._resting(db, row) for row in found]

    def _resting(self, db: sqlite3.Connection, row: sqlite3.Row) -> Resting:
        summary = newest(db, self._lines, row["branch_id"])
        return Resting(
            conversation=row["id"],
            namespace=row["namespace"],
            id=row["name"],
            model=row["model"] or "",
            covered=summary.upto if summary else 0,
        )

    def keep_batch(self, step: KeepBatch) -> BatchRow:
        """Record it with its items, before anything is sent."""
        with self._connection.writing() as db:
            key = rows.insert(
                db,
                "batches",
                {
                    "phase": "submitting",
                    "model": step.by,
                    "limit_tokens": step.limit,
                    "must_keep": int(step.must_keep),
                    "items": len(step.tasks),
                    "at": step.at,
                    "error": "",
                },
            )
            for one in step.tasks:
                rows.insert(
                    db,
                    "batch_items",
                    {
                        "custom_id": one.custom_id,
                        "batch_id": key,
                        "conversation_id": one.conversation,
                        "model": one.model,
                        "branch_id": one.task.branch,
                        "upto_seq": one.task.upto,
                        "parent_id": one.task.parent.id if one.task.parent else None,
                        "turns": dumps(
                            {
                                "ids": [turn.id for turn in one.task.turns],
                                "digest": _digest(one.task.turns, one.task.parent),
                            }
                        ),
                    },
                )
            return _batch(db.execute("SELECT * FROM batches WHERE id = ?", (key,)).fetchone())

    def mark_batch(self, step: MarkBatch) -> None:
        """Its phase, and its id where that is new."""
        with self._connection.writing() as db:
            db.execute(
                "UPDATE batches SET phase = ?, api_id = coalesce(nullif(?, ''), api_id), error = ? WHERE id = ?",
                (step.phase, step.batch, step.error, step.id),
            )
            if step.phase in ("done", "lost"):
                db.execute("DELETE FROM batch_items WHERE batch_id = ?", (step.id,))

    def read_batches(self, step: ReadBatches) -> Sequence[BatchRow]:
        """In the order in which they were handed in."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT * FROM batches WHERE phase IN (SELECT value FROM json_each(?)) ORDER BY id",
                (dumps(list(step.phases)),),
            )
            return [_batch(row) for row in found.fetchall()]

    def read_items(self, step: ReadItems) -> Sequence[str]:
        """Those without a result."""
        with self._connection.reading() as db:
            found = db.execute("SELECT custom_id FROM batch_items WHERE batch_id = ? ORDER BY rowid", (step.id,))
            return [row["custom_id"] for row in found.fetchall()]

    def read_item(self, step: ReadItem) -> BatchTask | None:
        """One item, with the turns that are left of those it was made of."""
        with self._connection.reading() as db:
            row = db.execute("SELECT * FROM batch_items WHERE custom_id = ?", (step.custom_id,)).fetchone()
            if row is None:
                return None
            made_of = json.loads(row["turns"])
            rows_found = db.execute(
                "SELECT * FROM turns WHERE id IN (SELECT value FROM json_each(?))", (dumps(made_of["ids"]),)
            ).fetchall()
            found = {turn["id"]: blobs.turn(db, turn) for turn in rows_found}
            turns = tuple(found[key] for key in made_of["ids"] if key in found)
            parent = by_id(db, row["parent_id"]) if row["parent_id"] else None
            task = SummaryTask(
                token=row["custom_id"],
                branch=row["branch_id"],
                upto=row["upto_seq"],
                failures=failures(db, row["conversation_id"]),
                parent=parent,
                turns=turns,
            )
            return BatchTask(
                custom_id=row["custom_id"],
                conversation=row["conversation_id"],
                model=row["model"],
                task=task,
                intact=_digest(turns, parent) == made_of["digest"],
            )

    def close_item(self, step: CloseItem) -> None:
        """Whatever came of it."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM batch_items WHERE custom_id = ?", (step.custom_id,))


def _digest(turns: Sequence[Turn], parent: Summary | None) -> str:
    """What turns and the summary before them say, in 32 hex digits: redaction takes words out of both."""
    said = hashlib.sha256(f"{parent.id} {parent.text}".encode() if parent else b"")
    for turn in turns:
        said.update(f"{turn.id} {len(turn.content)} {turn.content}".encode())
    return said.hexdigest()[:32]


def _batch(row: sqlite3.Row) -> BatchRow:
    return BatchRow(
        id=row["id"],
        batch=row["api_id"] or "",
        phase=row["phase"],
        by=row["model"],
        limit=row["limit_tokens"],
        must_keep=bool(row["must_keep"]),
        items=row["items"],
        at=row["at"],
    )


_RESTING = """
SELECT c.id, c.namespace, c.name, c.branch_id,
    (SELECT e.model FROM requests r JOIN epochs e ON e.id = r.epoch_id WHERE r.conversation_id = c.id
        ORDER BY r.id DESC LIMIT 1) AS model,
    coalesce((SELECT t.at FROM turns t WHERE t.branch_id = c.branch_id ORDER BY t.seq DESC LIMIT 1), c.updated_at)
        AS newest
FROM conversations c
WHERE (:namespace IS NULL OR c.namespace = :namespace) AND newest < :before
    AND NOT EXISTS (SELECT 1 FROM batch_items i WHERE i.conversation_id = c.id)
    AND NOT EXISTS (SELECT 1 FROM summary_jobs j WHERE j.conversation_id = c.id AND max(j.until, j.retry_at) > :at)
ORDER BY newest, c.id
"""
