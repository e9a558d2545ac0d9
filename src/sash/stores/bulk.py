"""Jobs handed in as batches, in the SQLite store: which requests wait in which batch."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from sash.flows.bulk_steps import CloseHandedIn, HandedIn, HandIn, KeepHandIn, KnownBatches, MarkHandIn, ReadHandIns
from sash.model.blocks import dumps
from sash.stores import rows
from sash.stores.connection import Connection


class BulkBatches:
    """The part of the SQLite store that knows of jobs under way."""

    _connection: Connection

    def keep_hand_in(self, step: KeepHandIn) -> int:
        """Record it with its items, before anything is sent."""
        with self._connection.writing() as db:
            columns = {"namespace": step.namespace, "job": step.job, "size": len(step.items), "at": step.at}
            key = rows.insert(db, "bulk_batches", {**columns, "phase": "submitting"})
            for item in step.items:
                rows.insert(
                    db,
                    "bulk_items",
                    {
                        "custom_id": item.custom_id,
                        "batch_id": key,
                        "conversation_id": item.conversation,
                        "position": item.position,
                        "request_id": item.request,
                        "number": item.number,
                        "submission_id": item.submission,
                        "turns": dumps(list(item.turns)),
                        "model": item.model,
                    },
                )
            return key

    def mark_hand_in(self, step: MarkHandIn) -> None:
        """Its phase, and its id where that is new."""
        with self._connection.writing() as db:
            known = {"api_id": step.batch} if step.batch else {}
            rows.update(db, "bulk_batches", step.id, {"phase": step.phase, **known})

    def read_hand_ins(self, step: ReadHandIns) -> Sequence[HandIn]:
        """What is under way."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT * FROM bulk_batches WHERE namespace = ? AND job = ? AND phase IN ('submitting', 'submitted') "
                "ORDER BY id",
                (step.namespace, step.job),
            ).fetchall()
            return [self._hand_in(db, row) for row in found]

    def _hand_in(self, db: sqlite3.Connection, row: sqlite3.Row) -> HandIn:
        items = db.execute("SELECT * FROM bulk_items WHERE batch_id = ? ORDER BY position", (row["id"],))
        return HandIn(
            id=row["id"],
            batch=row["api_id"] or "",
            phase=row["phase"],
            at=row["at"],
            size=row["size"],
            items=tuple(_item(item) for item in items),
        )

    def known_batches(self, step: KnownBatches) -> frozenset[str]:  # noqa: ARG002 - the form of every store method
        """Batches of jobs and of summaries."""
        with self._connection.reading() as db:
            found = db.execute("SELECT api_id FROM bulk_batches UNION SELECT api_id FROM batches")
            return frozenset(row["api_id"] for row in found if row["api_id"])

    def close_handed_in(self, step: CloseHandedIn) -> None:
        """It waits no more."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM bulk_items WHERE custom_id = ?", (step.custom_id,))


def _item(row: sqlite3.Row) -> HandedIn:
    return HandedIn(
        custom_id=row["custom_id"],
        conversation=row["conversation_id"],
        position=row["position"],
        request=row["request_id"],
        number=row["number"],
        submission=row["submission_id"],
        turns=tuple(json.loads(row["turns"])),
        model=row["model"],
    )
