"""Backlogs in the SQLite store: conversations at rest, and the turns that a summary is to be made of.

An item remembers the turns it was made of; whether its result may still be used is judged when it is kept
(`stores.summaries`). It knows no API.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sash.flows.summaries.resting import digest
from sash.model.blocks import dumps
from sash.model.summaries import BatchTask, Resting, SummaryTask
from sash.stores import blobs
from sash.stores.database import Database
from sash.stores.lineage import Lines
from sash.stores.summaries import by_id, failures, newest
from sash.stores.transaction import Row, Transaction


class Backlog:
    """The part of the SQLite store that knows who rests."""

    _database: Database
    _lines: Lines

    def read_resting(self, *, namespace: str | None, before: float, at: float) -> Sequence[Resting]:
        """Conversations whose newest turn is older than `before`."""
        with self._database.reading() as db:
            found = db.all(
                _RESTING.format(greatest=db.sql.greatest), {"namespace": namespace, "before": before, "at": at}
            )
            return [self._resting(db, row) for row in found]

    def _resting(self, db: Transaction, row: Row) -> Resting:
        summary = newest(db, self._lines, row["branch_id"])
        return Resting(
            conversation=row["id"],
            namespace=row["namespace"],
            id=row["name"],
            model=row["model"] or "",
            covered=summary.upto if summary else 0,
        )

    def read_task(self, custom_id: str) -> BatchTask | None:
        """With the turns that are left of those it was made of."""
        with self._database.reading() as db:
            row = db.one("SELECT * FROM batch_items WHERE custom_id = ?", (custom_id,))
            if row is None:
                return None
            made_of = json.loads(row["facts"])
            rows_found = db.all(f"SELECT * FROM turns WHERE id IN {db.sql.among('?')}", (dumps(made_of["ids"]),))
            found = {turn["id"]: blobs.turn(db, turn) for turn in rows_found}
            turns = tuple(found[key] for key in made_of["ids"] if key in found)
            parent = by_id(db, row["parent_id"]) if row["parent_id"] else None
            task = SummaryTask(
                token=row["custom_id"],
                branch=row["branch_id"],
                upto=made_of["upto"],
                failures=failures(db, row["conversation_id"]),
                parent=parent,
                turns=turns,
            )
            return BatchTask(
                conversation=row["conversation_id"],
                model=row["model"],
                task=task,
                intact=digest(turns, parent) == made_of["digest"],
            )


_RESTING = """
SELECT * FROM (SELECT c.id, c.namespace, c.name, c.branch_id,
    (SELECT e.model FROM requests r JOIN epochs e ON e.id = r.epoch_id WHERE r.conversation_id = c.id
        ORDER BY r.id DESC LIMIT 1) AS model,
    coalesce((SELECT t.at FROM turns t WHERE t.branch_id = c.branch_id ORDER BY t.seq DESC LIMIT 1), c.updated_at)
        AS newest
    FROM conversations c WHERE :namespace IS NULL OR c.namespace = :namespace) c
WHERE newest < :before
    AND NOT EXISTS (SELECT 1 FROM batch_items i JOIN batches b ON b.id = i.batch_id
        WHERE i.conversation_id = c.id AND b.kind = 'summary')
    AND NOT EXISTS (SELECT 1 FROM summary_jobs j
        WHERE j.conversation_id = c.id AND {greatest}(j.until, j.retry_at) > :at)
ORDER BY newest, c.id
"""
