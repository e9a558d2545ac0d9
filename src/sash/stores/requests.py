"""Requests in the record: each durable before it leaves, with its turns and epoch; closed with what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sash.errors import Conflict, NotFound
from sash.model.blocks import dumps
from sash.model.counts import Count
from sash.model.epochs import Epoch, Request
from sash.model.requests import Begun, FinishedRequest, NewRequest, Paid
from sash.model.turns import Draft, Turn
from sash.stores import blobs, rows, submissions
from sash.stores.cache import UNSETTLED, Cache
from sash.stores.heads import epoch_of, preamble_id, reject_conflict
from sash.stores.transaction import Database, Row, Transaction
from sash.stores.turns import set_state, write


class Requests:
    """What was sent. See `sash.flows.record.Requests`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache
        self._lines = cache.lines

    def begin(self, new: NewRequest) -> Begun:
        """Everything about a request that must be durable before it leaves."""
        with self._database.writing() as db:
            reject_conflict(db, self._lines, new.conversation, new.branch, new.head)
            self._reject_forgotten(db, new)
            turns = write(db, new.conversation, new.branch, new.head, new.turns, "pending", new.at)
            preamble = preamble_id(db, new.epoch.preamble)
            epoch = new.epoch if new.epoch.id else _new_epoch(db, new, preamble)
            db.update("branches", new.branch, {"epoch_id": epoch.id})
            set_state(db, self._cache, new.interrupted, "interrupted")
            _learn_gap(db, new)
            number = _next_number(db, new)
            newest = turns[-1].id if turns else self._newest_sent(db, new)
            submissions.sent(db, new.submission, newest)
            request = db.insert(
                "requests",
                {
                    "conversation_id": new.conversation,
                    "number": number,
                    "branch_id": new.branch,
                    "epoch_id": epoch.id,
                    "preamble_id": preamble,
                    "turn_id": newest,
                    **rows.request_columns(new),
                },
            )
            self._keep_counts(db, new.branch, new.sent.model, new.counts)
            _keep_preamble_count(db, preamble, new.sent.model, new.preamble_count)
            return Begun(turns=tuple(turns), epoch=epoch, request=request, number=number)

    def _newest_sent(self, db: Transaction, new: NewRequest) -> int:
        """id of the newest turn that is sent; a retry may stand behind turns that were withdrawn."""
        first, last = new.epoch.first_seq, new.sent.last
        sent = [r["id"] for r in self._lines.rows(db, new.branch, first, last) if r["seq"] not in new.sent.left_out]
        return int(sent[-1])

    def _reject_forgotten(self, db: Transaction, new: NewRequest) -> None:
        """What was planned with words that are gone by now is not sent, nor quoted in the record again."""
        if new.forgotten is None:
            return
        gone = db.execute(
            f"SELECT t.* FROM forgotten f, {db.sql.ids('f.turns')} one JOIN turns t ON t.id = one.value WHERE f.id > ?",
            (new.forgotten,),
        )
        if any(self._lines.holds(db, new.branch, row) for row in gone):
            raise Conflict(
                "a turn was redacted while this request was being planned. Nothing was written or sent; send again",
                expected=new.head,
                newest=None,
            )

    def _keep_counts(self, db: Transaction, branch: int, model: str, counts: Mapping[int, Count]) -> None:
        """Store counts by seq. An exact one is never replaced by a weaker one."""
        if counts and min(counts) <= max(counts) - UNSETTLED:
            self._cache.windows.clear()  # it holds older turns without these counts
        for seq, count in counts.items():
            row = next(iter(self._lines.rows(db, branch, seq, seq)), None)
            if row is not None:
                _keep_count(db, row["id"], model, count)

    def finish(self, finished: FinishedRequest) -> Turn | None:
        """Reply, usage and request row together. A reply that lost the race is kept on a branch of its own."""
        conflict: Conflict | None = None
        reply: Turn | None = None
        with self._database.writing() as db:
            row = db.one("SELECT * FROM requests WHERE id = ?", (finished.request,))
            if row is None:
                raise NotFound(
                    "the conversation was deleted while this request was under way; its reply is not kept",
                    kind="request",
                    key=finished.request,
                )
            branch = row["branch_id"]
            try:
                reject_conflict(db, self._lines, row["conversation_id"], branch, row["last_seq"])
                set_state(db, self._cache, finished.settled_turns, finished.settled_as)
            except Conflict as lost:
                conflict = lost
                branch = _side_branch(db, row, finished.at)
            if finished.reply is not None:
                reply = self._append_reply(db, row, branch, finished, finished.reply)
            self._keep_counts(db, branch, finished.model, finished.counts)
            _keep_preamble_count(db, row["preamble_id"], finished.model, finished.preamble_count)
            _keep_calibration(db, finished)
            db.update("requests", finished.request, _outcome(finished, row, reply))
            if conflict is None and finished.state != "withdrawn":  # every call up to here has its answer in a turn now
                db.execute("DELETE FROM tool_results WHERE conversation_id = ?", (row["conversation_id"],))
        if conflict is not None:
            conflict.facts.update(reply=reply)
            raise conflict
        return reply

    def _append_reply(self, db: Transaction, row: Row, branch: int, finished: FinishedRequest, draft: Draft) -> Turn:
        said, at, model = finished.state, finished.at, finished.model
        reply, *_ = write(db, row["conversation_id"], branch, row["last_seq"], [draft], said, at, model)
        if finished.reply_count is not None:
            _keep_count(db, reply.id, model, finished.reply_count)
        return reply

    def fail(
        self,
        request: int,
        *,
        withdraw: Sequence[int] = (),
        error: str,
        request_id: str | None,
        at: float,
        paid: Paid | None = None,
    ) -> None:
        """No reply: say why, and take out what caused it."""
        with self._database.writing() as db:
            row = db.one("SELECT at FROM requests WHERE id = ?", (request,))
            if row is None:
                return  # its conversation was deleted meanwhile
            set_state(db, self._cache, withdraw, "withdrawn")
            outcome = {
                "state": "failed",
                "error": error,
                "request_id": request_id,
                "latency": max(0.0, at - row["at"]),
                **rows.paid_columns(paid),
            }
            db.update("requests", request, outcome)

    def read(self, conversation: int, *, number: int) -> tuple[Request, Epoch, Sequence[Turn]]:
        """A past request, with everything that rebuilds it."""
        with self._database.reading() as db:
            row = db.one("SELECT * FROM requests WHERE conversation_id = ? AND number = ?", (conversation, number))
            if row is None:
                raise NotFound(f"no request number {number} in this conversation", kind="request", key=number)
            request = rows.request(row)
            epoch = epoch_of(db, request.epoch)
            pinned = [
                turn for first in epoch.pinned_seqs for turn in self._sent_exchange(db, request, first, epoch.first_seq)
            ]
            again = [turn for seq in epoch.instructions for turn in self._sent_turns(db, request, seq, seq)]
            return request, epoch, [*pinned, *again, *self._sent_turns(db, request, epoch.first_seq, request.sent.last)]

    def _sent_exchange(self, db: Transaction, request: Request, first: int, end: int) -> list[Turn]:
        """A pinned exchange as it stood in front of a view that starts at `end`."""
        last = min(self._lines.exchange_end(db, request.branch, first), end - 1)
        return self._sent_turns(db, request, first, last)

    def _sent_turns(self, db: Transaction, request: Request, first: int, last: int) -> list[Turn]:
        found = self._lines.rows(db, request.branch, first, last)
        return [blobs.turn(db, row, request.id) for row in found if row["seq"] not in request.sent.left_out]


def _new_epoch(db: Transaction, new: NewRequest, preamble: int) -> Epoch:
    epoch = new.epoch
    key = db.insert(
        "epochs",
        {
            "conversation_id": new.conversation,
            "branch_id": new.branch,
            "model": epoch.model,
            "preamble_id": preamble,
            "start_seq": epoch.first_seq,
            "base_seq": epoch.thinking_stripped_to,
            "pins": dumps(list(epoch.pinned_seqs)),
            "instructions": dumps(list(epoch.instructions)),
            "tagged": epoch.tagged,
            "attached_seq": epoch.attachments_from,
            "relief": rows.relief_column(epoch.relief),
            "summary_id": epoch.summary.id if epoch.summary else None,
            "family": epoch.family or None,
            "strategy": epoch.strategy,
            "reason": epoch.reason,
            "created_at": new.at,
        },
    )
    db.update("branches", new.branch, {"fresh": ""})
    return epoch_of(db, key)


def _next_number(db: Transaction, new: NewRequest) -> int:
    learned = {} if new.learned is None else {"learned": dumps(new.learned)}
    now = {"updated_at": new.at, "model": new.home or new.sent.model, "key": new.sent.key} | learned
    pairs = ", ".join(f"{name} = ?" for name in now)
    row = db.one(
        f"UPDATE conversations SET requests = requests + 1, {pairs} WHERE id = ? RETURNING requests",
        (*now.values(), new.conversation),
    )
    return int(row["requests"])


def _learn_gap(db: Transaction, new: NewRequest) -> None:
    """Add the time since the last plain request to the sums: this conversation's, and the namespace's (id 0)."""
    last = db.one("SELECT max(at) AS at FROM requests WHERE conversation_id = ? AND plain", (new.conversation,))["at"]
    if not new.plain or last is None:
        return
    gap = max(0.0, new.at - last)
    db.execute(
        f"INSERT INTO gaps SELECT c.namespace, key.value, ?2, ?3, 1 FROM conversations c, {db.sql.ids('?1')} key "
        "WHERE c.id = ?4 ON CONFLICT (namespace, conversation_id) DO UPDATE SET "
        "within_5m = gaps.within_5m + ?2, within_1h = gaps.within_1h + ?3, total = gaps.total + 1",
        (dumps([0, new.conversation]), float(gap <= 300), float(gap <= 3600), new.conversation),
    )


def _keep_count(db: Transaction, turn: int, model: str, count: Count) -> None:
    db.execute(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (turn_id, model) DO UPDATE SET "
        "tokens = excluded.tokens, upper = excluded.upper, source = excluded.source, base = excluded.base "
        "WHERE counts.source != 'usage' OR excluded.source = 'usage'",
        (turn, model, count.tokens, count.upper, count.source, count.base),
    )


def _keep_preamble_count(db: Transaction, preamble: int, model: str, count: Count | None) -> None:
    if count is not None:
        db.execute(
            "INSERT INTO preamble_counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (preamble_id, model) DO UPDATE SET "
            "tokens = excluded.tokens, upper = excluded.upper, source = excluded.source, base = excluded.base "
            "WHERE preamble_counts.source != 'usage' OR excluded.source = 'usage'",
            (preamble, model, count.tokens, count.upper, count.source, count.base),
        )


def _keep_calibration(db: Transaction, finished: FinishedRequest) -> None:
    if finished.calibration is not None:
        lessons = finished.calibration.get("lessons", 0)
        db.execute(
            "INSERT INTO calibration VALUES (?, ?, ?, ?, ?) ON CONFLICT (model, base) DO UPDATE SET "
            "state = excluded.state, lessons = excluded.lessons, updated_at = excluded.updated_at",
            (finished.model, finished.base, dumps(finished.calibration), lessons, finished.at),
        )


def _side_branch(db: Transaction, row: Row, at: float) -> int:
    return db.insert(
        "branches",
        {
            "conversation_id": row["conversation_id"],
            "parent_id": row["branch_id"],
            "fork_seq": row["last_seq"],
            "epoch_id": row["epoch_id"],
            "reason": "conflict",
            "created_at": at,
        },
    )


def _outcome(finished: FinishedRequest, row: Row, reply: Turn | None) -> dict[str, Any]:
    return {
        "state": "interrupted" if finished.state == "interrupted" else "answered",
        "reply_id": reply.id if reply else None,
        "latency": max(0.0, finished.at - row["at"]),
        "cost": finished.cost,
        "stop_reason": finished.stop_reason,
        "message_id": finished.message_id,
        "request_id": finished.request_id,
        "error": finished.error,
        "extra": dumps(finished.extra),
        "surprise": finished.surprise or None,
        **rows.usage_columns(finished.usage, finished.usage_json),
    }
