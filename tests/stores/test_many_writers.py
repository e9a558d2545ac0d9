"""Writers on several connections to one server: none overlooks another, waits in a circle, or waits for a sum."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest

from recording import MODEL, USAGE, Recorder, text
from sash.model.counts import Count
from sash.stores import requests
from sash.stores.lineage import touch_holders
from sash.stores.postgres.dialect import PostgresDialect
from sash.stores.postgres.store import PostgresStore
from sash.stores.turns import write
from sash.stores.usage import INTO, clear, spent

COUNT = Count(7, 7, "usage")


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    """An empty record."""
    with closing(PostgresStore(postgres_url)) as opened:
        yield opened


def owned(store: PostgresStore, id: str) -> Any:
    """A conversation of Ann's."""
    return store.branches.open(namespace="", id=id, user="ann")


def test_a_turn_that_is_committed_late_is_read_for_the_profile(store: PostgresStore) -> None:
    """It has a lower number than one that was read meanwhile, and is still not taken for read."""
    slow, quick = owned(store, "slow"), owned(store, "quick")
    with store.database.writing() as db:
        write(db, slow.conversation, slow.branch, 0, [text("I live in Haarlem.")], "answered", 1.0)
        store.turns.append(quick.conversation, head=0, turns=[text("I'm allergic to walnuts.")], at=2.0)
        known = [entry.text for entry in store.profile("ann").entries()]
    assert known == ["I'm allergic to walnuts."]
    assert {entry.text for entry in store.profile("ann").entries()} == {
        "I'm allergic to walnuts.",
        "I live in Haarlem.",
    }


def test_forks_that_learn_of_shared_turns_do_not_wait_in_a_circle(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each touches the other: two that send at once both come through, also where both have come half-way."""
    half_way = threading.Barrier(2)

    def meet(*given: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            half_way.wait(timeout=2)  # not reached by both, where one waits for the other before
        touch_holders(*given)

    with ExitStack() as stack:
        stores = [stack.enter_context(closing(PostgresStore(postgres_url))) for _ in range(2)]
        parent = Recorder(stores[0], "parent")
        parent.say("one", "two")
        for name in ("left", "right"):
            stores[0].branches.new(parent.key, seq=2, reason="fork", as_id=name)
        forks = [Recorder(store, name) for store, name in zip(stores, ("left", "right"), strict=True)]
        monkeypatch.setattr(requests, "touch_holders", meet)
        with ThreadPoolExecutor(2) as both:
            begun = list(both.map(lambda fork: fork.begin(text("and now?"), counts={1: COUNT}), forks))
        monkeypatch.undo()
    assert [one.number for one in begun] == [1, 1]


def test_a_sum_that_many_add_to_is_waited_for_by_none(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of different shards add at once; what others have not committed yet is in the sum later."""
    keys = [owned(store, f"c{number}").conversation for number in range(4)]
    with ExitStack() as stack:
        for shard, key in enumerate(keys):
            monkeypatch.setattr(PostgresDialect, "shard", str(shard))  # as processes of the server with other numbers
            db = stack.enter_context(store.database.writing())
            db.execute("SET LOCAL lock_timeout TO 2000")
            spent(db, key, at=0.0, model=MODEL, usage=USAGE, cost=0.5)
    (day,) = store.usage(by=("day",), user="ann")
    assert (day.requests, day.dollars, day.output) == (4, 2.0, 4 * USAGE.output)


def test_a_sum_of_which_nothing_is_left_goes(store: PostgresStore) -> None:
    """Also where it was added in one shard and taken out of another; others stay."""
    key, other = (owned(store, name).conversation for name in ("a", "b"))
    for conversation, times in ((key, (1, -1)), (other, (1,))):
        for shard, sign in enumerate(times):
            with store.database.writing() as db:
                db.execute(
                    f"INSERT INTO {INTO} SELECT '', ?, '1970-01-01', ?, ?, ?, 0, 0, 0, 0, 0.0, 0",
                    (f"user {conversation}", MODEL, shard, sign),
                )
    with store.database.writing() as db:
        for conversation in (key, other):
            clear(db, "", f"user {conversation}")
        assert [row["owner"] for row in db.all("SELECT owner FROM usage_days")] == [f"user {other}"]


def test_what_many_learn_at_once_is_waited_for_by_none(store: PostgresStore) -> None:
    """Of two lessons given at the same moment one is kept, as it always was; the other's transaction goes on."""
    first, second = Recorder(store, "a"), Recorder(store, "b")
    begun = first.begin(text("one")), second.begin(text("two"))
    with store.database.writing() as db:
        db.execute("INSERT INTO calibration VALUES (?, 'base', '{}', 1, 0.0)", (MODEL,))
        taken = db.one(f"SELECT {db.sql.unless_busy('?')}", (f"calibration {MODEL} base",))
        assert taken[0]
        second.finish(begun[1], calibration={"lessons": 2}, base="base")
    first.finish(begun[0], calibration={"lessons": 3}, base="base")
    with store.database.reading() as db:
        assert [row["lessons"] for row in db.all("SELECT lessons FROM calibration")] == [3]
