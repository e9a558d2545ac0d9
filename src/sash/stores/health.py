"""Who is ill, by the record of everybody's requests: models that failed, keys that were refused or limited."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from sash.model.blocks import dumps
from sash.stores.connection import Connection

_FAILED = "state = 'failed' AND (error GLOB 'Unavailable*' OR error GLOB 'BreakerOpen*')"
_LIMITED = "state = 'failed' AND (error = 'Unavailable: rate_limit_error' OR error GLOB 'LimitReached*')"
_REFUSED = "state = 'failed' AND error GLOB 'AccessDenied: *' AND error != 'AccessDenied: not_found_error'"


class Healths:
    """The part of the SQLite store that tells whom to leave alone."""

    _connection: Connection

    def read_health(self, *, models: Sequence[str], since: float) -> Mapping[str, float]:
        """The newest failure of each model that no answer followed."""
        with self._connection.reading() as db:
            found = db.execute(
                f"SELECT model, max(CASE WHEN {_FAILED} THEN at END) AS failed, "
                "max(CASE WHEN usage IS NOT NULL AND state <> 'failed' THEN at END) AS answered FROM requests "
                "WHERE at > ? AND model IN (SELECT value FROM json_each(?)) GROUP BY model",
                (since, dumps(list(models))),
            ).fetchall()
        return {r["model"]: r["failed"] for r in found if r["failed"] and not _well(r)}

    def read_key_health(self, *, keys: Sequence[str], limited_since: float, refused_since: float) -> tuple[str, ...]:
        """The keys whose newest trouble no answer followed."""
        with self._connection.reading() as db:
            found = db.execute(
                f"SELECT key, max(CASE WHEN {_REFUSED} OR (at > ?1 AND {_LIMITED}) THEN at END) AS failed, "
                "max(CASE WHEN usage IS NOT NULL AND state <> 'failed' THEN at END) AS answered FROM requests "
                "WHERE at > ?2 AND key IN (SELECT value FROM json_each(?3)) GROUP BY key",
                (limited_since, min(limited_since, refused_since), dumps(list(keys))),
            ).fetchall()
        return tuple(r["key"] for r in found if r["failed"] and not _well(r))


def _well(row: sqlite3.Row) -> bool:
    """Whether there was an answer after the newest failure."""
    return row["answered"] is not None and row["answered"] >= row["failed"]
