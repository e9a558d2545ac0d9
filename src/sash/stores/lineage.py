"""Branches as lines of turns: a branch shares its parent's turns up to the fork instead of copying them.

A branch is read as segments (branch, first seq, last seq); every question costs O(segments) index
lookups plus the rows asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sash.errors import NotFound
from sash.model.blocks import dumps
from sash.model.turns import Turn
from sash.stores import attachments, blobs
from sash.stores.transaction import Row, Transaction

Segment = tuple[int, int, int]
END = 2**62


class BranchRanges:
    """Finds turns along branches. Remembers segments, which never change once a branch is made."""

    def __init__(self) -> None:
        self._segments: dict[int, tuple[Segment, ...]] = {}

    def forget(self) -> None:
        """After a transaction that was rolled back: the ids it gave out may be given again."""
        self._segments.clear()

    def segments(self, db: Transaction, branch: int) -> tuple[Segment, ...]:
        """The segments of a branch, oldest first."""
        if branch not in self._segments:
            found: list[Segment] = []
            at: int | None = branch
            high = END
            while at is not None:
                row = db.one("SELECT parent_id, fork_seq FROM branches WHERE id = ?", (at,))
                found.append((at, row["fork_seq"] + 1, high))
                at, high = row["parent_id"], min(high, row["fork_seq"])
            self._segments[branch] = tuple(s for s in reversed(found) if s[1] <= s[2])
        return self._segments[branch]

    def shares(self, db: Transaction, branch: int) -> bool:
        """Whether turns of other branches stand on it."""
        return len(self.segments(db, branch)) > 1

    def holds(self, db: Transaction, branch: int, row: Row) -> bool:
        """Whether a row of `turns` lies on a branch."""
        spans = {segment: (low, high) for segment, low, high in self.segments(db, branch)}
        low, high = spans.get(row["branch_id"], (1, 0))
        return bool(low <= row["seq"] <= high)

    def newest(self, db: Transaction, branch: int) -> Turn | None:
        """The newest turn of a branch."""
        for segment, low, high in reversed(self.segments(db, branch)):
            row = db.one(
                f"SELECT {attachments.COLUMNS} FROM {attachments.TURNS} WHERE t.branch_id = ? "
                "AND t.seq BETWEEN ? AND ? ORDER BY t.seq DESC LIMIT 1",
                (segment, low, high),
            )
            if row:
                return blobs.turn(db, row)
        return None

    def rows(
        self, db: Transaction, branch: int, first: int, last: int, model: str = "", *, only: str = "true"
    ) -> Iterator[Row]:
        """Turns from seq `first` to `last`, each with its count for `model` where there is one."""
        for segment, low, high in self.segments(db, branch):
            if low <= last and high >= first:
                yield from db.execute(
                    f"SELECT {attachments.COLUMNS}, n.tokens, n.upper, n.source, n.base FROM {attachments.TURNS} "
                    "LEFT JOIN counts n ON n.turn_id = t.id AND n.model = ? "
                    f"WHERE t.branch_id = ? AND t.seq BETWEEN ? AND ? AND {only} ORDER BY t.seq",
                    (model, segment, max(low, first), min(high, last)),
                )

    def count(self, db: Transaction, branch: int, first: int, last: int) -> int:
        """How many turns from seq `first` to `last` are not withdrawn."""
        find = "SELECT count(*) FROM turns WHERE branch_id = ? AND seq BETWEEN ? AND ? AND state <> 'withdrawn'"
        return sum(
            int(db.one(find, (segment, max(low, first), min(high, last)))[0])
            for segment, low, high in self.segments(db, branch)
            if low <= last and high >= first
        )

    def instructions(self, db: Transaction, branch: int, last: int, model: str) -> Iterator[Row]:
        """The instructions among the turns up to seq `last`, with their counts."""
        return self.rows(db, branch, 1, last, model, only="t.role = 'system'")

    def calling(self, db: Transaction, branch: int, beginnings: Collection[str]) -> Iterator[Row]:
        """The replies with calls whose ids begin in one of these ways, and all that a repair sends in another form."""
        texts = dumps([f'"id":"{beginning}' for beginning in beginnings])
        for segment, low, high in self.segments(db, branch):
            called = f"SELECT 1 FROM {db.sql.names('?')} WHERE {db.sql.contains('content', 'value')}"
            yield from db.execute(
                "SELECT * FROM turns WHERE branch_id = ? AND seq BETWEEN ? AND ? AND role = 'assistant' "
                f"AND (mended OR EXISTS ({called}))",
                (segment, low, high, texts),
            )

    def changed(self, db: Transaction, branch: int, epoch: int) -> str:
        """Why an epoch cannot go on along a branch: a turn there was sent otherwise by then; "" where none was."""
        for segment, low, high in self.segments(db, branch):
            row = db.one(
                "SELECT changed_why FROM turns WHERE branch_id = ? AND seq BETWEEN ? AND ? AND changed_after >= ? "
                "ORDER BY changed_after DESC LIMIT 1",
                (segment, low, high, epoch),
            )
            if row:
                return str(row["changed_why"])
        return ""

    def exchange_end(self, db: Transaction, branch: int, first: int) -> int:
        """seq of the last turn of the exchange that begins at `first`; a withdrawn turn opens none."""
        for segment, low, high in self.segments(db, branch):
            row = db.one(
                "SELECT min(seq) AS next FROM turns WHERE branch_id = ? AND plain AND state != 'withdrawn' "
                "AND seq BETWEEN ? AND ?",
                (segment, max(low, first + 1), high),
            )
            if row["next"] is not None:
                return int(row["next"]) - 1
        newest = self.newest(db, branch)
        return newest.seq if newest else first

    def exchange_start(self, db: Transaction, branch: int, seq: int) -> int:
        """seq of the plain user turn of the exchange that holds the turn `seq`."""
        for segment, low, high in reversed(self.segments(db, branch)):
            row = db.one(
                "SELECT max(seq) AS first FROM turns WHERE branch_id = ? AND plain AND state != 'withdrawn' "
                "AND seq BETWEEN ? AND ?",
                (segment, low, min(seq, high)),
            )
            if row["first"] is not None:
                return int(row["first"])
        return seq

    def reach_back(self, db: Transaction, branch: int, last: int, characters: int) -> int:
        """seq of the exchange that begins at least `characters` of content before the turn `last`."""
        left = characters
        for segment, low, high in reversed(self.segments(db, branch)):
            for row in db.execute(
                "SELECT seq, plain, length(content) AS size FROM turns "
                "WHERE branch_id = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC",
                (segment, low, min(high, last)),
            ):
                left -= row["size"]
                if left <= 0 and row["plain"]:
                    return int(row["seq"])
        return 1


def end_epochs(db: Transaction, turns: Collection[int], why: str) -> None:
    """From now on these turns (ids) are sent otherwise: no epoch goes on that holds one, on whatever branch."""
    if not turns:
        return
    db.many(
        f"UPDATE turns SET changed_after = {db.sql.newest_id('epochs')}, changed_why = ? WHERE id = ?",
        [(why, turn) for turn in turns],
    )
    touch_holders(db, turns)


def touch_holders(db: Transaction, turns: Collection[int]) -> None:
    """Raise the version of every conversation with a branch that may hold one of these turns (ids)."""
    which = f"b.id IN (SELECT branch_id FROM turns WHERE id IN {db.sql.among_ids('?')})"
    db.execute(_TOUCH.format(which=which), (dumps(list(turns)),))


def touch_forks(db: Transaction, conversation: int) -> None:
    """Raise the version of a conversation, and of every one with a branch that shares turns of it."""
    db.execute(_TOUCH.format(which="b.conversation_id = ?"), (conversation,))


def hold_sharing(db: Transaction, conversation: int) -> None:
    """Nobody else writes to a conversation and to those that may share turns with it, from here on.

    Whoever goes on to touch others begins with this: held in the order of their ids, none waits in a circle.
    """
    if db.held:
        db.execute(f"{_SHARING} ORDER BY id{db.held}", (conversation,))


_SHARING = """WITH RECURSIVE line (id, parent) AS (
    SELECT b.id, b.parent_id FROM branches b WHERE b.conversation_id = ?
    UNION SELECT p.id, p.parent_id FROM branches p JOIN line l ON p.id = l.parent),
sharing (id, conversation) AS (
    SELECT b.id, b.conversation_id FROM branches b WHERE b.id IN (SELECT id FROM line)
    UNION SELECT f.id, f.conversation_id FROM branches f JOIN sharing s ON f.parent_id = s.id)
SELECT id FROM conversations WHERE id IN (SELECT conversation FROM sharing)"""

_TOUCH = """WITH RECURSIVE holding (id, conversation) AS (
    SELECT b.id, b.conversation_id FROM branches b WHERE {which}
    UNION SELECT f.id, f.conversation_id FROM branches f JOIN holding h ON f.parent_id = h.id)
UPDATE conversations SET version = version + 1 WHERE id IN (SELECT conversation FROM holding)"""


def present(db: Transaction, conversation: int) -> int:
    """The present branch of a conversation, that no other writer moves on. Raises NotFound for a deleted one."""
    row = db.one(f"SELECT branch_id FROM conversations WHERE id = ?{db.held}", (conversation,))
    if row is None:
        raise deleted(conversation)
    return int(row["branch_id"])


def there(db: Transaction, conversation: int) -> bool:
    """Whether nobody deleted the conversation meanwhile; no other writer moves it on."""
    return db.one(f"SELECT 1 FROM conversations WHERE id = ?{db.held}", (conversation,)) is not None


def deleted(conversation: int) -> NotFound:
    """The error for whoever goes on with a conversation that is no more."""
    return NotFound(
        "this conversation was deleted; open it again to begin a new one", kind="conversation", key=conversation
    )
