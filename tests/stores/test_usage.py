"""What is kept of usage and cost comes to what the requests and summaries themselves say, whatever was done."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest

from recording import MODEL, USAGE, Recorder, text
from sash.model.requests import Paid
from sash.model.summaries import NewSummary
from sash.model.turns import Draft, UsedElsewhere
from sash.model.usage import Usage
from sash.stores import SqliteStore

GROUPS = ("day", "model", "user")
DAY = 86_400.0


def held(store: SqliteStore) -> None:
    """Every report is what summing anew comes to; nobody is in it who is gone."""
    asked = [
        (by, namespace)
        for namespace in ("", "other")
        for by in chain.from_iterable(combinations(GROUPS, size) for size in range(4))
    ]
    kept = {one: {row.group: _sums(row) for row in store.usage(by=one[0], namespace=one[1])} for one in asked}
    with store.database.reading() as db:
        for one in asked:
            assert kept[one] == anew(db, *one), one
        for row in db.all("SELECT id, namespace, name, dollars, unpriced FROM conversations"):
            told = "SELECT coalesce(sum(cost), 0.0), count(*) FILTER (WHERE cost IS NULL) FROM spending"
            dollars, unpriced = db.one(f"{told} WHERE conversation_id = ?", (row["id"],))
            assert (row["dollars"], row["unpriced"]) == (pytest.approx(dollars), unpriced)
        owners = {row[0] for row in db.all("SELECT owner FROM conversations")} | {""}
        assert {row[0] for row in db.all("SELECT owner FROM usage_days")} <= owners


def _sums(row: Any) -> tuple[Any, ...]:
    return row.requests, row.fresh, row.read, row.written, row.output, pytest.approx(row.dollars)


def anew(db: Any, by: tuple[str, ...], namespace: str) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """The sums by group, from the requests themselves."""
    columns = {"day": "date(s.at, 'unixepoch')", "model": "s.model", "user": "coalesce(c.owner, '')"}
    groups = ", ".join(columns[name] for name in by)
    found = db.all(
        "SELECT sum(s.requests), sum(s.fresh), sum(s.read), sum(s.write_5m + s.write_1h), sum(s.output), "
        f"coalesce(sum(s.cost), 0.0){', ' if by else ''}{groups} FROM spending s LEFT JOIN conversations c "
        "ON c.id = s.conversation_id WHERE coalesce(c.namespace, s.namespace) = ?"
        + (f" GROUP BY {groups}" if by else ""),
        (namespace,),
    )
    return {tuple(row)[6:] or ("all",): tuple(row)[:6] for row in found if row[0]}


def used(store: SqliteStore, id: str, user: str = "", namespace: str = "", days: int = 2) -> Recorder:
    """A conversation that sent something on several days, for two models."""
    store.branches.open(namespace=namespace, id=id, user=user)
    recorder = Recorder(store, id=id, namespace=namespace)
    for day in range(days):
        recorder.now = 1_000.0 + day * DAY
        recorder.say("One.")
        recorder.finish(recorder.begin(text("Two.")), usage=Usage(fresh=5, output=day))
    return recorder


def test_usage_is_what_was_used(store: SqliteStore) -> None:
    """By any of day, model and user, in each namespace; what failed and was paid for counts, and what has no price."""
    used(store, "a", "ann")
    other = used(store, "b", "bob", days=3)
    used(store, "c", "ann", namespace="other")
    held(store)
    begun = other.begin(text("Three."))
    store.requests.fail(
        begun.request, error="x", request_id=None, at=5_000.0, paid=Paid(usage=USAGE, usage_json={}, cost=None)
    )
    other.finish(other.begin(text("Three.")), cost=None)
    other.finish(other.begin(text("Three.")), usage=None)
    held(store)


def test_what_other_programs_used_counts_once_and_is_told_apart(store: SqliteStore) -> None:
    """Imported requests are in every report, each key once, by project and origin; their cost outlasts a deletion."""
    own = used(store, "a", "ann")
    store.describe("a", metadata={"project": "mill"})
    usage = Usage(fresh=3, read=90, write_1h=7, output=2)
    told = [
        Draft(
            role="assistant", content=text("x").content, at=2 * DAY, source=(f"s{n}",),
            used=UsedElsewhere(key=key, model="m", usage=usage, wire="{}", cost=cost),
        )
        for n, (key, cost) in enumerate([("r1", 0.5), ("r2", None), ("r1", 0.5)])
    ]  # fmt: skip
    store.turns.append(own.key, head=own.head.seq, turns=told, at=9.0)
    held(store)
    rows = {row.group: row for row in store.usage(by=("project", "origin", "model"))}
    assert set(rows) == {("mill", "sent", MODEL), ("mill", "imported", "m")}
    imported = rows["mill", "imported", "m"]
    assert (imported.requests, imported.written, imported.dollars, imported.unpriced) == (2, 14, 0.5, 1)
    store.delete("a")
    held(store)
    assert {row.group for row in store.usage(by=("origin",))} == {("(deleted)",)}


def test_usage_follows_a_conversation_to_its_user(store: SqliteStore) -> None:
    """What a conversation used while it was nobody's is its user's, once it has one."""
    used(store, "a")
    used(store, "b")
    held(store)
    store.branches.open(namespace="", id="a", user="ann")
    assert [row.requests for row in store.usage(by=(), user="ann")] == [4]
    held(store)


def test_usage_outlasts_what_is_deleted(store: SqliteStore) -> None:
    """A deleted conversation's and a forgotten user's cost stays, without a name; a redaction changes nothing."""
    used(store, "a", "ann")
    kept = used(store, "b", "bob")
    used(store, "c", "ann")
    spent = [one for row in store.usage(by=()) for one in (row.requests, row.dollars)]
    store.delete("a")
    held(store)
    store.forget_user("ann")
    held(store)
    store.forgetting.redact(kept.key, turn=kept.turns()[0].id, reason="", at=9.0)
    held(store)
    left = [one for row in store.usage(by=()) for one in (row.requests, row.dollars)]
    assert left == pytest.approx(spent)


def test_a_summary_that_a_fork_inherits_is_its_cost(store: SqliteStore) -> None:
    """Where a deleted conversation's summaries go over to a fork, so does what they cost."""
    first = used(store, "a", "ann")
    task = store.summaries.begin(first.key, upto=4, at=2_000.0, until=2_060.0)
    assert task is not None
    store.summaries.keep(
        NewSummary(
            conversation=first.key, task=task, state="ready", text="s", content='[{"type":"text","text":"s"}]',
            verbatim=(), model="claude-haiku-5-5", prompt="1", method="model", tokens=1, requests=1,
            usage=Usage(fresh=9, output=1), cost=0.25, report={}, at=2_001.0,
        )
    )  # fmt: skip
    held(store)
    store.branches.new(first.key, seq=8, reason="fork", as_id="b")
    store.delete("a")
    held(store)
    (info,) = store.conversations()
    assert (info.id, info.dollars) == ("b", 0.25)


def test_pages_come_from_an_index(store: SqliteStore) -> None:
    """Neither a page of conversations, of all or of one user, nor usage by user and day sorts or reads a whole file."""
    seen: list[str] = []
    used(store, "a", "ann")
    (info,) = store.conversations()
    store.database._sqlite.set_trace_callback(seen.append)
    store.conversations()
    store.conversations(user="ann", before=info)
    store.usage(by=("day",), user="ann")
    store.usage(by=(), conversation="a")
    store.database._sqlite.set_trace_callback(None)
    asked = [one for one in seen if one.startswith("SELECT")]
    assert len(asked) == 4
    for one in asked:
        plan = [row[3] for row in store.database._sqlite.execute(f"EXPLAIN QUERY PLAN {one}")]
        assert not [step for step in plan if step.startswith("SCAN c") or step == "USE TEMP B-TREE FOR ORDER BY"], plan
