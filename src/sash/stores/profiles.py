"""Profiles of users: what the rules found in their words, what was set or removed by hand; nothing ended is lost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sash.errors import NotFound
from sash.model.blocks import dumps
from sash.model.turns import Turn
from sash.profile.entries import Distilled, Ended, Entry, Learned
from sash.profile.holding import Change, Holding
from sash.stores import attachments, blobs
from sash.stores.transaction import Database, Row, Transaction


class Profiles:
    """What is known of users. See `sash.flows.record.Profiles`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unread(self, *, user: str, namespace: str, most: int) -> Sequence[Turn]:
        """The user's next turns that the rules have not read, over all their conversations, the oldest first."""
        with self._database.reading() as db:
            found = db.all(
                f"SELECT {attachments.COLUMNS} FROM conversations c JOIN branches b ON b.conversation_id = c.id "
                "JOIN turns t ON t.branch_id = b.id LEFT JOIN attachments a ON a.turn_id = t.id "
                "WHERE c.namespace = ?1 AND c.owner = ?2 AND t.role = 'user' AND t.state <> 'withdrawn' AND t.seq > "
                "coalesce((SELECT r.upto FROM profile_reading r WHERE r.branch_id = b.id), 0) ORDER BY t.id LIMIT ?3",
                (namespace, user, most),
            )
            return [blobs.turn(db, row) for row in found]

    def learn(self, found: Sequence[tuple[Learned, Turn]], *, user: str, namespace: str, read: Sequence[Turn]) -> None:
        """Keep what the rules found in the turns that they read; said again, an entry has one more source."""
        with self._database.writing() as db:
            db.alone("user", namespace, user)
            held = _held(db, (namespace, user)) if found else Holding(())
            for learned, turn in found:
                if not _known(db, (namespace, user), learned, turn):
                    _keep(db, (namespace, user), held, held.change(learned, by="rules", at=turn.at, turn=turn.id))
            _read(db, read)

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
            db.alone("user", namespace, user)
            change = _held(db, (namespace, user)).change(learned, by="hand", at=moment)
            key = _insert(db, (namespace, user), change.entry)
            _end_for(db, (*change.ends, *filter(None, [change.same])), key, moment)
            return _one(db, key)

    def remove(self, entry: int, *, user: str, namespace: str = "", at: float | None = None) -> Entry:
        """End an entry; it stays for audit. Raises NotFound for one that does not hold, or is another user's."""
        moment = time.time() if at is None else at
        with self._database.writing() as db:
            db.alone("user", namespace, user)
            found = db.one(
                "SELECT id FROM profile_entries WHERE id = ? AND namespace = ? AND owner = ? AND ended = ''",
                (entry, namespace, user),
            )
            if found is None:
                raise NotFound(f"no entry {entry} holds in this profile", kind="entry", key=entry)
            _end(db, entry, "removed", moment)
            return _one(db, entry)


def of_turn(db: Transaction, turn: int) -> Sequence[Entry]:
    """The entries made of a turn, in force or not."""
    made = "SELECT * FROM profile_entries WHERE id IN (SELECT entry_id FROM profile_sources WHERE turn_id = ?)"
    return _entries(db, db.all(made, (turn,)))


def keep_distilled(db: Transaction, found: Distilled, *, user: str, namespace: str) -> None:
    """Keep what a model found."""
    held = _held(db, (namespace, user))
    change = held.change(found.learned, by="model", at=found.turn.at, turn=found.turn.id)
    replaced = [one for one in held.entries if one.id in found.replaces and one.at <= found.turn.at]
    ends = dict.fromkeys([*change.ends, *(one for one in replaced if one != change.same)])
    _keep(db, (namespace, user), held, replace(change, ends=tuple(ends)))


def _read(db: Transaction, turns: Sequence[Turn]) -> None:
    """These turns have been read, and with them all before them on their branches."""
    db.execute(
        "INSERT INTO profile_reading (branch_id, upto) SELECT branch_id, max(seq) FROM turns "
        f"WHERE id IN {db.sql.among_ids('?')} GROUP BY branch_id "
        f"ON CONFLICT (branch_id) DO UPDATE SET upto = {db.sql.greatest}(profile_reading.upto, excluded.upto)",
        (dumps([turn.id for turn in turns]),),
    )


def read_again(db: Transaction, conversation: int) -> None:
    """Have the rules read a conversation (id) from its beginning: what was nobody's has become a user's."""
    db.execute(
        "DELETE FROM profile_reading WHERE branch_id IN (SELECT id FROM branches WHERE conversation_id = ?)",
        (conversation,),
    )


def redact(db: Transaction, turns: Sequence[int], at: float) -> None:
    """Take the words out of entries that were said in these turns; what they had ended holds again."""
    for entry in _forget_sources(db, turns):
        _end(db, entry, "redacted", at)
        db.update("profile_entries", entry, {"text": "", "topic": ""})


def delete(db: Transaction, turns: Sequence[int]) -> None:
    """Remove the entries that only these turns said; what they had ended holds again."""
    for entry in _forget_sources(db, turns, only=True):
        db.execute("DELETE FROM profile_entries WHERE id = ?", (entry,))


def _forget_sources(db: Transaction, turns: Sequence[int], *, only: bool = False) -> list[int]:
    """Forget that entries (ids) were said there; `only`: those that nothing else says."""
    given, among = dumps(list(turns)), db.sql.among_ids("?1")
    said = f"SELECT DISTINCT entry_id FROM profile_sources WHERE turn_id IN {among}"
    besides = (
        "SELECT 1 FROM profile_sources o WHERE o.entry_id = e.id "
        f"AND o.turn_id NOT IN {among}"
    )  # fmt: skip
    least = f"AND NOT EXISTS ({besides})" if only else ""
    gone = [
        int(row["id"]) for row in db.all(f"SELECT e.id FROM profile_entries e WHERE e.id IN ({said}) {least}", (given,))
    ]
    db.execute(f"DELETE FROM profile_sources WHERE turn_id IN {among}", (given,))
    _revive(db, gone)
    return gone


def _revive(db: Transaction, gone: Sequence[int]) -> None:
    """What these entries had taken the place of holds again, or gives way to what had taken theirs."""
    among = f"IN {db.sql.among_ids('?')}"
    rows = db.all(f"SELECT id, ended, ended_by, ended_at FROM profile_entries WHERE id {among}", (dumps(list(gone)),))
    known = {row["id"]: row for row in rows}
    for row in db.all(f"SELECT id, ended_by FROM profile_entries WHERE ended_by {among}", (dumps(list(gone)),)):
        last = known[row["ended_by"]]
        while last["ended_by"] in known:
            last = known[last["ended_by"]]
        if row["id"] not in known:
            why = last["ended"] if last["ended"] in ("", "superseded") else "superseded"
            by = {"ended": why, "ended_by": last["ended_by"], "ended_at": last["ended_at"]}
            db.update("profile_entries", row["id"], by)


def forget(db: Transaction, namespace: str, user: str) -> int:
    """Remove a user's profile, ended entries included; how many it were."""
    mine = "FROM profile_entries WHERE namespace = ? AND owner = ?"
    entries = int(db.one(f"SELECT count(*) {mine}", (namespace, user))[0])
    db.execute(f"DELETE FROM profile_sources WHERE entry_id IN (SELECT id {mine})", (namespace, user))
    for table in ("profile_entries", "profile_jobs"):
        db.execute(f"DELETE FROM {table} WHERE namespace = ? AND owner = ?", (namespace, user))
    return entries


def _held(db: Transaction, whose: tuple[str, str]) -> Holding:
    mine = "SELECT * FROM profile_entries WHERE namespace = ? AND owner = ? AND ended = '' ORDER BY id"
    return Holding(_entries(db, db.all(mine, whose)))


def _known(db: Transaction, whose: tuple[str, str], learned: Learned, turn: Turn) -> bool:
    """Whether an entry, in force or not, has been made of these words of the turn."""
    found = db.one(
        "SELECT e.id FROM profile_entries e JOIN profile_sources s ON s.entry_id = e.id "
        "WHERE e.namespace = ? AND e.owner = ? AND e.kind = ? AND e.text = ? AND s.turn_id = ?",
        (*whose, learned.kind, learned.text, turn.id),
    )
    return found is not None


def _keep(db: Transaction, whose: tuple[str, str], held: Holding, change: Change) -> None:
    entry, late = change.entry, change.late
    key = change.same.id if change.same else _insert(db, whose, entry)
    db.update("profile_entries", key, {"at": entry.at})
    sources = [(key, turn) for turn in entry.sources]
    db.many("INSERT INTO profile_sources (entry_id, turn_id) VALUES (?, ?) ON CONFLICT DO NOTHING", sources)
    _end_for(db, change.ends, key, entry.at)
    if late is not None:
        _end(db, key, "superseded", entry.at, by=late.id)
    held.take(replace(change, entry=replace(entry, id=key)))


def _insert(db: Transaction, whose: tuple[str, str], entry: Entry) -> int:
    columns = {"kind": entry.kind, "topic": entry.topic, "text": entry.text, "made_by": entry.by, "at": entry.at}
    return db.insert("profile_entries", {"namespace": whose[0], "owner": whose[1], **columns})


def _end_for(db: Transaction, entries: Iterable[Entry], by: int, at: float) -> None:
    for entry in entries:
        _end(db, entry.id, "superseded", at, by=by)


def _end(db: Transaction, entry: int, why: Ended, at: float, *, by: int | None = None) -> None:
    db.update("profile_entries", entry, {"ended": why, "ended_at": at, "ended_by": by})


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
