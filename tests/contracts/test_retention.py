"""What every store must do so that nothing is kept for longer than was said."""

from __future__ import annotations

from typing import Any

import pytest

from lines import another
from recording import Recorder
from sash.errors import InvalidOption, NotFound
from sash.stores.port import Pruned

DAY = 86_400.0


def said(store: Any, id: str, at: float, *, namespace: str = "", user: str = "") -> Recorder:
    """A conversation with one exchange of that day."""
    record = Recorder(store, id, namespace=namespace)
    record.say("hello")
    with store.database.writing() as db:
        db.execute("UPDATE conversations SET updated_at = ?, owner = ? WHERE id = ?", (at * DAY, user, record.key))
    return record


def ids(store: Any, namespace: str = "") -> set[str]:
    """The conversations that are there."""
    return {info.id for info in store.conversations(namespace=namespace)}


def test_what_is_older_goes_and_what_is_younger_stays(store: Any) -> None:
    """Counted from when somebody last went on with it; within one namespace alone."""
    for id, at in (("old", 5), ("young", 95)):
        said(store, id, at)
        said(store, id, at, namespace="acme")
    assert store.retention.overdue(days=90, now=100 * DAY) == ["old"]
    assert store.prune(days=90, now=100 * DAY) == Pruned(conversations=1, turns=2)
    assert ids(store) == {"young"} and ids(store, "acme") == {"old", "young"}
    assert store.prune(days=90, now=100 * DAY) == Pruned(conversations=0, turns=0)
    with pytest.raises(NotFound):
        store.branches.open(namespace="", id="old", create=False)


def test_a_rule_is_remembered_for_its_namespace(store: Any) -> None:
    """`prune` goes by it until it is taken back; days that are named go before it."""
    for id, at in (("old", 5), ("young", 65)):
        said(store, id, at, namespace="acme")
    store.retain("acme", days=90)
    store.retain("acme", days=60)
    assert store.retention.retained("acme") == 60 and store.retention.retained() is None
    assert store.prune("acme", now=100 * DAY).conversations == 1
    assert store.prune("acme", days=30, now=100 * DAY).conversations == 1
    store.retain("acme", days=None)
    with pytest.raises(InvalidOption, match="nothing says for how long"):
        store.prune("acme")


def test_a_users_conversations_may_be_kept_for_less(store: Any) -> None:
    """Only theirs go."""
    said(store, "anns", 5, user="ann")
    said(store, "bobs", 5, user="bob")
    assert store.prune(days=90, user="ann", now=100 * DAY).conversations == 1
    assert ids(store) == {"bobs"}


def test_it_is_audited_as_a_deletion_is(store: Any) -> None:
    """By name, with the reason: one that is given, or how long nobody used it. What it cost stays in the sums."""
    for id in ("one", "two"):
        said(store, id, 5)
    spent = store.usage(by=())
    store.prune(days=90, now=100 * DAY)
    said(store, "three", 5)
    store.prune(days=90, now=100 * DAY, reason="contract ended")
    with store.database.reading() as db:
        found = [tuple(row) for row in db.all("SELECT conversation, what, number, reason FROM forgotten ORDER BY id")]
    assert found[:2] == [(id, "conversation", 2, "unused for 90 days") for id in ("one", "two")]
    assert found[2] == ("three", "conversation", 2, "contract ended")
    assert store.usage(by=())[0].requests == spent[0].requests + 1


def test_a_fork_keeps_the_past_it_shows(store: Any) -> None:
    """As where its origin is deleted by hand."""
    record = said(store, "old", 5)
    fork = store.branches.new(record.key, seq=2, reason="fork", as_id="young")
    assert store.prune(days=90, now=100 * DAY).conversations == 1
    assert len(store.turns.read(fork.conversation)) == 2


def test_one_that_is_being_written_to_stays(store: Any) -> None:
    """However old it is: whoever stands in its line goes on with it."""
    record = said(store, "old", 5)
    with another(store, record.key):
        assert store.prune(days=90, now=100 * DAY).conversations == 0
    assert store.prune(days=90, now=100 * DAY).conversations == 1


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), "90"])
def test_days_that_cannot_be_meant_are_refused(store: Any, days: Any) -> None:
    """Before anything is deleted or remembered."""
    said(store, "old", 5)
    with pytest.raises(InvalidOption, match="days="):
        store.prune(days=days)
    with pytest.raises(InvalidOption, match="days="):
        store.retain(days=days)
    assert ids(store) == {"old"} and store.retention.retained() is None


@pytest.mark.parametrize("namespace", [None, 3])
def test_what_is_no_namespace_is_refused(store: Any, namespace: Any) -> None:
    """An argument of the wrong kind is an error of ours with its name and value; nothing is deleted or remembered."""
    said(store, "old", 5)
    for call in (store.retain, store.prune):
        with pytest.raises(InvalidOption, match=f"namespace={namespace}"):
            call(namespace, days=30)
    with pytest.raises(InvalidOption, match="reason=3"):
        store.prune(days=30, reason=3)
    assert ids(store) == {"old"}
