"""What a model reads of users' words for their profiles: by one at a time, each turn once, and what it cost.

Up to which turn a conversation has been read stands with the conversation, so that one that becomes a user's is read
from its beginning. It knows no model and no API.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict

from sash.model.blocks import dumps
from sash.model.turns import Turn
from sash.profile.distilling import known_already
from sash.profile.entries import Distilled, Distilling, NewDistilling
from sash.stores import attachments, blobs, processes, profiles
from sash.stores.lineage import there
from sash.stores.transaction import Database, Row, Transaction
from sash.stores.usage import charge, spent

_UNREAD = (
    "FROM conversations c JOIN branches b ON b.conversation_id = c.id JOIN turns t ON t.branch_id = b.id "
    "LEFT JOIN attachments a ON a.turn_id = t.id "
    "LEFT JOIN profile_read r ON r.conversation_id = t.conversation_id "
    "WHERE c.namespace = ?1 AND c.owner = ?2 AND t.role = 'user' AND t.plain AND t.state <> 'withdrawn' "
    "AND t.id > coalesce(r.upto, 0)"
)


class Distillings:
    """Who distils a profile, and what came of it. See `sash.flows.record.Distillings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, user: str, namespace: str, least: int, most: int, at: float, until: float) -> Distilling | None:
        """Take the job, and read what it takes."""
        whose = (namespace, user)
        with self._database.writing() as db:
            db.alone("user", *whose)
            job = _job(db, whose)
            if _until(job) > at:
                return None
            waiting = db.one(f"SELECT coalesce(sum(length(t.text)), 0) {_UNREAD}", whose)[0]
            found = (
                db.all(f"SELECT {attachments.COLUMNS} {_UNREAD} ORDER BY t.id LIMIT ?3", (*whose, most))
                if waiting > least
                else []
            )
            if not found:
                return None
            token = uuid.uuid4().hex
            db.execute(
                "INSERT INTO profile_jobs VALUES (?1, ?2, ?3, ?4, 0, 0, '', ?5, ?6) ON CONFLICT (namespace, owner) "
                "DO UPDATE SET token = ?3, until = ?4, machine = ?5, process = ?6",
                (*whose, token, until, *processes.owner().values()),
            )
            turns = tuple(blobs.turn(db, row) for row in found)
            failures = job["failures"] if job is not None else 0
            return Distilling(user=user, namespace=namespace, token=token, turns=turns, failures=failures)

    def until(self, *, user: str, namespace: str) -> float:
        """Until when nobody else may take it."""
        with self._database.reading() as db:
            return _until(_job(db, (namespace, user)))

    def keep(self, new: NewDistilling) -> int:
        """Record what it cost, and keep what was found; how many entries that made."""
        task = new.task
        with self._database.writing() as db:
            db.alone("user", task.namespace, task.user)
            ours = _ours(db, task)
            kept = sum(_keep(db, task, found) for found in new.found or ()) if ours else 0
            if there(db, new.conversation):
                _record(db, new, kept)
            if not ours:
                return 0
            if new.done:
                _read(db, new.turns)
            if new.found is not None or new.done:
                _release(db, task)
            else:
                _fail(db, task, "no answer", new.retry_at)
        return kept

    def fail(self, task: Distilling, *, error: str, retry_at: float) -> None:
        """Give the job back, if it is still ours."""
        with self._database.writing() as db:
            db.alone("user", task.namespace, task.user)
            if _ours(db, task):
                _fail(db, task, error, retry_at)


def _job(db: Transaction, whose: tuple[str, str]) -> Row | None:
    found: Row | None = db.one("SELECT * FROM profile_jobs WHERE namespace = ? AND owner = ?", whose)
    return found


def _until(job: Row | None) -> float:
    """Until when nobody else may take it: somebody has it, or it failed and is left alone."""
    if job is None:
        return 0.0
    return max(float(job["retry_at"]), processes.held_until(job))


def _ours(db: Transaction, task: Distilling) -> bool:
    job = _job(db, (task.namespace, task.user))
    return job is not None and job["token"] == task.token


def _release(db: Transaction, task: Distilling) -> None:
    db.execute("DELETE FROM profile_jobs WHERE namespace = ? AND owner = ?", (task.namespace, task.user))


def _fail(db: Transaction, task: Distilling, error: str, retry_at: float) -> None:
    db.execute(
        "UPDATE profile_jobs SET token = '', until = 0, failures = failures + 1, retry_at = ?, error = ? "
        "WHERE namespace = ? AND owner = ?",
        (retry_at, error, task.namespace, task.user),
    )


def _read(db: Transaction, turns: Sequence[Turn]) -> None:
    """These turns have been read, as far as they are still there."""
    db.execute(
        "INSERT INTO profile_read (conversation_id, upto) SELECT conversation_id, max(id) FROM turns "
        f"WHERE id IN {db.sql.among_ids('?')} GROUP BY conversation_id "
        f"ON CONFLICT (conversation_id) DO UPDATE SET upto = {db.sql.greatest}(profile_read.upto, excluded.upto)",
        (dumps([turn.id for turn in turns]),),
    )


def _keep(db: Transaction, task: Distilling, found: Distilled) -> bool:
    """Whether an entry was made of it: not where its turn has changed meanwhile, or its like was taken out."""
    row = db.one(attachments.ONE, (found.turn.id,))
    if row is None or row["state"] == "withdrawn" or blobs.turn(db, row).content != found.turn.content:
        return False
    there = profiles.of_turn(db, found.turn.id)
    if known_already(found, there):
        return False
    profiles.keep_distilled(db, found, user=task.user, namespace=task.namespace)
    return True


def _record(db: Transaction, new: NewDistilling, kept: int) -> None:
    charge(db, new.conversation, new.cost)
    spent(db, new.conversation, at=new.at, model=new.model, usage=new.usage, cost=new.cost)
    db.insert(
        "profile_distillings",
        {
            "conversation_id": new.conversation,
            "model": new.model,
            "prompt": new.prompt,
            "turns": len(new.turns),
            "kept": kept,
            "refused": dumps(dict(new.refused)),
            **asdict(new.usage),
            "cost": new.cost,
            "at": new.at,
        },
    )
