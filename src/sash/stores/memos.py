"""Replies remembered in a SQLite file, the record's own or another: found by name, forgotten by age, size and tag."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sash.limits.memo.policy import MemoUse
from sash.stores.opening import open_database
from sash.stores.transaction import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A remembered reply: the bytes of its body, as they came."""

    content: bytes
    kind: str
    """the content type"""
    request_id: str
    at: float
    """when it was given, in unix seconds"""
    dollars: float
    """what it cost then"""


class SqliteMemos:
    """The memo of a SQLite file; `path` may be that of a record. One object may serve many threads."""

    def __init__(self, where: str | Path | Database) -> None:
        self._database = open_database(where) if isinstance(where, str | Path) else where
        self._asked = 0
        self._lock = threading.Lock()

    @property
    def place(self) -> object:
        """What all memos of one file have in common in this process."""
        return self._database.identity or self._database

    def find(self, name: str, now: float, *, again: bool = False) -> Kept | None:
        """The reply of this name, if it is still good. A hit counts as use; looking `again` asks for nothing new."""
        with self._lock:
            self._asked += not again
        with self._database.reading() as db:
            row = db.one("SELECT * FROM memos WHERE name = ? AND until > ?", (name, now))
        if row is None:
            return None
        with self._database.writing() as db:
            db.execute("UPDATE memos SET used_at = ? WHERE name = ?", (now, name))
            self._count(db, hits=1, saved=row["cost"])
        return Kept(
            content=row["content"], kind=row["kind"], request_id=row["request_id"], at=row["at"], dollars=row["cost"]
        )

    def keep(self, name: str, kept: Kept, *, until: float, tags: Iterable[str], most: int) -> None:
        """Remember a reply until then, and forget what that leaves no room for, the longest unused first."""
        size = len(kept.content)
        if size > most:
            return
        with self._database.writing() as db:
            db.alone("memo", name)
            self._count(db, hits=0, saved=0.0)
            db.execute("DELETE FROM memos WHERE name = ? OR until <= ?", (name, kept.at))
            db.execute(
                "INSERT INTO memos (name, content, kind, request_id, size, cost, at, until, used_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (name, kept.content, kept.kind, kept.request_id, size, kept.dollars, kept.at, until, kept.at),
            )
            db.many(
                "INSERT INTO memo_tags (name, tag) VALUES (?, ?) ON CONFLICT DO NOTHING", [(name, tag) for tag in tags]
            )
            _make_room(db, most)

    def forget(self, tag: str | None = None) -> int:
        """Forget what carries a tag (None: everything); how many replies that were."""
        with self._database.writing() as db:
            if tag is None:
                return db.execute("DELETE FROM memos").rowcount
            return db.execute(
                "DELETE FROM memos WHERE name IN (SELECT name FROM memo_tags WHERE tag = ?)", (tag,)
            ).rowcount

    def use(self) -> MemoUse:
        """What it holds, and how often it served."""
        if self._asked:
            with self._database.writing() as db:
                self._count(db, hits=0, saved=0.0)
        with self._database.reading() as db:
            held = db.one("SELECT count(*) AS entries, coalesce(sum(size), 0) AS size FROM memos")
            used = db.one("SELECT * FROM memo_use")
        return MemoUse(
            entries=held["entries"], size=held["size"], asked=used["asked"], hits=used["hits"], saved=used["saved"]
        )

    def _count(self, db: Transaction, *, hits: int, saved: float) -> None:
        with self._lock:
            asked, self._asked = self._asked, 0
        db.execute("UPDATE memo_use SET asked = asked + ?, hits = hits + ?, saved = saved + ?", (asked, hits, saved))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _make_room(db: Transaction, most: int) -> None:
    """Forget the longest unused until the rest fits."""
    over = db.one("SELECT coalesce(sum(size), 0) AS size FROM memos")["size"] - most
    while over > 0:
        oldest = db.one("SELECT name, size FROM memos ORDER BY used_at, at LIMIT 1")
        db.execute("DELETE FROM memos WHERE name = ?", (oldest["name"],))
        over -= oldest["size"]
