"""Who is ill, by the record of everybody's requests: models that failed, keys that were refused or limited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sash.model.blocks import dumps
from sash.stores.transaction import Database, Row

_FAILED = "state = 'failed' AND (substr(error, 1, 11) IN ('Unavailable', 'BreakerOpen'))"
_LIMITED = "state = 'failed' AND (error = 'Unavailable: rate_limit_error' OR substr(error, 1, 12) = 'LimitReached')"
_REFUSED = "state = 'failed' AND substr(error, 1, 14) = 'AccessDenied: ' AND error != 'AccessDenied: not_found_error'"


class Health:
    """Whom to leave alone. See `sash.flows.record.Health`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def models(self, *, models: Sequence[str], since: float) -> Mapping[str, float]:
        """The newest failure of each model that no answer followed."""
        with self._database.reading() as db:
            found = db.all(
                f"SELECT model, max(CASE WHEN {_FAILED} THEN at END) AS failed, "
                "max(CASE WHEN usage IS NOT NULL AND state <> 'failed' THEN at END) AS answered FROM requests "
                f"WHERE at > ? AND model IN {db.sql.among_names('?')} GROUP BY model",
                (since, dumps(list(models))),
            )
        return {r["model"]: r["failed"] for r in found if r["failed"] and not _well(r)}

    def keys(self, *, keys: Sequence[str], limited_since: float, refused_since: float) -> tuple[str, ...]:
        """The keys whose newest trouble no answer followed."""
        with self._database.reading() as db:
            found = db.all(
                f"SELECT key, max(CASE WHEN {_REFUSED} OR (at > ?1 AND {_LIMITED}) THEN at END) AS failed, "
                "max(CASE WHEN usage IS NOT NULL AND state <> 'failed' THEN at END) AS answered FROM requests "
                f"WHERE at > ?2 AND key IN {db.sql.among_names('?3')} GROUP BY key",
                (limited_since, min(limited_since, refused_since), dumps(list(keys))),
            )
        return tuple(r["key"] for r in found if r["failed"] and not _well(r))


def _well(row: Row) -> bool:
    """Whether there was an answer after the newest failure."""
    return row["answered"] is not None and row["answered"] >= row["failed"]
