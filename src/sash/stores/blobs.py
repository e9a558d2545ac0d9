"""Big binary content, kept once: the base64 data of images and documents, by the hash of its text.

`put` takes it out of a turn's content and leaves a reference; `content` puts it back, so that a turn read is the
exact text that was recorded. Where a reference stands is recorded too: text that looks like one stays text.
Turns, forks and conversations that hold the same data share it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import replace

from sash.model.frozen import with_fields
from sash.model.turns import Turn
from sash.planning.rules import is_plain_user
from sash.stores import attachments, mends, rows
from sash.stores.rows import TURN
from sash.stores.transaction import Row, Transaction

INLINE = 4_096
"""Characters of base64 up to which data stays in its turn."""
_DATA = re.compile(rf'(?<="data":")[A-Za-z0-9+/=_-]{{{INLINE + 1},}}(?=")')
_MARK = '"data":"sha256:'
_MENDED = TURN.index("mended")

Places = list[tuple[int, str]]
"""Where in the stored content a reference stands, and the hash it names."""


def put(db: Transaction, content: str) -> tuple[str, Places]:
    """Store the big data of a content; what is left of it, and where its references are."""
    pieces: list[str] = []
    places: Places = []
    read = written = 0
    for found in _DATA.finditer(content):
        name = _keep(db, found[0])
        pieces += [content[read : found.start()], f"sha256:{name}"]
        written += found.start() - read
        places.append((written, name))
        read, written = found.end(), written + len(pieces[-1])
    return "".join((*pieces, content[read:])), places


def place(db: Transaction, turn: int, places: Places) -> None:
    """Record where the references of a turn stand."""
    db.many("INSERT INTO turn_blobs VALUES (?, ?, ?)", [(turn, at, name) for at, name in places])


def turn(db: Transaction, row: Row, request: int = mends.NOW) -> Turn:
    """A row of `attachments.TURNS`: its whole content, what is attached to it, its form in `request` if repaired."""
    found = rows.turn(row[: attachments.ATTACHED])
    if row[attachments.ATTACHED] is not None:
        found = with_fields(found, attachment=attachments.of(db, row))
    if _MARK in found.content:
        found = with_fields(found, content=content(db, row))
    if row[_MENDED]:
        found = with_fields(found, mended=mends.of(db, found.id, request))
        return replace(found, plain=is_plain_user(found.role, found.blocks)) if request != mends.NOW else found
    return found


def content(db: Transaction, row: Row) -> str:
    """The content of a row as it was recorded."""
    stored = str(row["content"])
    pieces, read = [], 0
    for at, name, encoded, data in db.execute(
        "SELECT p.position, p.hash, b.base64, b.data FROM turn_blobs p JOIN blobs b ON b.hash = p.hash "
        "WHERE p.turn_id = ? ORDER BY p.position",
        (row["id"],),
    ):
        pieces += [stored[read:at], base64.b64encode(data).decode() if encoded else data.decode()]
        read = at + len(f"sha256:{name}")
    return "".join((*pieces, stored[read:]))


def _keep(db: Transaction, data: str) -> str:
    """Store a text of base64 under its hash, as bytes where they give the same text back."""
    name = hashlib.sha256(data.encode()).hexdigest()
    if db.one("SELECT 1 FROM blobs WHERE hash = ?", (name,)) is None:
        raw = _decoded(data)
        db.execute(
            "INSERT INTO blobs VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (name, raw is not None, raw or data.encode())
        )
    return name


def _decoded(data: str) -> bytes | None:
    """The bytes, unless encoding them again would give another text (another alphabet, other padding)."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == data else None
