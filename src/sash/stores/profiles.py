"""Profiles of users: what the rules found in their words, what was set or removed by hand; nothing ended is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sash.errors import NotFound
from sash.model.blocks import dumps
from sash.model.turns import Turn
from sash.profile.entries import Ended, Entry, Learned
from sash.recall.words import words
from sash.stores import blobs
from sash.stores.database import Database
from sash.stores.transaction import Row, Transaction


class Profiles:
    """What is known of users. See `sash.flows.record.Profiles`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unread(self, *, user: str, namespace: str, most: int) -> Sequence[Turn]:
        """The user's next turns that the rules have not read, over all their conversations, the oldest first."""
        with self._database.reading() as db:
            found = db.all(
                "SELECT t.* FROM turns t JOIN conversations c ON c.id = t.conversation_id "
                "WHERE c.namespace = ?1 AND c.owner = ?2 AND t.role = 'user' AND t.state <> 'withdrawn' AND t.id > "
                "coalesce((SELECT upto FROM profile_reading WHERE namespace = ?1 AND owner = ?2), 0) "
                "ORDER BY t.id LIMIT ?3",
                (namespace, user, most),
            )
            return [blobs.turn(db, row) for row in found]

    def learn(self, found: Sequence[tuple[Learned, Turn]], *, user: str, namespace: str, upto: int) -> None:
        """Keep what the rules found in turns up to the id `upto`; said again, an entry has one more source."""
        with self._database.writing() as db:
            for learned, turn in found:
                _keep(db, (namespace, user), learned, turn)
            db.execute(
                "INSERT INTO profile_reading (namespace, owner, upto) VALUES (?, ?, ?) ON CONFLICT (namespace, owner) "
                f"DO UPDATE SET upto = {db.sql.greatest}(profile_reading.upto, excluded.upto)",
                (namespace, user, upto),
            )

    def entries(self, *, user: str, namespace: str = "", ended: bool = False) -> Sequence[Entry]:
        """What holds, the newest first; with `ended`, what no longer does, too."""
        with self._database.reading() as db:
            only = "" if ended else "AND ended = '' "
            mine = f"SELECT * FROM profile_entries WHERE namespace = ? AND owner = ? {only}ORDER BY at DESC, id DESC"
            return _entries(db, db.all(mine, (namespace, user)))

    def set(self, learned: Learned, *, user: str, namespace: str = "", at: float | None = None) -> Entry:
        """Keep an entry made by hand; one of the same topic ends."""
        moment = time.time() if at is None else at
        with self._database.writing() as db:
            _end_topic(db, (namespace, user), learned, moment)
            key = _insert(db, (namespace, user), learned, "hand", moment)
            return _one(db, key)

    def remove(self, entry: int, *, user: str, namespace: str = "", at: float | None = None) -> Entry:
        """End an entry; it stays for audit. Raises NotFound for one that does not hold, or is another user's."""
        moment = time.time() if at is None else at
        with self._database.writing() as db:
            found = db.one(
                "SELECT id FROM profile_entries WHERE id = ? AND namespace = ? AND owner = ? AND ended = ''",
                (entry, namespace, user),
            )
            if found is None:
                raise NotFound(f"no entry {entry} holds in this profile", kind="entry", key=entry)
            _end(db, entry, "removed", moment)
            return _one(db, entry)


def read_again(db: Transaction, namespace: str, user: str) -> None:
    """Have the rules read from the beginning: turns that were nobody's have become the user's."""
    db.execute("DELETE FROM profile_reading WHERE namespace = ? AND owner = ?", (namespace, user))


def redact(db: Transaction, turns: Sequence[int], at: float) -> None:
    """Take the words out of entries that were said in these turns."""
    among = db.sql.among_ids("?1")
    db.execute(
        "UPDATE profile_entries SET text = '', topic = '', ended = 'redacted', ended_at = ?2 "
        f"WHERE id IN (SELECT entry_id FROM profile_sources WHERE turn_id IN {among})",
        (dumps(list(turns)), at),
    )
    db.execute(f"DELETE FROM profile_sources WHERE turn_id IN {among}", (dumps(list(turns)),))


def forget(db: Transaction, namespace: str, user: str) -> int:
    """Remove a user's profile, ended entries included; how many it were."""
    mine = "FROM profile_entries WHERE namespace = ? AND owner = ?"
    entries = int(db.one(f"SELECT count(*) {mine}", (namespace, user))[0])
    db.execute(f"DELETE FROM profile_sources WHERE entry_id IN (SELECT id {mine})", (namespace, user))
    for table in ("profile_entries", "profile_reading"):
        db.execute(f"DELETE FROM {table} WHERE namespace = ? AND owner = ?", (namespace, user))
    return entries


def _keep(db: Transaction, whose: tuple[str, str], learned: Learned, turn: Turn) -> None:
    known = db.one(
        "SELECT e.id FROM profile_entries e JOIN profile_sources s ON s.entry_id = e.id "
        "WHERE e.namespace = ? AND e.owner = ? AND e.kind = ? AND e.text = ? AND s.turn_id = ?",
        (*whose, learned.kind, learned.text, turn.id),
    )
    if known is not None:
        return
    same = _same(db, whose, learned)
    if same is None:
        newer = _end_topic(db, whose, learned, turn.at)
        same = _insert(db, whose, learned, "rules", turn.at)
        if newer:
            _end(db, same, "superseded", turn.at)
    db.execute(f"UPDATE profile_entries SET at = {db.sql.greatest}(at, ?) WHERE id = ?", (turn.at, same))
    db.execute("INSERT INTO profile_sources (entry_id, turn_id) VALUES (?, ?)", (same, turn.id))


def _same(db: Transaction, whose: tuple[str, str], learned: Learned) -> int | None:
    """The entry in force that says the same in the same words, whatever their case and signs."""
    alike = words(learned.text)
    for row in db.execute(
        "SELECT id, text FROM profile_entries "
        "WHERE namespace = ? AND owner = ? AND kind = ? AND topic = ? AND ended = ''",
        (*whose, learned.kind, learned.topic),
    ):
        if words(row["text"]) == alike:
            return int(row["id"])
    return None


def _end_topic(db: Transaction, whose: tuple[str, str], learned: Learned, at: float) -> bool:
    """End what the same topic held before; whether something newer holds it."""
    if not learned.topic:
        return False
    newer = False
    for row in db.all(
        "SELECT id, at FROM profile_entries WHERE namespace = ? AND owner = ? AND topic = ? AND ended = ''",
        (*whose, learned.topic),
    ):
        if row["at"] <= at:
            _end(db, row["id"], "superseded", at)
        else:
            newer = True
    return newer


def _insert(db: Transaction, whose: tuple[str, str], learned: Learned, made_by: str, at: float) -> int:
    columns = {"kind": learned.kind, "topic": learned.topic, "text": learned.text, "made_by": made_by, "at": at}
    return db.insert("profile_entries", {"namespace": whose[0], "owner": whose[1], **columns})


def _end(db: Transaction, entry: int, why: Ended, at: float) -> None:
    db.update("profile_entries", entry, {"ended": why, "ended_at": at})


def _one(db: Transaction, entry: int) -> Entry:
    return _entries(db, db.all("SELECT * FROM profile_entries WHERE id = ?", (entry,)))[0]


def _entries(db: Transaction, rows: Sequence[Row]) -> list[Entry]:
    """Entries with their sources."""
    sources: dict[int, list[int]] = {}
    for entry, turn in db.execute(
        f"SELECT entry_id, turn_id FROM profile_sources WHERE entry_id IN {db.sql.among_ids('?')} ORDER BY turn_id",
        (dumps([row["id"] for row in rows]),),
    ):
        sources.setdefault(entry, []).append(turn)
    return [_entry(row, tuple(sources.get(row["id"], ()))) for row in rows]


def _entry(row: Row, sources: tuple[int, ...]) -> Entry:
    return Entry(
        id=row["id"],
        kind=row["kind"],
        text=row["text"],
        topic=row["topic"],
        sources=sources,
        by=row["made_by"],
        at=row["at"],
        ended=row["ended"],
        ended_at=row["ended_at"],
    )
