"""Every attempt at a request, in the same file as the record: what the meter writes, and what `sash usage` sums.

Rows come in batches; the sums are read-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sash.limits.meter.alerts import Hour
from sash.model.attempts import Attempted
from sash.stores.opening import open_database
from sash.stores.transaction import Database

_INSERT = (
    "INSERT INTO attempts (request_id, namespace, conversation, at, model, retry, status, error, held_by, waited, "
    "latency, fresh, read, written, output, cost) "
    "SELECT r.id, ?2, CASE WHEN ?1 IS NOT NULL AND r.id IS NULL THEN '' ELSE ?3 END, "
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

    def __init__(self, where: str | Path | Database) -> None:
        self._database = open_database(where) if isinstance(where, str | Path) else where

    def add(self, attempts: Sequence[Attempted]) -> None:
        """Write some attempts, in one transaction."""
        with self._database.writing() as db:
            db.many(_INSERT, [_row(attempt) for attempt in attempts])

    def sums(self, *, namespace: str = "", conversation: str | None = None, since: float = 0.0) -> AttemptSums:
        """Over all attempts since a unix time."""
        with self._database.reading() as db:
            where = "FROM attempts WHERE namespace = ?1 AND (conversation = ?2 OR ?2 IS NULL) AND at >= ?3"
            given = (namespace, conversation, since)
            row = db.one(
                "SELECT count(*) FILTER (WHERE held_by = ''), count(*) FILTER (WHERE held_by = '' AND retry > 0), "
                "count(*) FILTER (WHERE status = 429), "
                "count(*) FILTER (WHERE held_by = '' AND (status IS NULL OR status >= 500)), "
                f"coalesce(sum(waited), 0.0) {where}",
                given,
            )
            held = db.execute(f"SELECT held_by, count(*) {where} AND held_by <> '' GROUP BY held_by", given)
            return AttemptSums(
                attempts=row[0],
                retries=row[1],
                limited=row[2],
                failed=row[3],
                waited=row[4],
                held={name: count for name, count in held},  # noqa: C416 - rows are no pairs
            )

    def hours(self, since: float, namespace: str | None = None) -> list[Hour]:
        """What happened in each hour since a unix time, oldest first; of one tenant, or (None) of all."""
        with self._database.reading() as db:
            found = db.execute(
                f"SELECT {db.sql.whole('at / 3600')} * 3600.0 AS hour, coalesce(sum(cost), 0.0), count(*), "
                "count(*) FILTER (WHERE status IS NULL OR status >= 500) FROM attempts WHERE at >= ?1 AND held_by = '' "
                "AND (namespace = ?2 OR ?2 IS NULL) GROUP BY hour ORDER BY hour",
                (since, namespace),
            )
            return [
                Hour(start=start, dollars=dollars, attempts=attempts, failures=failures)
                for start, dollars, attempts, failures in found
            ]

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _row(attempt: Attempted) -> tuple[object, ...]:
    usage = attempt.usage
    return (
        attempt.request, attempt.namespace, attempt.conversation, attempt.at, attempt.model, attempt.retry,
        attempt.status, attempt.error, attempt.held_by, attempt.waited, attempt.latency, usage.fresh, usage.read,
        usage.write, usage.output, attempt.cost,
    )  # fmt: skip
