"""Vectors of turns: kept as a byte for each number, searched exactly, in memory once they were read.

Only the direction of a vector counts, so its greatest number is stored as 127 or -127, and what is read gets its length
of 1 again. Older rows hold two bytes for each number, a float16 (column `bytes`), until their turns are embedded anew:
they are rounded as they are read.

`Blocks` holds the vectors of one branch's own turns as a matrix (row = seq - first); a line of several branches is
searched block by block. A block that was read is only extended; it is read anew when a vector of it was removed
(the table `vectors_removed` counts that, whoever did it). It knows no text and no embedder.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.errors import InvalidOption
from sash.stores.lineage import Segment
from sash.stores.loading import load_numpy
from sash.stores.transaction import Row, Transaction

HELD = 400_000
"""Rows held in memory over all conversations; the block longest unused goes first."""
GROWTH = 1.5
GREATEST = 127
SEQ = 0xFFFFFFFF
"""The bits of a place that are the seq of its turn."""
AT_ONCE = 1_000
"""Rows read and multiplied at once: bounds the memory beside the block."""


@dataclass(kw_only=True)
class _Block:
    """The vectors of the turns `first` .. `first + used - 1` of one branch; rows of turns without one are zeros."""

    embedder: str
    removed: int
    first: int
    used: int
    matrix: Any
    """as they are stored, a byte for each number ..."""
    lengths: Any
    """... and the length of each row; 1 for zeros"""


class Blocks:
    """Matrices by branch. Several threads may ask at once: one at a time extends them."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, _Block] = OrderedDict()
        self._lock = threading.Lock()

    def closeness(
        self,
        db: Transaction,
        segments: Sequence[Segment],
        vector: Any,
        embedder: str,
        beside: Mapping[int, Any],
    ) -> tuple[Any, Any]:
        """The cosine of each turn of a line with a unit vector: (seqs, cosines), in the order of the line.

        `beside`: vectors that are not stored, by place. A turn without any is close to nothing.
        """
        np = load_numpy()
        seqs, cosines = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
        with self._lock:
            for segment in segments:
                block = self._block(db, segment, embedder, len(vector))
                found = _cosines(block, segment, vector, beside)
                seqs.append(np.arange(block.first, block.first + len(found)))
                cosines.append(found)
        return np.concatenate(seqs), np.concatenate(cosines)

    def _block(self, db: Transaction, segment: Segment, embedder: str, width: int) -> _Block:
        branch, low, _ = segment
        removed = removals(db, branch)
        block = self._held.pop(branch, None)
        if block is None or (block.embedder, block.removed, block.matrix.shape[1]) != (embedder, removed, width):
            block = _Block(
                embedder=embedder,
                removed=removed,
                first=low,
                used=0,
                matrix=load_numpy().zeros((0, width), dtype="int8"),
                lengths=load_numpy().ones(0, dtype="float32"),
            )
        self._extend(db, block, branch)
        self._held[branch] = block
        while len(self._held) > 1 and sum(held.used for held in self._held.values()) > HELD:
            self._held.popitem(last=False)
        return block

    def _extend(self, db: Transaction, block: _Block, branch: int) -> None:
        """Read what came behind the last row, some at a time."""
        read = (
            "SELECT place, vector, bytes FROM vectors WHERE place BETWEEN ? AND ? AND embedder = ? ORDER BY place "
            f"LIMIT {AT_ONCE}"
        )
        first, end = position(branch, block.first), position(branch, -1)
        while found := db.all(read, (first + block.used, end, block.embedder)):
            _take(block, found, first)
            if len(found) < AT_ONCE:
                break


def _take(block: _Block, found: Sequence[Row], start: int) -> None:
    """Put in vectors that were read, the first row of the block being the turn of the place `start`."""
    np = load_numpy()
    at = np.array([row[0] for row in found], dtype=np.int64) - start
    width = block.matrix.shape[1]
    _make_room(block, int(at[-1]) + 1)
    for kind in (np.dtype(np.int8), np.dtype(np.float16)):
        full = [index for index, row in enumerate(found) if row[1] and row[2] == kind.itemsize]
        read = np.frombuffer(b"".join(found[index][1] for index in full), dtype=kind)
        if len(read) != len(full) * width:
            raise _other_width(block.embedder, width)
        rows = read.reshape(-1, width)
        rows = rows if kind.itemsize == 1 else _in_bytes(rows.astype(np.float32))
        block.matrix[at[full]] = rows
        block.lengths[at[full]] = _lengths(rows.astype(np.float32))[:, 0]


def _make_room(block: _Block, used: int) -> None:
    np = load_numpy()
    if used > len(block.matrix):
        matrix, lengths = block.matrix, block.lengths
        room = int(used * GROWTH)
        block.matrix = np.zeros((room, matrix.shape[1]), dtype=matrix.dtype)
        block.lengths = np.ones(room, dtype=lengths.dtype)
        block.matrix[: block.used], block.lengths[: block.used] = matrix[: block.used], lengths[: block.used]
    block.used = used


def _cosines(block: _Block, segment: Segment, vector: Any, beside: Mapping[int, Any]) -> Any:
    """Of the turns of one segment, from the first of its block on."""
    np = load_numpy()
    branch, _, high = segment
    first, count = block.first, max(0, high - block.first + 1)
    found = np.zeros(count, dtype=np.float32)
    for start in range(0, min(count, block.used), AT_ONCE):
        part = slice(start, min(count, block.used, start + AT_ONCE))
        found[part] = (block.matrix[part].astype(np.float32) / block.lengths[part, None]) @ vector
    for place, row in beside.items():
        if position(branch, first) <= place < position(branch, first + count):
            found[seq_of(place) - first] = row @ vector
    return found


def position(branch: int, seq: int) -> int:
    """Where a turn stands in the indexes: its branch and seq in one number; seq -1 is the end of the branch."""
    return branch << 32 | (seq & SEQ)


def seq_of(place: int) -> int:
    """The seq in a place."""
    return place & SEQ


def removals(db: Transaction, branch: int) -> int:
    """How many vectors of the branch were removed so far."""
    row = db.one("SELECT removed FROM vectors_removed WHERE branch_id = ?", (branch,))
    return int(row[0]) if row else 0


def smeared(cosines: Any, gains: Sequence[float]) -> Any:
    """Closeness with what the turns beside each one add."""
    gained = cosines.copy()
    for distance, gain in enumerate(gains, 1):
        gained[distance:] += gain * cosines[:-distance]
        gained[:-distance] += gain * cosines[distance:]
    return gained


def nearest(seqs: Any, closeness: Any, most: int) -> list[tuple[int, float]]:
    """The `most` closest as (seq, closeness), the closest first."""
    np = load_numpy()
    if len(closeness) > most:
        best = np.argpartition(-closeness, most)[:most]
        seqs, closeness = seqs[best], closeness[best]
    order = np.lexsort((-seqs, -closeness))
    return [(int(seqs[at]), float(closeness[at])) for at in order]


def unit_rows(rows: Any, texts: int, embedder: str) -> Any:
    """What an embedder gave, as rows of length 1 (zeros stay zeros). Raises InvalidOption for anything else."""
    np = load_numpy()
    try:
        found = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _no_vectors(embedder, texts, str(error)) from error
    if found.ndim != 2 or len(found) != texts or not found.shape[1]:
        raise _no_vectors(embedder, texts, f"an array of shape {found.shape}")
    if not np.isfinite(found).all():
        raise _no_vectors(embedder, texts, "numbers that are not finite")
    return _unit(found)


def _unit(rows: Any) -> Any:
    """Rows of length 1; zeros stay zeros."""
    return rows / _lengths(rows)


def _lengths(rows: Any) -> Any:
    """The length of each row, 1 for zeros."""
    np = load_numpy()
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 0, lengths, 1)


def blob(row: Any) -> bytes:
    """A vector as it is stored; nothing for one that has no direction."""
    return bytes(_in_bytes(row).tobytes()) if row.any() else b""


def _in_bytes(rows: Any) -> Any:
    np = load_numpy()
    greatest = np.abs(rows).max(axis=-1, keepdims=True)
    return np.rint(rows * (GREATEST / np.where(greatest > 0, greatest, 1))).astype(np.int8)


def stored(vector: bytes, size: int) -> Any:
    """A vector as it stands in a row, with so many bytes for each number: its direction counts, not its length."""
    np = load_numpy()
    return np.frombuffer(vector, dtype=np.int8 if size == 1 else np.float16).astype(np.float32)


def as_stored(rows: Any) -> Any:
    """Vectors as they are once they were stored and read again."""
    return _unit(_in_bytes(rows).astype(load_numpy().float32))


def _no_vectors(embedder: str, texts: int, got: str) -> InvalidOption:
    return InvalidOption(
        f"embedder {embedder!r} was given {texts} texts and gave {got}; "
        "`embed` gives one row of numbers for each text, all of one length",
        option="semantic",
        value=embedder,
    )


def _other_width(embedder: str, width: int) -> InvalidOption:
    return InvalidOption(
        f"embedder {embedder!r} gives {width} numbers for a text, but vectors stored under its name have another "
        "length; give another model another name",
        option="semantic",
        value=embedder,
    )
