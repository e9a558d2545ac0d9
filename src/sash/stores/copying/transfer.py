"""Copying rows with their ids. What is there already is left as it is, so a copy that was broken off goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sash.errors import InvalidOption
from sash.stores.copying.tables import TABLES, Table
from sash.stores.store import DatabaseStore
from sash.stores.transaction import Transaction

Progress = Callable[[str, int], None]
"""Told what is being done, and how many rows of it were done since the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy wrote."""

    rows: int
    known: int
    """rows that were there already"""
    conversations: int


def copy(
    source: DatabaseStore, target: DatabaseStore, *, namespace: str | None = None, progress: Progress | None = None
) -> Copied:
    """Copy a record, or what is one tenant's, with its ids; `check` then holds the two against each other.

    The source is read as it stood when the copy began. Raises InvalidOption for a target that is the source itself, or
    holds other conversations.
    """
    told = progress or (lambda _what, _done: None)
    rows = known = 0
    with source.database.reading() as db, target.database.unchecked():
        _reject_others(source, target, db)
        for table in TABLES:
            for page in table.rows(db, namespace):
                new = _add(target, table, page)
                rows, known = rows + new, known + len(page) - new
                told(table.name, len(page))
        _keep_ids(db, target)
        conversations = next(one for one in TABLES if one.name == "conversations").count(db, namespace)
    return Copied(rows=rows, known=known, conversations=conversations)


def size(source: DatabaseStore, *, namespace: str | None = None) -> int:
    """What `copy` and `check` have to do, as they tell `progress`: each row twice, and requests to be rebuilt."""
    with source.database.reading() as db:
        rows = {table.name: table.count(db, namespace) for table in TABLES}
    return 2 * sum(rows.values()) + rows["requests"]


def _add(target: DatabaseStore, table: Table, page: list[Mapping[str, Any]]) -> int:
    with target.database.writing() as db:
        known = table.known(db, page)
        new = [row for row in page if table.key_of(row) not in known]
        table.add(db, new)
        if db.sql.unless_unseen and new:
            _reject_unseen(target, table, db, new)
        return len(new)


def _reject_unseen(target: DatabaseStore, table: Table, db: Transaction, new: list[Mapping[str, Any]]) -> None:
    """What another tenant has in their place is not shown; it may stay there only where it says the same."""
    shown = table.known(db, new)
    for row in new:
        if table.key_of(row) not in shown and not _kept_for_all(table, db, row):
            raise InvalidOption(
                f"{target.path!r} holds another tenant's {table.name} in the place of {table.key_of(row)!r}; name a "
                "database without conversations, or one where other tenants of the same source were copied",
                option="to",
                value=target.path,
            )


def _kept_for_all(table: Table, db: Transaction, row: Mapping[str, Any]) -> bool:
    """Whether this very row is there for other tenants: preambles and blobs are kept once for all."""
    if table.name == "preambles":
        return bool(db.one(db.sql.add_preamble, (row["hash"], row["system"], row["tools"]))["id"] == row["id"])
    return table.name == "blobs"  # told apart by the hash of what they are


def _reject_others(source: DatabaseStore, target: DatabaseStore, db: Transaction) -> None:
    """Ids are kept, so the target may hold nothing but what an earlier copy of this source brought there."""
    if target.database.identity is not None and target.database.identity == source.database.identity:
        raise InvalidOption(f"{target.path!r} is copied from and to; name another", option="to", value=target.path)
    columns = ("id", "namespace", "name", "created_at")
    find = f"SELECT {', '.join(columns)} FROM conversations"
    with target.database.reading() as theirs:
        for row in theirs.execute(f"{find} ORDER BY id"):
            mine = db.one(f"{find} WHERE id = ?", (row["id"],))
            if mine is None or tuple(mine) != tuple(row):
                raise InvalidOption(
                    f"{target.path!r} holds the conversation {row['name']!r}, and {source.path!r} another one in its "
                    "place; name a database without conversations, or one where an earlier copy of the same was begun",
                    option="to",
                    value=target.path,
                )


def _keep_ids(db: Transaction, target: DatabaseStore) -> None:
    """Ids of the source, those of deleted rows included, are not given again."""
    with target.database.writing() as theirs:
        for table in TABLES:
            if table.key == ("id",):
                theirs.keep_free(table.name, db.highest_id(table.name))
