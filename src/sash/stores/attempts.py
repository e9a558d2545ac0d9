"""Every attempt at a request, in the same file as the record: what the meter writes, and what `sash usage` sums.

Rows come in batches; the sums are read-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sash.limits.meter.alerts import Hour
from sash.model.attempts import Attempted
from sash.stores.connection import Connection

_INSERT = (
    "INSERT INTO attempts (request_id, namespace, conversation, at, model, retry, status, error, held_by, waited, "
    "latency, fresh, read, written, output, cost) SELECT r.id, ?2, CASE WHEN ?1 IS NULL OR r.id THEN ?3 ELSE '' END, "
    "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 FROM (SELECT 1) LEFT JOIN requests r ON r.id = ?1"
)
"""Where its conversation was deleted meanwhile, an attempt names neither the request nor the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSums:
    """Attempts summed up."""

    attempts: int
    """sent"""
    retries: int
    limited: int
    """answered with 429"""
    failed: int
    """5xx, timeouts, lost connections"""
    waited: float
    """seconds for their turn, in all"""
    held: dict[str, int]
    """not sent, by what kept them"""


class SqliteAttempts:
    """The attempts in a SQLite file; `path` may be that of a record."""

    def __init__(self, where: str | Path | Connection) -> None:
        self._connection = where if isinstance(where, Connection) else Connection(where)

    def add(self, attempts: Sequence[Attempted]) -> None:
        """Write some attempts, in one transaction."""
        with self._connection.writing() as db:
            db.executemany(_INSERT, [_row(attempt) for attempt in attempts])

    def sums(self, *, namespace: str = "", conversation: str | None = None, since: float = 0.0) -> AttemptSums:
        """Over all attempts since a unix time."""
        with self._connection.reading() as db:
            where = "FROM attempts WHERE namespace = ?1 AND (?2 IS NULL OR conversation = ?2) AND at >= ?3"
            given = (namespace, conversation, since)
            row = db.execute(
                "SELECT total(held_by = ''), total(held_by = '' AND retry > 0), total(status = 429), "
                f"total(held_by = '' AND (status IS NULL OR status >= 500)), total(waited) {where}",
                given,
            ).fetchone()
            held = db.execute(f"SELECT held_by, count(*) {where} AND held_by <> '' GROUP BY held_by", given)
            return AttemptSums(
                attempts=int(row[0]),
                retries=int(row[1]),
                limited=int(row[2]),
                failed=int(row[3]),
                waited=row[4],
                held={name: count for name, count in held},  # noqa: C416 - rows are no pairs
            )

    def hours(self, since: float) -> list[Hour]:
        """What happened in each hour since a unix time, oldest first."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT cast(at / 3600 AS INTEGER) * 3600.0 AS hour, total(cost), count(*), "
                "total(status IS NULL OR status >= 500) FROM attempts WHERE at >= ? AND held_by = '' "
                "GROUP BY hour ORDER BY hour",
                (since,),
            )
            return [
                Hour(start=start, dollars=dollars, attempts=attempts, failures=int(failures))
                for start, dollars, attempts, failures in found
            ]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _row(attempt: Attempted) -> tuple[object, ...]:
    usage = attempt.usage
    return (
        attempt.request, attempt.namespace, attempt.conversation, attempt.at, attempt.model, attempt.retry,
        attempt.status, attempt.error, attempt.held_by, attempt.waited, attempt.latency, usage.fresh, usage.read,
        usage.write, usage.output, attempt.cost,
    )  # fmt: skip
