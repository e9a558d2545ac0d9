"""Where a conversation stands: its present branch, newest turn and epoch. Functions over an open transaction."""

from __future__ import annotations

from dataclasses import replace

from sash.errors import Conflict
from sash.model.epochs import Epoch
from sash.model.preamble import Preamble
from sash.model.window import Head
from sash.stores import rows
from sash.stores.cache import Cache
from sash.stores.lineage import BranchRanges, deleted
from sash.stores.transaction import Row, Transaction

_EPOCH = (
    "SELECT e.*, p.system, p.tools, s.upto_seq, s.text AS summary_text, s.content AS summary_content, s.verbatim "
    "FROM epochs e JOIN preambles p ON p.id = e.preamble_id LEFT JOIN summaries s ON s.id = e.summary_id WHERE e.id = ?"
)


_HEAD = (
    "SELECT c.id, c.owner, c.requests, c.branch_id, c.model, c.key, c.version, b.epoch_id, b.fresh, p.system, p.tools, "
    "(SELECT coalesce(max(id), 0) FROM forgotten) AS forgotten FROM conversations c "
    "JOIN branches b ON b.id = c.branch_id LEFT JOIN preambles p ON p.id = c.preamble_id WHERE"
)


def head_of(db: Transaction, lines: BranchRanges, conversation: int) -> Head:
    """Where a conversation stands. Raises NotFound for one that was deleted meanwhile."""
    row = db.one(f"{_HEAD} c.id = ?", (conversation,))
    if row is None:
        raise deleted(conversation)
    return head_from(db, lines, row)


def named(db: Transaction, namespace: str, name: str) -> Row | None:
    """The conversation of this name, with all that `head_from` needs; None where there is none."""
    found: Row | None = db.one(f"{_HEAD} c.namespace = ? AND c.name = ?", (namespace, name))
    return found


def head_from(db: Transaction, lines: BranchRanges, row: Row) -> Head:
    """Where the conversation of a row stands."""
    newest = lines.newest(db, row["branch_id"])
    return Head(
        conversation=row["id"],
        branch=row["branch_id"],
        seq=newest.seq if newest else 0,
        turn=newest,
        epoch=epoch_of(db, row["epoch_id"]) if row["epoch_id"] else None,
        requests=row["requests"],
        new_epoch_reason=row["fresh"] or lines.changed(db, row["branch_id"], row["epoch_id"] or 0),
        model=row["model"],
        key=row["key"],
        user=row["owner"],
        brought=Preamble(system=row["system"] or "", tools=row["tools"] or ""),
        forgotten=row["forgotten"],
    )


def head_for(db: Transaction, lines: BranchRanges, head: Head, model: str) -> Head:
    """The head as a request to `model` finds it: with the newest epoch of its own among those side by side.

    One that began behind the point where the branch parted from it may send turns of then otherwise than recorded.
    """
    if head.epoch is None or head.epoch.model == model:
        return head
    spans = {segment: high for segment, _, high in lines.segments(db, head.branch)}
    for row in db.execute(
        "SELECT e.id, e.branch_id, (SELECT r.last_seq FROM requests r WHERE r.epoch_id = e.id ORDER BY r.id LIMIT 1) "
        "AS began FROM epochs e WHERE (e.family = ?1 OR e.id = ?1) AND e.model = ?2 ORDER BY e.id DESC",
        (head.epoch.family, model),
    ):
        if row["began"] is not None and row["began"] <= spans.get(row["branch_id"], -1):
            epoch = epoch_of(db, row["id"])
            return replace(
                head, epoch=epoch, new_epoch_reason=head.new_epoch_reason or lines.changed(db, head.branch, epoch.id)
            )
    return head


def epoch_of(db: Transaction, epoch: int) -> Epoch:
    """An epoch by its id, with its preamble and its summary."""
    return rows.epoch(db.one(_EPOCH, (epoch,)))


def preamble_id(db: Transaction, preamble: Preamble) -> int:
    """The id of a preamble in the record, which keeps each once."""
    known = db.one("SELECT id FROM preambles WHERE hash = ?", (preamble.hash,))
    if known is not None:
        return int(known["id"])
    return int(db.one(db.sql.add_preamble, (preamble.hash, preamble.system, preamble.tools))["id"])


RAISE_VERSION = (
    "UPDATE conversations SET version = version + 1, dollars = dollars + ?, unpriced = unpriced + ? WHERE id = ? "
    "RETURNING branch_id, version"
)
"""Given what the write says was spent, how often at an unknown price, and the conversation."""


def take(db: Transaction, cache: Cache, conversation: int, dollars: float = 0.0, unpriced: int = 0) -> int:
    """Write to a conversation: raise its version; its present branch. Raises NotFound for one that was deleted."""
    row = db.one(RAISE_VERSION, (dollars, unpriced, conversation))
    if row is None:
        raise deleted(conversation)
    kept = cache.written(conversation, row["version"])
    if kept is not None:
        kept.whole = kept.under_way = None
    return int(row["branch_id"])


def reject_conflict(db: Transaction, lines: BranchRanges, now: int, branch: int, head: int) -> None:
    """Raise Conflict unless the newest turn of the present branch `now` is still `head`."""
    newest = lines.newest(db, now)
    if now != branch or (newest.seq if newest else 0) != head:
        raise Conflict(
            f"another writer appended first: the newest turn is number {newest.seq if newest else 0} "
            f"(id {newest.id if newest else None}), not {head}. Nothing was written; send again to go on from it",
            expected=head,
            newest=newest.id if newest else None,
        )
