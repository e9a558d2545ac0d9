"""What was used, kept by namespace, user, day and model, and what each conversation cost: reports sum nothing anew.

Both come to the same as the view `spending`, which reads the requests and summaries themselves; a test compares them.
Where many write at once, each adds to a shard of a sum, so that they do not wait for one another's commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

from sash.model.blocks import dumps
from sash.model.turns import UsedElsewhere
from sash.model.usage import Usage
from sash.stores.transaction import Transaction

_TABLE = "usage_days (namespace, owner, day, model, shard, requests, fresh, read, written, output, cost, unpriced)"
_ADD = (
    " ON CONFLICT (namespace, owner, day, model, shard) DO UPDATE SET requests = u.requests + excluded.requests, "
    "fresh = u.fresh + excluded.fresh, read = u.read + excluded.read, written = u.written + excluded.written, "
    "output = u.output + excluded.output, cost = u.cost + excluded.cost, unpriced = u.unpriced + excluded.unpriced"
)
INTO = _TABLE.replace(" ", " AS u ", 1)


def spent(db: Transaction, conversation: int, *, at: float, model: str, usage: Usage, cost: float | None) -> None:
    """Book what a request of a conversation used. What it cost is added with its version (`heads.take`)."""
    db.later(
        f"INSERT INTO {INTO} SELECT c.namespace, c.owner, {db.sql.date('?2')}, ?3, {db.sql.shard}, "
        f"?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM conversations c WHERE c.id = ?1{_ADD}",
        (
            conversation, at, model, 1, usage.fresh, usage.read, usage.write, usage.output, cost or 0.0,
            int(cost is None),
        ),
    )  # fmt: skip


def record_used(db: Transaction, conversation: int, used: Sequence[tuple[UsedElsewhere, float]]) -> None:
    """Record and book what requests of another program used, with their times; of each key, once in a namespace."""
    known = (
        "SELECT 1 FROM imported_requests i JOIN conversations c ON c.id = i.conversation_id WHERE i.key = ?2 "
        "AND c.namespace = (SELECT namespace FROM conversations WHERE id = ?1)"
    )
    for one, at in used:
        if db.one(known, (conversation, one.key)) is None:
            usage = one.usage
            columns = {
                "conversation_id": conversation,
                "key": one.key,
                "model": one.model,
                **asdict(usage),
                "usage": one.wire,
                "cost": one.cost,
                "at": at,
            }
            db.insert("imported_requests", columns)
            spent(db, conversation, at=at, model=one.model, usage=usage, cost=one.cost)
            charge(db, conversation, one.cost)


def charge(db: Transaction, conversation: int, cost: float | None) -> None:
    """Add what something beside a conversation's requests cost: what is not known is counted."""
    db.later(
        "UPDATE conversations SET dollars = dollars + ?, unpriced = unpriced + ? WHERE id = ?",
        (cost or 0.0, int(cost is None), conversation),
    )


def book(db: Transaction, conversations: Collection[int], sign: int, owner: str | None = None) -> None:
    """Book all that conversations (ids) used (1) or take it back (-1); under their owner, or another one."""
    if not conversations:
        return
    whose, by_owner = ("c.owner", "c.owner, ") if owner is None else ("?3", "")
    sums = ", ".join(
        f"?2 * {one}"
        for one in (
            "sum(s.requests)", "sum(s.fresh)", "sum(s.read)", "sum(s.write_5m + s.write_1h)", "sum(s.output)",
            "coalesce(sum(s.cost), 0.0)", "coalesce(sum(s.requests) FILTER (WHERE s.cost IS NULL), 0)",
        )
    )  # fmt: skip
    day, given = db.sql.date("s.at"), (dumps(sorted(conversations)), sign)
    db.execute(
        f"INSERT INTO {INTO} SELECT c.namespace, {whose}, {day}, s.model, {db.sql.shard}, {sums} FROM conversations c "
        f"JOIN spending s ON s.conversation_id = c.id WHERE c.id IN {db.sql.among_ids('?1')} "
        f"GROUP BY c.namespace, {by_owner}{day}, s.model{_ADD}",
        given if owner is None else (*given, owner),
    )


def sum_up(db: Transaction, conversations: Collection[int]) -> None:
    """Say anew what conversations (ids) cost: summaries of others came to them."""
    what = "FROM spending s WHERE s.conversation_id = conversations.id"
    db.execute(
        f"UPDATE conversations SET dollars = (SELECT coalesce(sum(s.cost), 0.0) {what}), "
        f"unpriced = (SELECT count(*) {what} AND s.cost IS NULL) WHERE id IN {db.sql.among_ids('?')}",
        (dumps(sorted(conversations)),),
    )


def clear(db: Transaction, namespace: str, owner: str) -> None:
    """Leave no line of a user under whom nothing is booked any more."""
    empty = (
        "SELECT day, model FROM usage_days WHERE namespace = ?1 AND owner = ?2 GROUP BY 1, 2 HAVING sum(requests) <= 0"
    )
    db.execute(
        f"DELETE FROM usage_days WHERE namespace = ?1 AND owner = ?2 AND (day, model) IN ({empty})", (namespace, owner)
    )
