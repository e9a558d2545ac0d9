"""What conversations share: what the requests of others change in a window, read in one statement.

With it comes the conversation's version, which every write to it raises: where that is the one that a window was read
at, nothing of the conversation itself needs to be read again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from sash.model.blocks import dumps
from sash.model.cards import Ttl
from sash.model.counts import Count
from sash.model.frozen import with_fields
from sash.model.window import Loaded
from sash.stores import rows, wordings
from sash.stores.dialect import Dialect
from sash.stores.lineage import deleted
from sash.stores.transaction import Row, Transaction

_FIND = """SELECT c.version, {changes} AS changes, (SELECT coalesce(max(id), 0) FROM forgotten) AS forgotten,
    coalesce((SELECT sum(g.within_5m) {all}), 0.0) - coalesce(o.within_5m, 0.0) AS within_5m,
    coalesce((SELECT sum(g.within_1h) {all}), 0.0) - coalesce(o.within_1h, 0.0) AS within_1h,
    coalesce((SELECT sum(g.total) {all}), 0.0) - coalesce(o.total, 0.0) AS gaps, k.state AS calibration,
    r.at, r.markers, w.text AS wording, n.tokens, n.upper, n.source, n.base
FROM conversations c
LEFT JOIN gaps o ON o.namespace = c.namespace AND o.conversation_id = c.id
LEFT JOIN calibration k ON k.model = ?2 AND k.base = ?3
LEFT JOIN preambles p ON p.hash = ?4
LEFT JOIN preamble_counts n ON n.preamble_id = p.id AND n.model = ?2
LEFT JOIN requests r ON r.id = (SELECT s.id FROM requests s WHERE s.preamble_id = p.id AND s.model = ?2
    AND s.usage IS NOT NULL {near} ORDER BY s.at DESC LIMIT 1)
LEFT JOIN wordings w ON w.id = r.markers_id
WHERE c.id = ?1"""
PREAMBLE = "preamble"
"""The role of the marker behind tools and system prompt."""
_ALL = "FROM gaps g WHERE g.namespace = c.namespace AND g.conversation_id <= 0"
"""The sums of a namespace: whoever writes adds to one of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFor:
    """For which request they are read."""

    model: str
    base: str
    """of the estimator"""
    preamble: str
    """its hash"""
    near: frozenset[str] | None
    """the keys that share a cache with the one that is used; None: all do"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What was found, at one moment."""

    asked: SharedFor
    version: int
    changes: tuple[int, int]
    """the connection that it was read on, and a number that changes there when others have written to the file"""
    forgotten: int
    """id of the newest entry in the audit of what was forgotten"""
    other_gaps: tuple[float, float, float]
    """the namespace's sums less the conversation's own"""
    calibration: str
    preamble_count: Count | None
    preamble_at: float | None
    """when any conversation last sent this preamble with a marker on it ..."""
    preamble_ttl: Ttl
    """... and the lifetime it asked for"""

    def with_window(self, loaded: Loaded) -> Loaded:
        """A window with it."""
        return with_fields(
            loaded,
            head=with_fields(loaded.head, forgotten=self.forgotten),
            other_gaps=self.other_gaps,
            calibration=self.calibration,
            preamble_count=self.preamble_count,
            preamble_at=self.preamble_at,
            preamble_ttl=self.preamble_ttl,
        )


def shared(db: Transaction, conversation: int, asked: SharedFor) -> Shared:
    """What it is now. Raises NotFound for one that was deleted meanwhile."""
    given = (conversation, asked.model, asked.base, asked.preamble)
    keys = () if asked.near is None else (dumps(sorted(asked.near)),)
    row = db.one(_found_by(db.sql, near=bool(keys)), (*given, *keys))
    if row is None:
        raise deleted(conversation)
    at, ttl = _marked(row)
    return Shared(
        asked=asked,
        version=row["version"],
        changes=(db.connection, row["changes"]),
        forgotten=row["forgotten"],
        other_gaps=(row["within_5m"], row["within_1h"], row["gaps"]),
        calibration=row["calibration"] or "",
        preamble_count=rows.count(row),
        preamble_at=at,
        preamble_ttl=ttl,
    )


@cache  # of a few dialects: it is long, and asked with every send
def _found_by(sql: Dialect, *, near: bool) -> str:
    among = f"AND s.key IN {sql.among_names('?5')}" if near else ""
    return _FIND.format(near=among, changes=sql.foreign_changes, all=_ALL)


def _marked(row: Row) -> tuple[float | None, Ttl]:
    if row["at"] is None or PREAMBLE not in (row["wording"] or row["markers"]):  # told without parsing them
        return None, "5m"
    stored = json.loads(wordings.text(row["wording"], row["markers"]))
    marked: list[Ttl] = [marker["ttl"] for marker in stored if marker["role"] == PREAMBLE]
    return (row["at"], marked[0]) if marked else (None, "5m")
