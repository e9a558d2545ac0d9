"""A store has parts: each does what flows ask of it, and whatever is put around a store is put around its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sash import MemoryStore
from sash.stores.around import around
from sash.stores.port import PARTS
from striking import CALLS


class Struck(Exception):
    """The call was not made."""


@pytest.mark.parametrize("part", sorted(PARTS))
def test_what_is_put_around_a_store_is_put_around_each_call_of_its_parts(part: str) -> None:
    """No call of a part escapes a span, a cancellation or a strike; each is named by its part."""
    called = []

    @contextmanager
    def within(name: str, _: Any) -> Iterator[None]:
        called.append(name)
        raise Struck
        yield

    store = around(MemoryStore(), within)
    assert CALLS[part], "a part has methods"
    for name in CALLS[part]:
        with pytest.raises(Struck):
            getattr(getattr(store, part), name)()
    assert called == [f"{part}.{name}" for name in CALLS[part]]
    store.database.close()


def test_what_is_around_a_store_sees_what_people_ask_too() -> None:
    """Calls of the store itself go by their own names, with positional arguments; what is no call is handed on."""
    called = []

    @contextmanager
    def within(name: str, given: Any) -> Iterator[None]:
        called.append((name, given))
        yield

    store = around(MemoryStore(), within)
    assert list(store.search("lamp", limit=3)) == [] and store.path == ":memory:"
    assert called == [("search", ("lamp",))]
    store.close()


def test_what_was_remembered_in_a_transaction_that_failed_is_forgotten() -> None:
    """Ids that were rolled back are given again: nothing that was read of them may be used for their next bearers."""
    store = MemoryStore()
    cache, key = store.branches._cache, store.branches.open(namespace="", id="a").conversation
    store.windows.read(key, model="claude-sonnet-5-5", preamble=None)
    assert cache.windows
    with pytest.raises(Struck), store.database.writing() as db:
        branch = db.insert("branches", {"conversation_id": key, "parent_id": 1, "reason": "fork", "created_at": 0.0})
        assert cache.lines.segments(db, branch)
        raise Struck
    assert not cache.windows and branch not in cache.lines._segments
    store.close()
