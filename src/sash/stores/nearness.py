"""Closeness in long lines, asked of a database that knows vectors itself (PostgreSQL with pgvector).

A line of up to `EXACT` turns is compared exactly, in memory, as in a file (`vectors`). Of a longer one the database
names candidates by its index; these and the turns beside them are compared exactly: no process reads a long line whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sash.model.blocks import dumps
from sash.stores.lineage import Segment
from sash.stores.loading import load_numpy
from sash.stores.transaction import Transaction
from sash.stores.vectors import position, seq_of, stored

EXACT = 5_000
"""Turns of a line that are compared without asking the database."""
FILLED = 5_000
"""Vectors at a time that get their form for the database."""

PLAIN = ("", "", "")
"""What an INSERT of vectors names beside their bytes where the database knows none."""

_LACKING = "place BETWEEN ? AND ? AND near IS NULL AND length(vector) > 0"


def told_to(schema: str) -> tuple[str, str, str]:
    """What it names where it does: columns, values, and what is done where a row is there already."""
    return ", near", f", ?::{schema}.halfvec", ", near = excluded.near"


def asks_database(db: Transaction, segments: Sequence[Segment]) -> bool:
    """Whether a line is long enough, and all its vectors are known to the database."""
    if not db.nearness or sum(max(0, high - low + 1) for _, low, high in segments) <= EXACT:
        return False
    return not any(db.one(f"SELECT 1 FROM vectors WHERE {_LACKING} LIMIT 1", _span(segment)) for segment in segments)


def written(row: Any) -> str | None:
    """A vector as the database reads it; None for one that has no direction."""
    numbers = row.astype(load_numpy().float16)
    return f"[{','.join(map(str, numbers.tolist()))}]" if numbers.any() else None


def fill(db: Transaction, segments: Sequence[Segment]) -> int:
    """Tell the database some vectors that were kept before it knew any; how many."""
    found = [
        row
        for segment in segments
        for row in db.all(f"SELECT place, vector, bytes FROM vectors WHERE {_LACKING} LIMIT {FILLED}", _span(segment))
    ]
    db.many(
        f"UPDATE vectors SET near = ?::{db.nearness}.halfvec WHERE place = ? AND vector = ?",
        [(written(stored(row["vector"], row["bytes"])), row["place"], row["vector"]) for row in found],
    )
    return len(found)


def nearest_of(
    db: Transaction,
    segments: Sequence[Segment],
    vector: Any,
    embedder: str,
    *,
    beside: Mapping[int, Any],
    gains: Sequence[float],
    most: int,
) -> list[tuple[int, float]]:
    """The closest turns of a line as (seq, closeness), the closest first, with what the turns beside each one add."""
    found = [*_candidates(db, segments, vector, embedder, most), *map(seq_of, beside)]
    cosines = _cosines(db, segments, vector, embedder, _around(found, 2 * len(gains)))
    cosines |= {seq_of(place): float(row @ vector) for place, row in beside.items()}
    ends = (segments[0][1], segments[-1][2])
    closeness = {
        seq: cosines.get(seq, 0.0)
        + sum(
            gain * (cosines.get(seq - distance, 0.0) + cosines.get(seq + distance, 0.0))
            for distance, gain in enumerate(gains, 1)
        )
        for seq in _around(found, len(gains))
        if ends[0] <= seq <= ends[1]
    }
    return sorted(closeness.items(), key=lambda one: (-one[1], -one[0]))[:most]


def _around(seqs: Sequence[int], reach: int) -> set[int]:
    """These, and those up to so many away."""
    return {seq + by for seq in seqs for by in range(-reach, reach + 1)}


def _candidates(db: Transaction, segments: Sequence[Segment], vector: Any, embedder: str, most: int) -> list[int]:
    """seqs, by the database's own index."""
    db.later("SET LOCAL hnsw.iterative_scan TO strict_order")
    db.later("SET LOCAL hnsw.ef_search TO 200")
    asked = written(vector)
    return [
        seq_of(place)
        for segment in segments
        for place in db.one(
            "SELECT coalesce(array_agg(place), '{}') FROM (SELECT place FROM vectors WHERE place BETWEEN ? AND ? "
            f"AND embedder = ? AND near IS NOT NULL ORDER BY {_distance(db, vector)} LIMIT ?) nearest",
            (*_span(segment), embedder, asked, most),
        )[0]
    ]


def _cosines(
    db: Transaction, segments: Sequence[Segment], vector: Any, embedder: str, wanted: Collection[int]
) -> dict[int, float]:
    """By seq, of those of these turns that have a vector: in one row, for there are thousands."""
    found: dict[int, float] = {}
    for branch, low, high in segments:
        places = dumps([position(branch, seq) for seq in sorted(wanted) if low <= seq <= high])
        seqs, distances = db.one(
            f"SELECT coalesce(array_agg(place), '{{}}'), coalesce(array_agg({_distance(db, vector)}), '{{}}') "
            f"FROM vectors WHERE place IN {db.sql.among_ids('?')} AND embedder = ? AND near IS NOT NULL",
            (written(vector), places, embedder),
        )
        found |= {seq_of(place): 1.0 - far for place, far in zip(seqs, distances, strict=True)}
    return found


def _distance(db: Transaction, vector: Any) -> str:
    kind = f"{db.nearness}.halfvec({len(vector)})"
    return f"near::{kind} OPERATOR({db.nearness}.<=>) ?::{kind}"


def _span(segment: Segment) -> tuple[int, int]:
    branch, low, high = segment
    return position(branch, low), position(branch, high)
