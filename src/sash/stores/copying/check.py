"""Holding a copy against what it was copied from: every row, and every past request, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from sash.errors import CopyDiffers
from sash.planning.digest import body_hash
from sash.planning.view import body
from sash.stores.copying.tables import TABLES, Table
from sash.stores.copying.transfer import Progress
from sash.stores.store import DatabaseStore
from sash.stores.transaction import Transaction


def check(
    source: DatabaseStore, target: DatabaseStore, *, namespace: str | None = None, progress: Progress | None = None
) -> int:
    """Compare all rows, and rebuild all requests; how many requests these were. Raises CopyDiffers.

    What tenants share and each of them may change needs only be there, where one tenant was copied.
    """
    told = progress or (lambda _what, _done: None)
    with source.database.reading() as mine, target.database.reading() as theirs:
        sent: list[tuple[int, int]] = []
        for table in TABLES:
            for one, other in _pairs(table, mine, theirs, namespace):
                if one is None or one != other:
                    raise _differs(table, one or other or {}, source, target)
                if table.name == "requests":
                    sent.append((one["conversation_id"], one["number"]))
                told(table.name, 1)
    for conversation, number in sent:
        if not _rebuilds(source, target, conversation, number):
            raise CopyDiffers(
                f"request {number} of conversation {conversation} rebuilds to other bytes in {target.path!r} than in "
                f"{source.path!r}; the copy cannot be trusted",
                table="requests",
                key=(conversation, number),
            )
        told("requests rebuilt", 1)
    return len(sent)


def _pairs(
    table: Table, mine: Transaction, theirs: Transaction, namespace: str | None
) -> Iterator[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    """The rows that are to be the same, side by side."""
    if namespace is None or not table.of_all_tenants:
        yield from zip_longest(_all(table, mine, namespace), _all(table, theirs, namespace))
        return
    there = {table.key_of(row) for row in _all(table, theirs, namespace)}
    for row in _all(table, mine, namespace):
        yield row, row if table.key_of(row) in there else None


def _all(table: Table, db: Transaction, namespace: str | None) -> Iterator[Mapping[str, Any]]:
    for page in table.rows(db, namespace):
        yield from page


def _rebuilds(source: DatabaseStore, target: DatabaseStore, conversation: int, number: int) -> bool:
    """As it was sent; or, where redaction has left a gap, as the source rebuilds it."""
    rebuilt, sent = _rebuilt(target, conversation, number)
    return rebuilt == sent or rebuilt == _rebuilt(source, conversation, number)[0]


def _rebuilt(store: DatabaseStore, conversation: int, number: int) -> tuple[str, str]:
    """The hash of a request's body as it is rebuilt, and as it was sent."""
    request, epoch, turns = store.requests.read(conversation, number=number)
    return body_hash(body(epoch, turns, request.sent)), request.body_hash


def _differs(table: Table, row: Mapping[str, Any], source: DatabaseStore, target: DatabaseStore) -> CopyDiffers:
    key = table.key_of(row)
    return CopyDiffers(
        f"the row {key!r} of {table.name} is not the same in {source.path!r} and {target.path!r}: one of them was "
        "written to since the copy was begun. Copy again into an empty database, while nobody writes",
        table=table.name,
        key=key,
    )
