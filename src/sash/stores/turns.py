"""Turns in the record: appended, read, pinned, withdrawn, repaired. Nothing of what was said is ever rewritten here."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sash.errors import InvalidOption, NotFound
from sash.flows.tools.open_calls import UNANSWERED, taken_along
from sash.model.blocks import dumps, readable
from sash.model.frozen import with_fields
from sash.model.incoming import call_ids
from sash.model.preamble import Preamble
from sash.model.turns import Draft, Mended, Turn
from sash.stores import attachments, blobs, mends, rows
from sash.stores.cache import Cache
from sash.stores.heads import head_of, preamble_id, reject_conflict, take
from sash.stores.lineage import END, BranchRanges, end_epochs, hold_sharing, present
from sash.stores.transaction import Database, Transaction
from sash.stores.usage import record_used


class Turns:
    """What was said. See `sash.flows.record.Turns`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache
        self._lines = cache.lines

    def append(
        self,
        conversation: int,
        *,
        head: int,
        turns: Sequence[Draft],
        at: float,
        interrupted: Sequence[int] = (),
        new_epoch_reason: str = "",
        preamble: Preamble | None = None,
    ) -> Sequence[Turn]:
        """Record what was said elsewhere."""
        with self._database.writing() as db:
            branch = take(db, self._cache, conversation)
            reject_conflict(db, self._lines, branch, branch, head)
            db.update("conversations", conversation, {"updated_at": at})
            set_state(db, self._cache, conversation, interrupted, "interrupted")
            if new_epoch_reason:
                db.update("branches", branch, {"fresh": new_epoch_reason})
            if preamble is not None:
                brought = {"preamble_id": preamble_id(db, preamble)}
                db.update("conversations", conversation, brought)
            db.many(
                "INSERT INTO imported VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(conversation, key) for draft in turns for key in draft.source],
            )
            recorded = write(db, conversation, branch, head, turns, "answered", at)
            record_used(db, conversation, [(draft.used, draft.at or at) for draft in turns if draft.used])
            return recorded

    def read(
        self, conversation: int, *, after: int = 0, limit: int | None = None, newest: bool = False
    ) -> Sequence[Turn]:
        """A page of the present branch."""
        with self._database.reading() as db:
            head = head_of(db, self._lines, conversation)
            first, last = after + 1, head.seq
            if limit is not None:
                first = max(first, last - limit + 1) if newest else first
                last = min(last, first + limit - 1)
            return [blobs.turn(db, row) for row in self._lines.rows(db, head.branch, first, last)]

    def one(self, conversation: int, *, turn: int, anywhere: bool = False) -> Turn:
        """One turn of the present branch, or of any."""
        with self._database.reading() as db:
            find = on_any_branch if anywhere else on_branch
            return find(db, self._lines, conversation, turn)

    def imported(self, conversation: int) -> frozenset[str]:
        """What of a foreign file is in the record already."""
        with self._database.reading() as db:
            found = db.execute("SELECT key FROM imported WHERE conversation_id = ?", (conversation,))
            return frozenset(row["key"] for row in found)

    def call_ids(self, branch: int, *, beginnings: Collection[str]) -> frozenset[str]:
        """Ids of calls, found by reading every reply of the branch."""
        with self._database.reading() as db:
            found = list(self._lines.calling(db, branch, beginnings))
            forms = [mends.of(db, row["id"]) or "" for row in found if row["mended"]]
        ids = call_ids([*(row["content"] for row in found), *forms])
        return frozenset(id for id in ids if id.startswith(tuple(beginnings)))

    def pin(self, conversation: int, *, turn: int, pinned: bool) -> None:
        """Pin or unpin the exchange that holds the turn."""
        with self._database.writing() as db:
            take(db, self._cache, conversation)
            question = self._question(db, conversation, on_branch(db, self._lines, conversation, turn))
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
        branch = present(db, conversation)
        first = self._lines.exchange_start(db, branch, turn.seq)
        return blobs.turn(db, next(self._lines.rows(db, branch, first, first)))

    def withdraw(self, conversation: int) -> int:
        """Take what waits for an answer out of the view."""
        with self._database.writing() as db:
            hold_sharing(db, conversation)
            branch = take(db, self._cache, conversation)
            pending = db.execute("SELECT id FROM turns WHERE branch_id = ? AND state = 'pending'", (branch,))
            turns = [row["id"] for row in pending]
            set_state(db, self._cache, conversation, turns, "withdrawn")
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
            hold_sharing(db, conversation)
            branch = take(db, self._cache, conversation)
            reject_conflict(db, self._lines, branch, branch, head)
            changed = [*withdraw, *(one.turn for one in mended)]
            for turn in changed:
                on_branch(db, self._lines, conversation, turn)
            mark(db, self._cache, conversation, withdraw, "withdrawn")  # and no other: calls are answered elsewhere now
            mends.put(db, mended, at)
            write(db, conversation, branch, head, answers, "answered", at)
            end_epochs(db, changed, reason)
            self._cache.windows.clear()


def write(
    db: Transaction,
    conversation: int,
    branch: int,
    head: int,
    drafts: Iterable[Draft],
    state: str,
    at: float,
    model: str = "",
) -> list[Turn]:
    """Record turns behind the turn of seq `head`."""
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
            "text": searched(draft.blocks),
            "content": content,
            "origin_id": draft.origin,
            "model": model,
            "mended": draft.form is not None,
        }
        key = db.insert("turns", db.sql.turn_columns(columns))
        blobs.place(db, key, places)
        if draft.form is not None:
            mends.begin(db, key, draft.form, at)
        if draft.attachment is not None:
            attachments.put(db, key, draft.attachment, at)
        appended.append(_recorded(draft, key, columns))
    return appended


_UNREAD = str.maketrans({"\x00": " ", "\x10": " "})
"""SQLite's functions read a text up to a NUL; PostgreSQL keeps none, and stands the second sign for it."""


def searched(blocks: Sequence[Mapping[str, Any]]) -> str:
    """What blocks say, as it is searched: spaces in the place of signs that would hide what stands behind them."""
    return readable(blocks).translate(_UNREAD)


def _recorded(draft: Draft, key: int, columns: Mapping[str, Any]) -> Turn:
    """The turn that a draft became, with what was parsed of it before."""
    row = tuple(map({**columns, "id": key}.__getitem__, rows.TURN))
    attached = attachments.as_read(draft.attachment)
    turn = with_fields(rows.turn(row), content=draft.content, attachment=attached, mended=draft.form)
    return turn.parsed_as(draft.blocks) if draft.form is None else turn


def set_state(db: Transaction, cache: Cache, conversation: int, turns: Iterable[int], state: str) -> None:
    """Set the state of turns (ids); where they are withdrawn, of those too that cannot stay without them."""
    changed = list(turns)
    if state == "withdrawn":
        changed += _taken_along(db, cache.lines, changed)
    mark(db, cache, conversation, changed, state)


def mark(db: Transaction, cache: Cache, conversation: int, turns: Sequence[int], state: str) -> None:
    """Set the state of these turns (ids), and of no other."""
    db.many("UPDATE turns SET state = ? WHERE id = ?", [(state, turn) for turn in turns])
    cache.changed(conversation, turns)


def _taken_along(db: Transaction, lines: BranchRanges, gone: Sequence[int]) -> list[int]:
    """Replies that cannot stay without these turns (ids), which answer their calls."""
    find = (
        f"SELECT t.* FROM turns t WHERE t.id IN {db.sql.among_ids('?')} AND t.role = 'user' "
        "AND NOT t.plain ORDER BY t.seq LIMIT 1"
    )
    first = db.one(find, (dumps(list(gone)),))
    if first is None:
        return []
    branch = present(db, first["conversation_id"])
    branch = branch if lines.holds(db, branch, first) else first["branch_id"]
    start = lines.exchange_start(db, branch, first["seq"])
    line = [blobs.turn(db, row) for row in lines.rows(db, branch, start, END)]
    along = [turn.id for turn in taken_along(line, gone)]
    end_epochs(db, along, UNANSWERED)
    return along


def on_branch(db: Transaction, lines: BranchRanges, conversation: int, turn: int) -> Turn:
    """A turn (id) of the present branch. Raises NotFound."""
    row = db.one(attachments.ONE, (turn,))
    branch = present(db, conversation)
    if row is None or not lines.holds(db, branch, row):
        raise _no_turn(turn, "this conversation's branch")
    return blobs.turn(db, row)


def on_any_branch(db: Transaction, lines: BranchRanges, conversation: int, turn: int) -> Turn:
    """A turn (id) of any branch of the conversation, also of what it shares with others. Raises NotFound."""
    row = db.one(attachments.ONE, (turn,))
    branches = db.all("SELECT id FROM branches WHERE conversation_id = ?", (conversation,))
    if row is None or not any(lines.holds(db, branch["id"], row) for branch in branches):
        raise _no_turn(turn, "this conversation")
    return blobs.turn(db, row)


def _no_turn(turn: int, where: str) -> NotFound:
    return NotFound(
        f"no turn with id {turn} in {where}; see turn.id, not seq, of chat.history()", kind="turn", key=turn
    )


def _reject_unsendable(turn: Turn) -> None:
    if turn.state == "withdrawn" or not turn.plain:
        what = "is withdrawn" if turn.state == "withdrawn" else "stands before the first user turn"
        raise InvalidOption(
            f"turn {turn.id} {what} and is never sent, so it cannot be pinned", option="turn", value=turn.id
        )
