"""Batches under way in the SQLite store, and the items they wait for, of whatever kind. It knows no API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sash.model.batches import UNDER_WAY, Batch, Kind, Phase, WaitingItem
from sash.model.blocks import dumps
from sash.stores.transaction import Database, Row, Transaction

_ITEM = (
    "INSERT INTO batch_items (custom_id, batch_id, conversation_id, model, branch_id, parent_id, facts) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class Batches:
    """Batches, recorded before they are handed in. See `sash.flows.record.Batches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(
        self,
        *,
        kind: Kind,
        items: Sequence[WaitingItem],
        at: float,
        namespace: str = "",
        job: str = "",
        terms: Mapping[str, Any] | None = None,
    ) -> Batch:
        """Record it with its items, before anything is sent."""
        columns = {
            "kind": kind,
            "namespace": namespace,
            "job": job,
            "terms": dumps(dict(terms or {})),
            "phase": "submitting",
            "items": len(items),
            "at": at,
            "error": "",
        }
        with self._database.writing() as db:
            key = db.insert("batches", columns)
            db.many(_ITEM, [_columns(item, key) for item in items])
            return _batch(db.one("SELECT * FROM batches WHERE id = ?", (key,)))

    def mark(self, id: int, *, phase: Phase, batch: str = "", error: str = "") -> None:
        """Its phase, and its id where that is new."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE batches SET phase = ?, api_id = coalesce(nullif(?, ''), api_id), error = ? WHERE id = ?",
                (phase, batch, error, id),
            )
            if phase in ("done", "lost"):
                db.execute("DELETE FROM batch_items WHERE batch_id = ?", (id,))

    def read(
        self,
        *,
        kind: Kind | None = None,
        namespace: str | None = None,
        job: str | None = None,
        phases: Sequence[Phase] = UNDER_WAY,
    ) -> Sequence[Batch]:
        """In the order in which they were handed in."""
        with self._database.reading() as db:
            found = db.all(
                f"SELECT * FROM batches WHERE phase IN {db.sql.among_names('?1')} AND (kind = ?2 OR ?2 IS NULL) "
                "AND (namespace = ?3 OR ?3 IS NULL) AND (job = ?4 OR ?4 IS NULL) ORDER BY id",
                (dumps(list(phases)), kind, namespace, job),
            )
            return [_batch(row) for row in found]

    def items(self, batch: int) -> Sequence[WaitingItem]:
        """Those without a result."""
        with self._database.reading() as db:
            found = db.all(f"SELECT * FROM batch_items WHERE batch_id = ? ORDER BY {db.sql.arrival}", (batch,))
            return [_item(row) for row in found]

    def close_item(self, custom_id: str) -> None:
        """Whatever came of it."""
        with self._database.writing() as db:
            close_item(db, custom_id)


def close_item(db: Transaction, custom_id: str) -> bool:
    """An item waits no more; whether it did."""
    return bool(db.execute("DELETE FROM batch_items WHERE custom_id = ?", (custom_id,)).rowcount)


def _columns(item: WaitingItem, batch: int) -> tuple[object, ...]:
    return (
        item.custom_id, batch, item.conversation, item.model, item.branch, item.parent, dumps(dict(item.facts)),
    )  # fmt: skip


def _item(row: Row) -> WaitingItem:
    return WaitingItem(
        custom_id=row["custom_id"],
        conversation=row["conversation_id"],
        model=row["model"],
        facts=json.loads(row["facts"]),
        branch=row["branch_id"],
        parent=row["parent_id"],
    )


def _batch(row: Row) -> Batch:
    return Batch(
        id=row["id"],
        batch=row["api_id"] or "",
        phase=row["phase"],
        kind=row["kind"],
        namespace=row["namespace"],
        job=row["job"],
        terms=json.loads(row["terms"]),
        size=row["items"],
        at=row["at"],
    )
