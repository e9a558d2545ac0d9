"""Summaries in the SQLite store: found along a line of turns, made by one at a time, kept with their sources.

A summary belongs to the branch that holds the newest turn it covers, so forks share it and an edit before that turn
leaves it behind. An item of a batch remembers the turns that its summary is made of; whether the result may still be
used is judged when it is kept. It knows nothing of how a summary is made.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from sash.flows.summaries.resting import digest
from sash.model.blocks import dumps
from sash.model.summaries import BatchTask, NewSummary, Resting, Summary, SummaryRecord, SummaryTask, Trouble
from sash.model.turns import Turn, spoken
from sash.model.usage import Usage
from sash.stores import attachments, blobs
from sash.stores.batches import close_item
from sash.stores.cache import Cache
from sash.stores.heads import take
from sash.stores.lineage import END, BranchRanges, hold_sharing, present, there, touch_holders
from sash.stores.processes import held_until, owner
from sash.stores.transaction import Database, Row, Transaction
from sash.stores.usage import spent

_RESTING = """
SELECT * FROM (SELECT c.id, c.namespace, c.name, c.branch_id,
    (SELECT e.model FROM requests r JOIN epochs e ON e.id = r.epoch_id WHERE r.conversation_id = c.id
        ORDER BY r.id DESC LIMIT 1) AS model,
    coalesce((SELECT t.at FROM turns t WHERE t.branch_id = c.branch_id ORDER BY t.seq DESC LIMIT 1), c.updated_at)
        AS newest
    FROM conversations c WHERE c.namespace = :namespace OR :namespace IS NULL) c
WHERE newest < :before
    AND NOT EXISTS (SELECT 1 FROM batch_items i JOIN batches b ON b.id = i.batch_id
        WHERE i.conversation_id = c.id AND b.kind = 'summary')
    AND NOT EXISTS (SELECT 1 FROM summary_jobs j
        WHERE j.conversation_id = c.id AND {greatest}(j.until, j.retry_at) > :at)
ORDER BY newest, c.id
"""

_SUMMARY = "id, upto_seq, text, content, verbatim"
"""The columns that a summary is made of."""
REDACTED = "turns it was made from were redacted meanwhile"


class Summaries:
    """Summaries, who makes one, and who rests. See `sash.flows.record.Summaries`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache, self._lines = database, cache, cache.lines

    def begin(
        self, conversation: int, *, upto: int, at: float, until: float, anew: bool = False, server: bool = False
    ) -> SummaryTask | None:
        """Take the job, and read what it takes."""
        with self._database.writing() as db:
            branch = present(db, conversation)
            job = _job(db, conversation)
            if job is not None and held_until(job) > at:
                return None
            parent = None if anew else newest(db, self._lines, branch, upto, server=server)
            if parent is not None and parent.upto >= upto:
                return None
            turns = self._to_cover(db, branch, parent, upto)
            if not spoken(turns):
                return None
            task = SummaryTask(
                token=uuid.uuid4().hex,
                branch=branch,
                upto=turns[-1].seq,
                failures=job["failures"] if job is not None else 0,
                parent=parent,
                turns=turns,
            )
            take(db, self._cache, conversation)
            _take(db, conversation, task.token, until, upto)
            return task

    def _to_cover(self, db: Transaction, branch: int, parent: Summary | None, upto: int) -> tuple[Turn, ...]:
        kept = [row for seq in parent.verbatim for row in self._lines.rows(db, branch, seq, seq)] if parent else []
        since = self._lines.rows(db, branch, parent.upto + 1 if parent else 1, upto)
        return tuple(blobs.turn(db, row) for row in (*kept, *since) if row["state"] != "withdrawn")

    def keep(self, new: NewSummary) -> Summary | None:
        """Record it, whatever it came to."""
        task = new.task
        with self._database.writing() as db:
            if new.item and not close_item(db, new.item):
                return None
            hold_sharing(db, new.conversation)
            if not there(db, new.conversation):
                return None
            ours = _job(db, new.conversation, task.token) is not None
            problem = _unusable(db, task, ours=ours)
            if problem:
                new = replace(new, state="rejected", report={**new.report, "reason": problem})
            if problem == REDACTED:
                new = replace(new, text="", content=dumps([]), verbatim=())
            take(db, self._cache, new.conversation, new.cost or 0.0, int(new.cost is None))
            spent(db, new.conversation, at=new.at, model=new.model, usage=new.usage, cost=new.cost)
            if new.state == "ready":
                touch_holders(db, [turn.id for turn in task.turns])  # forks send it, too
            key = self._insert(db, new)
            turns = [(key, turn.id) for turn in task.turns]
            db.many("INSERT INTO summary_sources VALUES (?, ?) ON CONFLICT DO NOTHING", turns)
            if ours and new.state == "ready":
                db.execute("DELETE FROM summary_jobs WHERE conversation_id = ?", (new.conversation,))
            elif ours:
                _release(db, new.conversation, str(new.report.get("reason", "")), new.retry_at, task.upto)
            return _summary(_row(db, key)) if new.state == "ready" else None

    def _insert(self, db: Transaction, new: NewSummary) -> int:
        task = new.task
        newest_turn = next(iter(self._lines.rows(db, task.branch, task.upto, task.upto)))
        return db.insert(
            "summaries",
            {
                "conversation_id": new.conversation,
                "branch_id": newest_turn["branch_id"],
                "upto_seq": task.upto,
                "parent_id": task.parent.id if task.parent else None,
                "state": new.state,
                "text": new.text,
                "content": new.content,
                "verbatim": dumps(list(new.verbatim)),
                "model": new.model,
                "prompt": new.prompt,
                "way": new.method,
                "tokens": new.tokens,
                "requests": new.requests,
                **asdict(new.usage),
                "cost": new.cost,
                "report": dumps(dict(new.report)),
                "at": new.at,
            },
        )

    def fail(self, conversation: int, *, token: str, error: str, retry_at: float, upto: int) -> None:
        """Give the job back, if it is still ours."""
        with self._database.writing() as db:
            if _job(db, conversation, token) is not None:
                take(db, self._cache, conversation)
                _release(db, conversation, error, retry_at, upto)

    def trouble(self, conversation: int) -> Trouble:
        """How it has been going, and how long somebody is at it."""
        with self._database.reading() as db:
            return trouble_of(_job(db, conversation))

    def read(self, conversation: int) -> Sequence[SummaryRecord]:
        """Those of the present branch's line."""
        with self._database.reading() as db:
            branch = present(db, conversation)
            found = [
                _record(db, row)
                for segment, _, high in self._lines.segments(db, branch)
                for row in db.all("SELECT * FROM summaries WHERE branch_id = ? AND upto_seq <= ?", (segment, high))
            ]
            return sorted(found, key=lambda summary: summary.id)

    def resting(self, *, namespace: str | None, before: float, at: float) -> Sequence[Resting]:
        """Conversations whose newest turn is older than `before`."""
        with self._database.reading() as db:
            found = db.all(
                _RESTING.format(greatest=db.sql.greatest), {"namespace": namespace, "before": before, "at": at}
            )
            return [self._resting(db, row) for row in found]

    def _resting(self, db: Transaction, row: Row) -> Resting:
        summary = newest(db, self._lines, row["branch_id"])
        return Resting(
            conversation=row["id"],
            namespace=row["namespace"],
            id=row["name"],
            model=row["model"] or "",
            covered=summary.upto if summary else 0,
        )

    def task(self, custom_id: str) -> BatchTask | None:
        """With the turns that are left of those it was made of."""
        with self._database.reading() as db:
            row = db.one("SELECT * FROM batch_items WHERE custom_id = ?", (custom_id,))
            if row is None:
                return None
            made_of = json.loads(row["facts"])
            found = {turn.id: turn for turn in _turns(db, made_of["ids"])}
            turns = tuple(found[key] for key in made_of["ids"] if key in found)
            parent = _summary(_row(db, row["parent_id"])) if row["parent_id"] else None
            task = SummaryTask(
                token=row["custom_id"],
                branch=row["branch_id"],
                upto=made_of["upto"],
                failures=_failures(db, row["conversation_id"]),
                parent=parent,
                turns=turns,
            )
            return BatchTask(
                conversation=row["conversation_id"],
                model=row["model"],
                task=task,
                intact=digest(turns, parent) == made_of["digest"],
            )


def newest(
    db: Transaction, lines: BranchRanges, branch: int, most: int = END, *, server: bool = False
) -> Summary | None:
    """The summary that covers most of a branch, up to the turn `most` at the furthest; of equals, the one made last.

    `server`: among the blocks that the API compacted; else among all others.
    """
    for segment, _, high in reversed(lines.segments(db, branch)):
        row = db.one(
            f"SELECT {_SUMMARY} FROM summaries WHERE branch_id = ? AND upto_seq <= ? AND state = 'ready' "
            f"AND way {'=' if server else '!='} 'server' ORDER BY upto_seq DESC, id DESC LIMIT 1",
            (segment, min(high, most)),
        )
        if row:
            return _summary(row)
    return None


def _failures(db: Transaction, conversation: int) -> int:
    """To make a summary, in a row."""
    job = _job(db, conversation)
    return int(job["failures"]) if job is not None else 0


def trouble_of(job: Row | None) -> Trouble:
    """How making summaries has been going wrong; also how long somebody holds the job. NULL in it: there is none."""
    if job is None or job["failures"] is None:
        return Trouble()
    held = held_until(job)
    return Trouble(
        failures=job["failures"],
        retry_at=max(job["retry_at"], held),
        upto=job["upto_seq"],
        error=job["error"],
        held_until=held,
    )


def _job(db: Transaction, conversation: int, token: str | None = None) -> Row | None:
    found: Row | None = db.one(
        "SELECT * FROM summary_jobs WHERE conversation_id = ?1 AND (token = ?2 OR ?2 IS NULL)", (conversation, token)
    )
    return found


def _take(db: Transaction, conversation: int, token: str, until: float, upto: int) -> None:
    db.execute(
        "INSERT INTO summary_jobs VALUES (?1, ?2, ?3, 0, 0, ?4, '', ?5, ?6) ON CONFLICT (conversation_id) "
        "DO UPDATE SET token = ?2, until = ?3, upto_seq = ?4, machine = ?5, process = ?6",
        (conversation, token, until, upto, *owner().values()),
    )


def _release(db: Transaction, conversation: int, error: str, retry_at: float, upto: int) -> None:
    db.execute(
        "UPDATE summary_jobs SET token = '', until = 0, failures = failures + 1, retry_at = ?, upto_seq = ?, error = ? "
        "WHERE conversation_id = ?",
        (retry_at, upto, error, conversation),
    )


def _unusable(db: Transaction, task: SummaryTask, *, ours: bool) -> str:
    """Why a finished summary may not be used; "" where it may."""
    there = {turn.id: turn for turn in _turns(db, [turn.id for turn in task.turns])}
    if any(there[turn.id].content != turn.content for turn in task.turns if turn.id in there):
        return REDACTED
    if task.parent is not None and not _ready(db, task.parent.id):
        return REDACTED
    if not ours:
        return "another process took the job over"
    live = [turn for turn in task.turns if turn.id in there and there[turn.id].state != "withdrawn"]
    return "" if len(live) == len(task.turns) else "turns it was made from were withdrawn meanwhile"


def _turns(db: Transaction, turns: Sequence[int]) -> Iterator[Turn]:
    """These turns (ids) as they stand now."""
    find = f"SELECT {attachments.COLUMNS} FROM {attachments.TURNS} WHERE t.id IN {db.sql.among_ids('?')}"
    for row in db.execute(find, (dumps(list(turns)),)):
        yield blobs.turn(db, row)


def _ready(db: Transaction, summary: int) -> bool:
    """Whether a summary may be used; a redaction takes that from it."""
    row = db.one("SELECT state FROM summaries WHERE id = ?", (summary,))
    return row is not None and row["state"] == "ready"


def _row(db: Transaction, key: int) -> Row:
    found: Row = db.one("SELECT * FROM summaries WHERE id = ?", (key,))
    return found


def _fields(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "upto": row["upto_seq"],
        "text": row["text"],
        "content": row["content"],
        "verbatim": tuple(json.loads(row["verbatim"])),
    }


def _summary(row: Row) -> Summary:
    return Summary(**_fields(row))


def _record(db: Transaction, row: Row) -> SummaryRecord:
    turns = db.execute(
        "SELECT turn_id FROM summary_sources s JOIN turns t ON t.id = turn_id WHERE summary_id = ? ORDER BY t.seq",
        (row["id"],),
    )
    return SummaryRecord(
        **_fields(row),
        state=row["state"],
        parent=row["parent_id"],
        model=row["model"],
        prompt=row["prompt"],
        method=row["way"],
        tokens=row["tokens"],
        usage=Usage(**{name: row[name] for name in ("fresh", "read", "write_5m", "write_1h", "output", "thinking")}),
        cost=row["cost"],
        requests=row["requests"],
        at=row["at"],
        report=json.loads(row["report"]),
        turns=tuple(found["turn_id"] for found in turns),
    )
