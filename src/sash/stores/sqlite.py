"""The record in one SQLite file.

Reading a window costs O(view): turns are found by (branch, seq), and a branch shares its parent's turns
up to the fork instead of copying them. Every write checks that nobody else appended first.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sash.errors import Conflict, InvalidOption, NotFound
from sash.flows.history.extend import FOREIGN
from sash.flows.tools.open_calls import UNANSWERED, taken_along
from sash.limits.ceilings.policy import Account, Charge
from sash.model.blocks import dumps, readable
from sash.model.counts import Count
from sash.model.epochs import Epoch, Request
from sash.model.incoming import call_ids
from sash.model.preamble import Preamble
from sash.model.requests import Begun, FinishedRequest, NewRequest, Paid
from sash.model.submissions import Claim, Claimed
from sash.model.turns import Draft, Mended, Turn
from sash.model.window import Head, Loaded
from sash.planning.rules import has_thinking
from sash.stores import attachments, blobs, mends, rows, submissions
from sash.stores.attempts import SqliteAttempts
from sash.stores.backlog import Backlog
from sash.stores.batches import Batches
from sash.stores.database import Database
from sash.stores.deletion import Deletions
from sash.stores.forgetting import Forgetting
from sash.stores.health import Healths
from sash.stores.lineage import END, Lines, deleted, end_epochs, present
from sash.stores.memory_files import MemoryFiles
from sash.stores.memos import SqliteMemos
from sash.stores.reports import Reports
from sash.stores.searches import Searches
from sash.stores.spend import SqliteSpend
from sash.stores.summaries import Summaries
from sash.stores.transaction import Row, Transaction
from sash.stores.windows import UNSETTLED, Windows

_EPOCH = (
    "SELECT e.*, p.system, p.tools, s.upto_seq, s.text AS summary_text, s.content AS summary_content, s.verbatim "
    "FROM epochs e JOIN preambles p ON p.id = e.preamble_id LEFT JOIN summaries s ON s.id = e.summary_id WHERE e.id = ?"
)


class SqliteStore(Batches, Healths, Reports, Searches, Summaries, Backlog, Forgetting, Deletions):
    """Open or create the file at `path`. Raises ForeignDatabase, NewerSchema, StoreUnavailable.

    One object may serve many conversations and threads.
    """

    def __init__(self, path: str | Path) -> None:
        Reports.__init__(self, Database(path))
        self._lines = Lines()
        Searches.__init__(self, self._database, self._lines)
        self._windows = Windows(self._lines)
        self._database.when_undone(self._lines.forget)
        self._database.when_undone(self._windows.forget)
        self.spend = SqliteSpend(self._database)
        self.memos = SqliteMemos(self._database)
        self.attempts = SqliteAttempts(self._database)
        self.memory_files = MemoryFiles(self._database)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    @property
    def path(self) -> str:
        """The file's path as it was given."""
        return self._database.path

    def close(self) -> None:
        """Close the file; further calls raise ConversationClosed."""
        self._database.close()

    # ---- where a conversation stands ------------------------------------------------------------

    def open_conversation(self, *, namespace: str, id: str, create: bool = True) -> Head:
        """Find the conversation by namespace and id, or create it."""
        find = "SELECT id FROM conversations WHERE namespace = ? AND name = ?"
        with self._database.reading() as db:
            found = db.one(find, (namespace, id))
            if found:
                return self._head(db, found["id"])
        if not create:
            raise NotFound(f"no conversation {id!r} in {self.path!r}", kind="conversation", key=id)
        with self._database.writing() as db:
            found = db.one(find, (namespace, id))
            return self._head(db, found["id"] if found else self._create(db, namespace, id))

    def _create(self, db: Transaction, namespace: str, name: str) -> int:
        now = time.time()
        row = {"namespace": namespace, "name": name, "created_at": now, "updated_at": now}
        conversation = db.insert("conversations", row)
        branch = db.insert("branches", {"conversation_id": conversation, "reason": "start", "created_at": now})
        db.update("conversations", conversation, {"branch_id": branch})
        return conversation

    def read_head(self, conversation: int) -> Head:
        """Where the conversation stands."""
        with self._database.reading() as db:
            return self._head(db, conversation)

    def _head(self, db: Transaction, conversation: int) -> Head:
        row = db.one(
            "SELECT c.id, c.requests, c.branch_id, c.model, c.key, b.epoch_id, b.fresh, p.system, p.tools "
            "FROM conversations c JOIN branches b ON b.id = c.branch_id LEFT JOIN preambles p ON p.id = c.preamble_id "
            "WHERE c.id = ?",
            (conversation,),
        )
        if row is None:
            raise deleted(conversation)
        newest = self._lines.newest(db, row["branch_id"])
        epoch = db.one(_EPOCH, (row["epoch_id"],)) if row["epoch_id"] else None
        return Head(
            conversation=conversation,
            branch=row["branch_id"],
            seq=newest.seq if newest else 0,
            turn=newest,
            epoch=rows.epoch(epoch) if epoch else None,
            requests=row["requests"],
            fresh=row["fresh"] or self._lines.changed(db, row["branch_id"], row["epoch_id"] or 0),
            model=row["model"],
            key=row["key"],
            brought=Preamble(system=row["system"] or "", tools=row["tools"] or ""),
            forgotten=db.one("SELECT coalesce(max(id), 0) FROM forgotten")[0],
        )

    def read_window(
        self,
        conversation: int,
        *,
        model: str,
        preamble: Preamble | None,
        reach: int | None = 0,
        base: str = "",
        near: frozenset[str] | None = None,
    ) -> Loaded:
        """All that the next request is planned from, in one snapshot."""
        with self._database.reading() as db:
            head = self._beside(db, self._head(db, conversation), model)
            return self._windows.read(
                db,
                head,
                model=model,
                preamble=preamble,
                reach=reach,
                base=base,
                near=near,
                changes=self._database.foreign_changes,
            )

    def _beside(self, db: Transaction, head: Head, model: str) -> Head:
        """The head as a request to `model` finds it: with the newest epoch of its own among those side by side."""
        if head.epoch is None or head.epoch.model == model:
            return head
        spans = {segment: high for segment, _, high in self._lines.segments(db, head.branch)}
        for row in db.execute(
            "SELECT id, branch_id, base_seq FROM epochs WHERE (family = ?1 OR id = ?1) AND model = ?2 ORDER BY id DESC",
            (head.epoch.family, model),
        ):
            if row["base_seq"] <= spans.get(row["branch_id"], -1):
                epoch = rows.epoch(db.one(_EPOCH, (row["id"],)))
                return replace(head, epoch=epoch, fresh=head.fresh or self._lines.changed(db, head.branch, epoch.id))
        return head

    # ---- one request ----------------------------------------------------------------------------

    def begin_request(self, new: NewRequest) -> Begun:
        """Everything about a request that must be durable before it leaves."""
        with self._database.writing() as db:
            self._reject_conflict(db, new.conversation, new.branch, new.head)
            self._reject_forgotten(db, new)
            turns = self._append(db, new.conversation, new.branch, new.head, new.turns, "pending", new.at)
            preamble = self._keep_preamble(db, new.epoch.preamble)
            epoch = new.epoch if new.epoch.id else self._new_epoch(db, new, preamble)
            db.update("branches", new.branch, {"epoch_id": epoch.id})
            self._settle(db, new.interrupted, "interrupted")
            self._learn_gap(db, new)
            number = self._next_number(db, new)
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
            self._keep_preamble_count(db, preamble, new.sent.model, new.preamble_count)
            return Begun(turns=tuple(turns), epoch=epoch, request=request, number=number)

    def _newest_sent(self, db: Transaction, new: NewRequest) -> int:
        """id of the newest turn that is sent; a retry may stand behind turns that were withdrawn."""
        first, last = new.epoch.start, new.sent.last
        sent = [r["id"] for r in self._lines.rows(db, new.branch, first, last) if r["seq"] not in new.sent.left_out]
        return int(sent[-1])

    def _reject_conflict(self, db: Transaction, conversation: int, branch: int, head: int) -> None:
        now = present(db, conversation)
        newest = self._lines.newest(db, now)
        if now != branch or (newest.seq if newest else 0) != head:
            raise Conflict(
                f"another writer appended first: the newest turn is number {newest.seq if newest else 0} "
                f"(id {newest.id if newest else None}), not {head}. Nothing was written; send again to go on from it",
                expected=head,
                newest=newest.id if newest else None,
            )

    def _reject_forgotten(self, db: Transaction, new: NewRequest) -> None:
        """What was planned with words that are gone by now is not sent, nor quoted in the record again."""
        if new.forgotten is None:
            return
        gone = db.execute(
            f"SELECT t.* FROM forgotten f, {db.sql.elements('f.turns')} one JOIN turns t ON t.id = one.value "
            "WHERE f.id > ?",
            (new.forgotten,),
        )
        if any(self._lines.holds(db, new.branch, row) for row in gone):
            raise Conflict(
                "a turn was redacted while this request was being planned. Nothing was written or sent; send again",
                expected=new.head,
                newest=None,
            )

    def _append(
        self,
        db: Transaction,
        conversation: int,
        branch: int,
        head: int,
        drafts: Iterable[Draft],
        state: str,
        at: float,
        model: str = "",
    ) -> list[Turn]:
        appended = []
        for seq, draft in enumerate(drafts, head + 1):
            content, places = blobs.put(db, draft.content)
            columns = {
                "conversation_id": conversation,
                "branch_id": branch,
                "seq": seq,
                "role": draft.role,
                "plain": draft.plain,
                "state": state,
                "at": at if draft.at is None else draft.at,
                "speaker": draft.speaker,
                "text": readable(draft.blocks),
                "content": content,
                "origin_id": draft.origin,
                "model": model,
            }
            key = db.insert("turns", columns)
            blobs.place(db, key, places)
            if draft.attached is not None:
                attachments.put(db, key, draft.attached, at)
            row = db.one("SELECT * FROM turns WHERE id = ?", (key,))
            appended.append(blobs.turn(db, row))
        return appended

    def _keep_preamble(self, db: Transaction, preamble: Preamble) -> int:
        known = db.one("SELECT id FROM preambles WHERE hash = ?", (preamble.hash,))
        if known is not None:
            return int(known["id"])
        columns = {"hash": preamble.hash, "system": preamble.system, "tools": preamble.tools}
        return db.insert("preambles", columns)

    def _new_epoch(self, db: Transaction, new: NewRequest, preamble: int) -> Epoch:
        epoch = new.epoch
        key = db.insert(
            "epochs",
            {
                "conversation_id": new.conversation,
                "branch_id": new.branch,
                "model": epoch.model,
                "preamble_id": preamble,
                "start_seq": epoch.start,
                "base_seq": epoch.base,
                "pins": dumps(list(epoch.pins)),
                "instructions": dumps(list(epoch.instructions)),
                "tagged": epoch.tagged,
                "attached_seq": epoch.attached,
                "relief": rows.relief_column(epoch.relief),
                "summary_id": epoch.summary.id if epoch.summary else None,
                "family": epoch.family or None,
                "strategy": epoch.strategy,
                "reason": epoch.reason,
                "created_at": new.at,
            },
        )
        db.update("branches", new.branch, {"fresh": ""})
        return rows.epoch(db.one(_EPOCH, (key,)))

    def _next_number(self, db: Transaction, new: NewRequest) -> int:
        learned = {} if new.learned is None else {"learned": dumps(new.learned)}
        number = db.one("SELECT requests + 1 AS next FROM conversations WHERE id = ?", (new.conversation,))
        following = int(number["next"])
        now = {
            "requests": following,
            "updated_at": new.at,
            "model": new.home or new.sent.model,
            "key": new.sent.key,
        }
        db.update("conversations", new.conversation, now | learned)
        return following

    def _learn_gap(self, db: Transaction, new: NewRequest) -> None:
        """Add the time since the last plain request to the sums: this conversation's, and the namespace's (id 0)."""
        last = db.one("SELECT max(at) AS at FROM requests WHERE conversation_id = ? AND plain", (new.conversation,))[
            "at"
        ]
        if not new.plain or last is None:
            return
        gap = max(0.0, new.at - last)
        for key in (0, new.conversation):
            db.execute(
                "INSERT INTO gaps SELECT namespace, ?1, ?2, ?3, 1 FROM conversations WHERE id = ?4 "
                "ON CONFLICT (namespace, conversation_id) DO UPDATE SET within_5m = gaps.within_5m + ?2, "
                "within_1h = gaps.within_1h + ?3, total = gaps.total + 1",
                (key, float(gap <= 300), float(gap <= 3600), new.conversation),
            )

    def _keep_counts(self, db: Transaction, branch: int, model: str, counts: Mapping[int, Count]) -> None:
        """Store counts by seq. An exact one is never replaced by a weaker one."""
        if counts and min(counts) <= max(counts) - UNSETTLED:
            self._windows.forget()  # it holds older turns without these counts
        for seq, count in counts.items():
            row = next(iter(self._lines.rows(db, branch, seq, seq)), None)
            if row is not None:
                self._keep_count(db, row["id"], model, count)

    def _keep_count(self, db: Transaction, turn: int, model: str, count: Count) -> None:
        db.execute(
            "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (turn_id, model) DO UPDATE SET "
            "tokens = excluded.tokens, upper = excluded.upper, source = excluded.source, base = excluded.base "
            "WHERE counts.source != 'usage' OR excluded.source = 'usage'",
            (turn, model, count.tokens, count.upper, count.source, count.base),
        )

    def _keep_preamble_count(self, db: Transaction, preamble: int, model: str, count: Count | None) -> None:
        if count is not None:
            db.execute(
                "INSERT INTO preamble_counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (preamble_id, model) DO UPDATE SET "
                "tokens = excluded.tokens, upper = excluded.upper, source = excluded.source, base = excluded.base "
                "WHERE preamble_counts.source != 'usage' OR excluded.source = 'usage'",
                (preamble, model, count.tokens, count.upper, count.source, count.base),
            )

    def finish_request(self, finished: FinishedRequest) -> Turn | None:
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
                self._reject_conflict(db, row["conversation_id"], branch, row["last_seq"])
                self._settle(db, finished.settle, finished.settled)
            except Conflict as lost:
                conflict = lost
                branch = self._side_branch(db, row, finished.at)
            if finished.reply is not None:
                reply = self._append_reply(db, row, branch, finished, finished.reply)
            self._keep_counts(db, branch, finished.model, finished.counts)
            self._keep_preamble_count(db, row["preamble_id"], finished.model, finished.preamble_count)
            self._keep_calibration(db, finished)
            db.update("requests", finished.request, self._outcome(finished, row, reply))
            if conflict is None and finished.state != "withdrawn":  # every call up to here has its answer in a turn now
                db.execute("DELETE FROM tool_results WHERE conversation_id = ?", (row["conversation_id"],))
        if conflict is not None:
            conflict.facts.update(reply=reply)
            raise conflict
        return reply

    def _append_reply(self, db: Transaction, row: Row, branch: int, finished: FinishedRequest, draft: Draft) -> Turn:
        said, at, model = finished.state, finished.at, finished.model
        reply, *_ = self._append(db, row["conversation_id"], branch, row["last_seq"], [draft], said, at, model)
        if finished.reply_count is not None:
            self._keep_count(db, reply.id, model, finished.reply_count)
        return reply

    def _keep_calibration(self, db: Transaction, finished: FinishedRequest) -> None:
        if finished.calibration is not None:
            lessons = finished.calibration.get("lessons", 0)
            db.execute(
                "INSERT INTO calibration VALUES (?, ?, ?, ?, ?) ON CONFLICT (model, base) DO UPDATE SET "
                "state = excluded.state, lessons = excluded.lessons, updated_at = excluded.updated_at",
                (finished.model, finished.base, dumps(finished.calibration), lessons, finished.at),
            )

    def _side_branch(self, db: Transaction, row: Row, at: float) -> int:
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

    def _outcome(self, finished: FinishedRequest, row: Row, reply: Turn | None) -> dict[str, Any]:
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

    def _settle(self, db: Transaction, turns: Iterable[int], state: str) -> None:
        changed = list(turns)
        if state == "withdrawn":
            changed += self._taken_along(db, changed)
        self._mark(db, changed, state)

    def _mark(self, db: Transaction, turns: Sequence[int], state: str) -> None:
        db.many("UPDATE turns SET state = ? WHERE id = ?", [(state, turn) for turn in turns])
        self._windows.changed(turns)

    def _taken_along(self, db: Transaction, gone: Sequence[int]) -> list[int]:
        """Replies that cannot stay without these turns (ids), which answer their calls."""
        find = (
            f"SELECT t.* FROM turns t WHERE t.id IN {db.sql.among('?')} AND t.role = 'user' "
            "AND NOT t.plain ORDER BY t.seq LIMIT 1"
        )
        first = db.one(find, (dumps(list(gone)),))
        if first is None:
            return []
        branch = present(db, first["conversation_id"])
        branch = branch if self._lines.holds(db, branch, first) else first["branch_id"]
        start = self._lines.exchange_start(db, branch, first["seq"])
        line = [blobs.turn(db, row) for row in self._lines.rows(db, branch, start, END)]
        along = [turn.id for turn in taken_along(line, gone)]
        end_epochs(db, along, UNANSWERED)
        return along

    def fail_request(
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
            self._settle(db, withdraw, "withdrawn")
            outcome = {
                "state": "failed",
                "error": error,
                "request_id": request_id,
                "latency": max(0.0, at - row["at"]),
                **rows.paid_columns(paid),
            }
            db.update("requests", request, outcome)

    def read_spent(self, accounts: Sequence[Account]) -> Sequence[Charge]:
        """What each account holds."""
        return [self.spend.spent(account) for account in accounts]

    # ---- what was submitted before ----------------------------------------------------------------

    def claim(self, claim: Claim) -> Claimed:
        """Ours to answer, somebody's, or answered."""
        with self._database.writing() as db:
            present(db, claim.conversation)
            return submissions.claim(db, claim)

    def read_answered(self, *, namespace: str, prefix: str) -> frozenset[str]:
        """Which of many submissions have their reply."""
        with self._database.reading() as db:
            return submissions.answered(db, namespace, prefix)

    def settle_claim(self, submission: int, numbers: Sequence[int] = ()) -> None:
        """What became of a submission."""
        with self._database.writing() as db:
            submissions.settle(db, submission, numbers)

    # ---- results of tool calls, until they are sent ----------------------------------------------

    def keep_result(self, conversation: int, *, turn: int, call: str, block: str, at: float) -> None:
        """Keep the first result of a call."""
        with self._database.writing() as db:
            present(db, conversation)
            db.execute(
                "INSERT INTO tool_results VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (turn, call, conversation, block, at),
            )

    def read_results(self, turn: int) -> Mapping[str, str]:
        """What was kept for the calls of a reply."""
        with self._database.reading() as db:
            found = db.execute("SELECT call_id, block FROM tool_results WHERE turn_id = ?", (turn,))
            return {row["call_id"]: row["block"] for row in found}

    def read_call_ids(self, branch: int, *, beginnings: Collection[str]) -> frozenset[str]:
        """Ids of calls, found by reading every reply of the branch."""
        with self._database.reading() as db:
            found = list(self._lines.calling(db, branch, beginnings))
            forms = [mends.of(db, row["id"]) or "" for row in found if row["mended"]]
        ids = call_ids([*(row["content"] for row in found), *forms])
        return frozenset(id for id in ids if id.startswith(tuple(beginnings)))

    # ---- branches, imports, pins ----------------------------------------------------------------

    def new_branch(
        self, conversation: int, *, seq: int, reason: Literal["fork", "edit", "regenerate"], as_id: str | None = None
    ) -> Head:
        """Share the past up to `seq`; its epoch goes along where the branch still holds its start."""
        with self._database.writing() as db:
            head = self._head(db, conversation)
            if not 0 <= seq <= head.seq:
                raise NotFound(f"no turn {seq} to branch off; the newest is {head.seq}", kind="turn", key=seq)
            if as_id is not None:
                conversation = self._create_fork(db, conversation, as_id)
            epoch, sent = self._epoch_at(db, head, seq)
            waiting = db.one("SELECT fresh FROM branches WHERE id = ?", (head.branch,))["fresh"]
            branch = db.insert(
                "branches",
                {
                    "conversation_id": conversation,
                    "parent_id": head.branch,
                    "fork_seq": seq,
                    "epoch_id": epoch,
                    "fresh": waiting or self._foreign(db, head, sent, seq),
                    "reason": reason,
                    "created_at": time.time(),
                },
            )
            db.update("conversations", conversation, {"branch_id": branch})
            return self._head(db, conversation)

    def _create_fork(self, db: Transaction, forked: int, as_id: str) -> int:
        namespace = db.one("SELECT namespace FROM conversations WHERE id = ?", (forked,))[0]
        if db.one("SELECT 1 FROM conversations WHERE namespace = ? AND name = ?", (namespace, as_id)):
            raise InvalidOption(f"conversation {as_id!r} exists already; choose another id", option="id", value=as_id)
        conversation = self._create(db, namespace, as_id)
        db.execute(
            "UPDATE conversations SET (model, key, preamble_id) = "
            "(SELECT model, key, preamble_id FROM conversations WHERE id = ?) WHERE id = ?",
            (forked, conversation),
        )
        db.execute(
            "INSERT INTO pins SELECT ?, turn_id, created_at FROM pins WHERE conversation_id = ?",
            (conversation, forked),
        )
        return conversation

    def _epoch_at(self, db: Transaction, head: Head, seq: int) -> tuple[int | None, int]:
        """The epoch in force when the turn `seq` was the newest, and the last seq that it had sent by then."""
        for segment, _, high in reversed(self._lines.segments(db, head.branch)):
            row = db.one(
                "SELECT epoch_id, last_seq FROM requests WHERE branch_id = ? AND last_seq <= ? AND usage IS NOT NULL "
                "AND state <> 'failed' ORDER BY id DESC LIMIT 1",
                (segment, min(seq, high)),
            )
            if row:
                return int(row["epoch_id"]), int(row["last_seq"])
        return None, 0

    def _foreign(self, db: Transaction, head: Head, sent: int, seq: int) -> str:
        """Why an epoch must begin behind turns that were recorded from elsewhere since it last sent something."""
        unasked = "t.role = 'assistant' AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.reply_id = t.id)"
        found = self._lines.rows(db, head.branch, sent + 1, seq, only=unasked)
        return FOREIGN if any(has_thinking(blobs.turn(db, row).blocks) for row in found) else ""

    def set_branch(self, conversation: int, *, branch: int) -> None:
        """Make another branch of the conversation the present one."""
        with self._database.writing() as db:
            db.update("conversations", conversation, {"branch_id": branch})

    def withdraw(self, conversation: int) -> int:
        """Take what waits for an answer out of the view."""
        with self._database.writing() as db:
            branch = self._head(db, conversation).branch
            pending = db.execute("SELECT id FROM turns WHERE branch_id = ? AND state = 'pending'", (branch,))
            turns = [row["id"] for row in pending]
            self._settle(db, turns, "withdrawn")
            return len(turns)

    def mend(
        self,
        conversation: int,
        *,
        head: int,
        withdraw: Sequence[int],
        mended: Sequence[Mended] = (),
        answers: Sequence[Draft] = (),
        reason: str,
        at: float,
    ) -> None:
        """Withdraw turns, send others in another form, and end every epoch that holds one of them."""
        with self._database.writing() as db:
            branch = self._head(db, conversation).branch
            self._reject_conflict(db, conversation, branch, head)
            changed = [*withdraw, *(one.turn for one in mended)]
            for turn in changed:
                self._on_branch(db, conversation, turn)
            self._mark(db, withdraw, "withdrawn")  # and no other: calls are answered elsewhere now
            mends.put(db, mended, at)
            self._append(db, conversation, branch, head, answers, "answered", at)
            end_epochs(db, changed, reason)
            self._windows.forget()

    def append_turns(
        self,
        conversation: int,
        *,
        head: int,
        turns: Sequence[Draft],
        at: float,
        interrupted: Sequence[int] = (),
        fresh: str = "",
        preamble: Preamble | None = None,
    ) -> Sequence[Turn]:
        """Record what was said elsewhere."""
        with self._database.writing() as db:
            branch = self._head(db, conversation).branch
            self._reject_conflict(db, conversation, branch, head)
            db.update("conversations", conversation, {"updated_at": at})
            self._settle(db, interrupted, "interrupted")
            if fresh:
                db.update("branches", branch, {"fresh": fresh})
            if preamble is not None:
                brought = {"preamble_id": self._keep_preamble(db, preamble)}
                db.update("conversations", conversation, brought)
            db.many(
                "INSERT INTO imported VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(conversation, key) for draft in turns for key in draft.source],
            )
            return self._append(db, conversation, branch, head, turns, "answered", at)

    def read_imported(self, conversation: int) -> frozenset[str]:
        """What of a foreign file is in the record already."""
        with self._database.reading() as db:
            found = db.execute("SELECT key FROM imported WHERE conversation_id = ?", (conversation,))
            return frozenset(row["key"] for row in found)

    def set_pin(self, conversation: int, *, turn: int, pinned: bool) -> None:
        """Pin or unpin the exchange that holds the turn."""
        with self._database.writing() as db:
            question = self._question(db, conversation, self._on_branch(db, conversation, turn))
            if not pinned:
                db.execute("DELETE FROM pins WHERE conversation_id = ? AND turn_id = ?", (conversation, question.id))
                return
            _reject_unsendable(question)
            db.execute(
                "INSERT INTO pins VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (conversation, question.id, time.time())
            )

    def _question(self, db: Transaction, conversation: int, turn: Turn) -> Turn:
        """The plain user turn whose exchange holds `turn`; a withdrawn turn stands for itself."""
        if turn.state == "withdrawn":
            return turn
        branch = self._head(db, conversation).branch
        first = self._lines.exchange_start(db, branch, turn.seq)
        return blobs.turn(db, next(self._lines.rows(db, branch, first, first)))

    # ---- reading back ---------------------------------------------------------------------------

    def read_turns(
        self, conversation: int, *, after: int = 0, limit: int | None = None, newest: bool = False
    ) -> Sequence[Turn]:
        """A page of the present branch."""
        with self._database.reading() as db:
            head = self._head(db, conversation)
            first, last = after + 1, head.seq
            if limit is not None:
                first = max(first, last - limit + 1) if newest else first
                last = min(last, first + limit - 1)
            return [blobs.turn(db, row) for row in self._lines.rows(db, head.branch, first, last)]

    def read_turn(self, conversation: int, *, turn: int, anywhere: bool = False) -> Turn:
        """One turn of the present branch, or of any."""
        with self._database.reading() as db:
            if anywhere:
                return self._of_conversation(db, conversation, turn)
            return self._on_branch(db, conversation, turn)

    def _of_conversation(self, db: Transaction, conversation: int, turn: int) -> Turn:
        row = db.one("SELECT * FROM turns WHERE id = ? AND conversation_id = ?", (turn, conversation))
        if row is None:
            raise NotFound(f"no turn with id {turn} in this conversation", kind="turn", key=turn)
        return blobs.turn(db, row)

    def _on_branch(self, db: Transaction, conversation: int, turn: int) -> Turn:
        row = db.one("SELECT * FROM turns WHERE id = ?", (turn,))
        branch = self._head(db, conversation).branch
        if row is None or not self._lines.holds(db, branch, row):
            raise NotFound(
                f"no turn with id {turn} in this conversation's branch; see turn.id, not seq, of chat.history()",
                kind="turn",
                key=turn,
            )
        return blobs.turn(db, row)

    def read_request(self, conversation: int, *, number: int) -> tuple[Request, Epoch, Sequence[Turn]]:
        """A past request, with everything that rebuilds it."""
        with self._database.reading() as db:
            row = db.one("SELECT * FROM requests WHERE conversation_id = ? AND number = ?", (conversation, number))
            if row is None:
                raise NotFound(f"no request number {number} in this conversation", kind="request", key=number)
            request = rows.request(row)
            epoch = rows.epoch(db.one(_EPOCH, (request.epoch,)))
            pinned = [turn for first in epoch.pins for turn in self._sent_exchange(db, request, first, epoch.start)]
            again = [turn for seq in epoch.instructions for turn in self._sent_turns(db, request, seq, seq)]
            return request, epoch, [*pinned, *again, *self._sent_turns(db, request, epoch.start, request.sent.last)]

    def _sent_exchange(self, db: Transaction, request: Request, first: int, end: int) -> list[Turn]:
        """A pinned exchange as it stood in front of a view that starts at `end`."""
        last = min(self._lines.exchange_end(db, request.branch, first), end - 1)
        return self._sent_turns(db, request, first, last)

    def _sent_turns(self, db: Transaction, request: Request, first: int, last: int) -> list[Turn]:
        found = self._lines.rows(db, request.branch, first, last)
        return [blobs.turn(db, row, request.id) for row in found if row["seq"] not in request.sent.left_out]


def _reject_unsendable(turn: Turn) -> None:
    if turn.state == "withdrawn" or not turn.plain:
        what = "is withdrawn" if turn.state == "withdrawn" else "stands before the first user turn"
        raise InvalidOption(
            f"turn {turn.id} {what} and is never sent, so it cannot be pinned", option="turn", value=turn.id
        )
