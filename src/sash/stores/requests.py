"""Requests in the record: each durable before it leaves, with its turns and epoch; closed with what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sash.errors import Conflict, NotFound
from sash.model.blocks import dumps
from sash.model.counts import Count
from sash.model.epochs import Epoch, Request
from sash.model.requests import Begun, FinishedRequest, NewRequest, Paid
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.model.values import dumps_numbers
from sash.model.window import Loaded
from sash.stores import blobs, rows, submissions, wordings
from sash.stores.batches import close_item
from sash.stores.cache import Cache, KeptWindow
from sash.stores.heads import RAISE_VERSION, epoch_of, preamble_id, reject_conflict, take
from sash.stores.leases import Leases
from sash.stores.lineage import END, deleted, hold_sharing, touch_holders
from sash.stores.transaction import Database, Row, Transaction
from sash.stores.turns import set_state, write
from sash.stores.under_way import UnderWay, learn
from sash.stores.usage import spent
from sash.stores.wordings import Parted


class Requests:
    """What was sent. See `sash.flows.record.Requests`."""

    def __init__(self, database: Database, cache: Cache, leases: Leases) -> None:
        self._database, self._cache, self._leases = database, cache, leases
        self._lines = cache.lines

    def begin(self, new: NewRequest) -> Begun:
        """Everything about a request that must be durable before it leaves."""
        with self._database.writing() as db:
            if self._is_shared(db, new.branch, new.counts):
                hold_sharing(db, new.conversation)
            columns = rows.request_columns(new)
            said = wordings.of(columns)
            learned = None if new.learned is None else dumps(new.learned)
            now = _count_up(db, new, learned, said)
            kept = self._cache.written(new.conversation, now["version"])
            before = kept.planned(new) if kept is not None else None
            if before is None:
                reject_conflict(db, self._lines, now["branch_id"], new.branch, new.head)
                self._reject_forgotten(db, new)
            turns = write(db, new.conversation, new.branch, new.head, new.turns, "pending", new.at)
            epoch, preamble = _epoch(db, new, before, now)
            set_state(db, self._cache, new.conversation, new.interrupted, "interrupted")
            gap = _learn_gap(db, new, kept.plain_at if kept is not None and before is not None else None)
            newest = turns[-1].id if turns else self._newest_sent(db, new)
            submissions.sent(db, new.submission, newest)
            columns = {
                "conversation_id": new.conversation,
                "number": now["requests"],
                "branch_id": new.branch,
                "epoch_id": epoch.id,
                "preamble_id": preamble,
                "turn_id": newest,
                **columns,
            }
            request = db.insert("requests", wordings.kept(db, columns, _known(said, now)))
            self._keep_counts(db, new.branch, new.sent.model, new.counts, kept, turns)
            _keep_preamble_count(db, preamble, new.sent.model, new.preamble_count)
            begun = Begun(
                conversation=new.conversation, turns=tuple(turns), epoch=epoch, request=request, number=now["requests"]
            )
            if kept is not None and before is not None:
                kept.sent(new, UnderWay(before=before, new=new, begun=begun, columns=columns, learned=learned, gap=gap))
            elif kept is not None:
                kept.sent(new, None)
            return begun

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

    def _keep_counts(
        self,
        db: Transaction,
        branch: int,
        model: str,
        counts: Mapping[int, Count],
        kept: KeptWindow | None,
        known: Iterable[Turn],
    ) -> None:
        """Store counts by seq. An exact one is never replaced by a weaker one. `known`: turns just recorded."""
        if kept is not None and kept.branch != branch:  # its turns are others
            kept = None
        ids = {turn.seq: turn.id for turn in known}
        found: list[tuple[int, Count]] = []
        for seq, count in counts.items():
            turn = ids.get(seq) or (kept.id_of(seq) if kept is not None else None) or self._id_of(db, branch, seq)
            if turn:
                found.append((turn, count))
        _keep_counts(db, model, found)
        if kept is not None and kept.model == model:
            learn(kept.counts, counts)
        if self._is_shared(db, branch, counts):
            touch_holders(db, [turn for turn, _ in found])  # other branches read them, too

    def _is_shared(self, db: Transaction, branch: int, seqs: Collection[int]) -> bool:
        """Whether any of these turns of a branch is one of the branches that it began from."""
        if not seqs:
            return False
        own = self._lines.segments(db, branch)[-1][1]
        return own > 1 and any(seq < own for seq in seqs)

    def _id_of(self, db: Transaction, branch: int, seq: int) -> int | None:
        row = next(iter(self._lines.rows(db, branch, seq, seq)), None)
        return None if row is None else int(row["id"])

    def finish(self, finished: FinishedRequest) -> Turn | None:
        """Reply, usage and request row together. A reply that lost the race is kept on a branch of its own."""
        conflict: Conflict | None = None
        reply: Turn | None = None
        with self._database.writing() as db:
            if finished.item and not close_item(db, finished.item):
                return None  # somebody else used it just now
            if self._may_touch_others(db, finished):
                hold_sharing(db, finished.conversation)
            said = wordings.of(used := rows.usage_columns(finished.usage, finished.usage_json))
            now = _raise_version(db, finished, said)
            kept = self._cache.written(finished.conversation, now["version"])
            way = kept.on_its_way(finished.request) if kept is not None else None
            row = way.columns if way is not None else _request(db, finished.request)
            branch = row["branch_id"]
            try:
                if way is None:
                    reject_conflict(db, self._lines, now["branch_id"], branch, row["last_seq"])
                set_state(db, self._cache, finished.conversation, finished.settled_turns, finished.settled_as)
            except Conflict as lost:
                conflict = lost
                branch = _side_branch(db, row, finished.at)
            reply = self._append_reply(db, row, branch, finished)
            known = [*(way.begun.turns if way is not None else ()), *filter(None, [reply])]
            self._keep_counts(db, branch, finished.model, _exact(finished, reply), kept, known)
            _keep_preamble_count(db, row["preamble_id"], finished.model, finished.preamble_count)
            _keep_calibration(db, finished)
            outcome = {**_outcome(finished, row, reply), **used}
            db.update("requests", finished.request, wordings.kept(db, outcome, _known(said, now)))
            _book(db, finished.conversation, row, finished.usage, finished.cost)
            if conflict is None and finished.answers_calls and finished.state != "withdrawn":  # each has its answer now
                db.later("DELETE FROM tool_results WHERE conversation_id = ?", (finished.conversation,))
            left = self._leases.give_up(db, finished.conversation) if finished.last else ""
            if kept is not None:
                kept.answered(way.answered(finished, reply) if way is not None else None)
        self._leases.given_up(left)
        if conflict is not None:
            conflict.facts.update(reply=reply)
            raise conflict
        return reply

    def _may_touch_others(self, db: Transaction, finished: FinishedRequest) -> bool:
        """Whether what came of a request may change what other conversations send."""
        kept = self._cache.windows.get(finished.conversation)
        way = kept.on_its_way(finished.request) if kept is not None else None
        if way is None or finished.settled_as == "withdrawn":
            return True
        return self._is_shared(db, way.columns["branch_id"], finished.counts)

    def _append_reply(
        self, db: Transaction, row: Row | Mapping[str, Any], branch: int, finished: FinishedRequest
    ) -> Turn | None:
        if finished.reply is None:
            return None
        said, at, model = finished.state, finished.at, finished.model
        reply, *_ = write(db, finished.conversation, branch, row["last_seq"], [finished.reply], said, at, model)
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
            row = db.one("SELECT at, model, conversation_id FROM requests WHERE id = ?", (request,))
            if row is None:
                return  # its conversation was deleted meanwhile
            if withdraw:
                hold_sharing(db, row["conversation_id"])
            cost, unpriced = (paid.cost or 0.0, int(paid.cost is None)) if paid is not None else (0.0, 0)
            take(db, self._cache, row["conversation_id"], cost, unpriced)
            set_state(db, self._cache, row["conversation_id"], withdraw, "withdrawn")
            outcome = {
                "state": "failed",
                "error": error,
                "request_id": request_id,
                "latency": max(0.0, at - row["at"]),
                **rows.paid_columns(paid),
            }
            db.update("requests", request, wordings.kept(db, outcome, wordings.known(db, outcome)))
            if paid is not None:
                _book(db, row["conversation_id"], row, paid.usage, paid.cost)

    def read(self, conversation: int, *, number: int) -> tuple[Request, Epoch, Sequence[Turn]]:
        """A past request, with everything that rebuilds it."""
        with self._database.reading() as db:
            row = db.one(f"{wordings.READ} WHERE r.conversation_id = ? AND r.number = ?", (conversation, number))
            if row is None:
                raise NotFound(f"no request number {number} in this conversation", kind="request", key=number)
            request = rows.request(wordings.whole(row))
            epoch = epoch_of(db, request.epoch)
            pinned = [
                turn for first in epoch.pinned_seqs for turn in self._sent_exchange(db, request, first, epoch.first_seq)
            ]
            again = [turn for seq in epoch.instructions for turn in self._sent_turns(db, request, seq, seq)]
            return request, epoch, [*pinned, *again, *self._sent_turns(db, request, epoch.first_seq, request.sent.last)]

    def sizes(self, request: Request, turns: Sequence[Turn]) -> tuple[dict[int, Count], Count | None]:
        """Sizes of these turns by seq, and of the preamble that they went with, for the model that was asked."""
        model, seqs = request.sent.model, {turn.id: turn.seq for turn in turns}
        with self._database.reading() as db:
            counted = db.execute(
                "SELECT turn_id, tokens, upper, source, base FROM counts WHERE model = ? "
                f"AND turn_id IN (SELECT value FROM {db.sql.ids('?')})",
                (model, dumps(list(seqs))),
            )
            known = {seqs[row["turn_id"]]: count for row in counted if (count := rows.count(row)) is not None}
            preamble = db.one(
                "SELECT n.tokens, n.upper, n.source, n.base FROM epochs e JOIN preamble_counts n "
                "ON n.preamble_id = e.preamble_id AND n.model = ? WHERE e.id = ?",
                (model, request.epoch),
            )
            return known, None if preamble is None else rows.count(preamble)

    def page(self, conversation: int, *, limit: int, before: int | None = None) -> Sequence[Request]:
        """Requests, the newest first."""
        with self._database.reading() as db:
            found = db.execute(
                f"{wordings.READ} WHERE r.conversation_id = ? AND r.number < ? ORDER BY r.number DESC LIMIT ?",
                (conversation, END if before is None else before, limit),
            )
            return [rows.request(wordings.whole(row)) for row in found]

    def _sent_exchange(self, db: Transaction, request: Request, first: int, end: int) -> list[Turn]:
        """A pinned exchange as it stood in front of a view that starts at `end`."""
        last = min(self._lines.exchange_end(db, request.branch, first), end - 1)
        return self._sent_turns(db, request, first, last)

    def _sent_turns(self, db: Transaction, request: Request, first: int, last: int) -> list[Turn]:
        found = self._lines.rows(db, request.branch, first, last)
        return [blobs.turn(db, row, request.id) for row in found if row["seq"] not in request.sent.left_out]


def _epoch(db: Transaction, new: NewRequest, before: Loaded | None, now: Row) -> tuple[Epoch, int]:
    """The epoch of a request, the present one from now on, with the id of its preamble."""
    epoch, known = new.epoch, before.head.epoch if before is not None else None
    same = known is not None and known.id == epoch.id and known.preamble == epoch.preamble
    preamble: int = now["preamble_id"] if same else preamble_id(db, epoch.preamble)
    if not epoch.id:
        epoch = _new_epoch(db, new, preamble)
        db.update("branches", new.branch, {"epoch_id": epoch.id, "fresh": ""})
    elif epoch.id != now["epoch_id"]:
        db.update("branches", new.branch, {"epoch_id": epoch.id})
    return epoch, preamble


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
    return epoch_of(db, key)


def _count_up(db: Transaction, new: NewRequest, learned: str | None, said: Sequence[Parted]) -> Row:
    """One more request of the conversation: its number, where the conversation stands now, and known wordings."""
    now = {"updated_at": new.at, "model": new.home or new.sent.model, "key": new.sent.key}
    if learned is not None:
        now["learned"] = learned
    pairs = ", ".join(f"{name} = ?" for name in now)
    row: Row | None = db.one(
        f"UPDATE conversations SET version = version + 1, requests = requests + 1, {pairs} WHERE id = ? "
        "RETURNING requests, branch_id, version, (SELECT epoch_id FROM branches b WHERE b.id = branch_id) AS epoch_id, "
        f"(SELECT e.preamble_id FROM epochs e WHERE e.id = ?) AS preamble_id{_finding(said)}",
        (*now.values(), new.conversation, new.epoch.id, *(one.hash for one in said)),
    )
    if row is None:
        raise deleted(new.conversation)
    return row


def _finding(said: Sequence[Parted]) -> str:
    """Columns that find the wordings of these texts, given their hashes."""
    return "".join(f", ({wordings.FIND}) AS {one.column}_id" for one in said)


def _known(said: Sequence[Parted], found: Row) -> list[tuple[Parted, int | None]]:
    return [(one, found[f"{one.column}_id"]) for one in said]


def _raise_version(db: Transaction, finished: FinishedRequest, said: Sequence[Parted]) -> Row:
    paid = finished.usage is not None
    dollars, unpriced = (finished.cost or 0.0) if paid else 0.0, int(paid and finished.cost is None)
    given = (dollars, unpriced, finished.conversation, *(one.hash for one in said))
    row: Row | None = db.one(f"{RAISE_VERSION}{_finding(said)}", given)
    if row is None:
        raise _lost()
    return row


def _book(
    db: Transaction, conversation: int, row: Row | Mapping[str, Any], usage: Usage | None, cost: float | None
) -> None:
    """What a request used, on its day and for its model."""
    if usage is not None:
        spent(db, conversation, at=row["at"], model=row["model"], usage=usage, cost=cost)


def _request(db: Transaction, request: int) -> Row:
    row: Row | None = db.one("SELECT * FROM requests WHERE id = ?", (request,))
    if row is None:
        raise _lost()
    return row


def _lost() -> NotFound:
    return NotFound(
        "the conversation was deleted while this request was under way; its reply is not kept", kind="request", key=None
    )


def _learn_gap(db: Transaction, new: NewRequest, last: float | None) -> float | None:
    """Add the time since the last plain request to the sums: this conversation's, and the namespace's (ids up to 0).

    `last`: when that was, where it is known. The result is the gap, None where this request ends none.
    """
    if not new.plain:
        return None
    if last is None:
        find = "SELECT max(at) AS at FROM requests WHERE conversation_id = ? AND plain"
        last = db.one(find, (new.conversation,))["at"]
    if last is None:
        return None
    gap = max(0.0, new.at - last)
    db.later(
        f"INSERT INTO gaps SELECT c.namespace, CASE key.value WHEN 0 THEN -{db.sql.shard} ELSE key.value END, "
        f"?2, ?3, 1 FROM conversations c, {db.sql.ids('?1')} key WHERE c.id = ?4 "
        "ON CONFLICT (namespace, conversation_id) DO UPDATE SET "
        "within_5m = gaps.within_5m + ?2, within_1h = gaps.within_1h + ?3, total = gaps.total + 1",
        (dumps([0, new.conversation]), float(gap <= 300), float(gap <= 3600), new.conversation),
    )
    return gap


def _exact(finished: FinishedRequest, reply: Turn | None) -> dict[int, Count]:
    """The sizes that an answer told, by seq."""
    if reply is None or finished.reply_count is None:
        return dict(finished.counts)
    return {reply.seq: finished.reply_count, **finished.counts}


def _keep_counts(db: Transaction, model: str, counts: Iterable[tuple[int, Count]]) -> None:
    """Sizes of turns (ids)."""
    db.many(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (turn_id, model) DO UPDATE SET "
        "tokens = excluded.tokens, upper = excluded.upper, source = excluded.source, base = excluded.base "
        "WHERE counts.source != 'usage' OR excluded.source = 'usage'",
        [(turn, model, count.tokens, count.upper, count.source, count.base) for turn, count in counts],
    )


def _keep_preamble_count(db: Transaction, preamble: int, model: str, count: Count | None) -> None:
    if count is not None:
        db.later(
            "INSERT INTO preamble_counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (preamble_id, model) DO UPDATE SET "
            "tokens = excluded.tokens, upper = excluded.upper, source = excluded.source, base = excluded.base "
            "WHERE preamble_counts.source != 'usage' OR excluded.source = 'usage'",
            (preamble, model, count.tokens, count.upper, count.source, count.base),
        )


def _keep_calibration(db: Transaction, finished: FinishedRequest) -> None:
    if finished.calibration is not None:
        lessons = finished.calibration.get("lessons", 0)
        free = db.sql.unless_busy("'calibration ' || ?1 || ' ' || ?2")  # of two at once, one would be lost anyway
        db.later(
            f"INSERT INTO calibration SELECT ?1, ?2, ?3, ?4, ?5 WHERE {free} ON CONFLICT (model, base) DO UPDATE SET "
            "state = excluded.state, lessons = excluded.lessons, updated_at = excluded.updated_at",
            (finished.model, finished.base, dumps_numbers(finished.calibration), lessons, finished.at),
        )


def _side_branch(db: Transaction, row: Row | Mapping[str, Any], at: float) -> int:
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


def _outcome(finished: FinishedRequest, row: Row | Mapping[str, Any], reply: Turn | None) -> dict[str, Any]:
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
    }
