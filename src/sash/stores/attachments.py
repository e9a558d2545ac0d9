"""What was attached to turns: read with them, written with them. The older turns that each quotes are named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sash.model.blocks import dumps
from sash.model.turns import Attachment, Source
from sash.stores.rows import TURN
from sash.stores.transaction import Row, Transaction

_OWN = ", ".join(f"t.{name}" for name in TURN)
COLUMNS = f"{_OWN}, a.content AS attached, a.tokens AS attached_tokens"
ATTACHED = len(TURN)
"""Where what is attached stands among them: by its number it is found in a fraction of the time."""
TURNS = "turns t LEFT JOIN attachments a ON a.turn_id = t.id"
"""What a turn is read from, as `blobs.turn` takes it: other columns stand behind these."""
ONE = f"SELECT {COLUMNS} FROM {TURNS} WHERE t.id = ?"
"""Reads one turn by its id."""


def put(db: Transaction, turn: int, attachment: Attachment, at: float) -> None:
    """Record what is sent with a turn."""
    db.later("INSERT INTO attachments VALUES (?, ?, ?, ?)", (turn, attachment.content, attachment.tokens, at))
    db.many(
        "INSERT INTO attachment_sources VALUES (?, ?, ?)",
        [(turn, source.turn, source.why) for source in attachment.sources],
    )


def as_read(attachment: Attachment | None) -> Attachment | None:
    """An attachment just recorded, as `of` reads it."""
    if attachment is None:
        return None
    return replace(attachment, sources=_in_order(attachment.sources))


def _in_order(sources: Iterable[Source]) -> tuple[Source, ...]:
    return tuple(sorted(sources, key=lambda source: (source.seq, source.turn)))


def of(db: Transaction, row: Row) -> Attachment:
    """What is attached to a turn that was read from `TURNS`, and has something there."""
    found = db.execute(
        "SELECT s.source_id, t.seq, s.why FROM attachment_sources s JOIN turns t ON t.id = s.source_id "
        "WHERE s.turn_id = ?",
        (row["id"],),
    )
    sources = [Source(turn=one["source_id"], seq=one["seq"], why=one["why"]) for one in found]
    told = [replace(one, seq=0) if one.profiled else one for one in sources]  # of whichever conversation
    return Attachment(content=row["attached"], tokens=row["attached_tokens"], sources=_in_order(told))


def forget_quoting(db: Transaction, turns: Sequence[int]) -> list[int]:
    """Remove what is attached to these turns (ids), and what quotes them; the turns it was attached to, now changed."""
    among = db.sql.among_ids("?1")
    quoting = [
        int(row[0])
        for row in db.execute(
            f"SELECT DISTINCT turn_id FROM attachment_sources WHERE source_id IN {among} "
            f"UNION SELECT turn_id FROM attachments WHERE turn_id IN {among}",
            (dumps(list(turns)),),
        )
    ]
    for table in ("attachment_sources", "attachments"):
        db.many(f"DELETE FROM {table} WHERE turn_id = ?", [(turn,) for turn in quoting])
    return quoting
