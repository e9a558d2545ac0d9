"""What is remembered between requests must be what stands in the record: held at every read of every walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from sash.model.window import Loaded
from sash.stores.cache import Cache
from sash.stores.windows import Windows


@pytest.fixture(scope="package", autouse=True)
def _remembered_is_what_is_read() -> Iterator[None]:
    """Whatever a window is made of, remembered or read, it is the one that a store reads that remembers nothing.

    For these tests alone, which wait for their background: elsewhere a summary may come between the two reads.
    """
    read = Windows.read

    def both(self: Windows, conversation: int, **asked: Any) -> Loaded:
        found = read(self, conversation, **asked)
        anew = read(Windows(self._database, Cache()), conversation, **asked)
        ours, theirs = _held(found), _held(anew)
        for one in fields(Loaded):
            assert getattr(ours, one.name) == getattr(theirs, one.name), one.name
        assert [turn.blocks for turn in found.turns] == [turn.blocks for turn in anew.turns]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Windows, "read", both)
        yield


def _held(loaded: Loaded) -> Loaded:
    """A window without the sizes of turns that it does not hold."""
    turns = {turn.seq for turn in (*loaded.turns, *loaded.pinned_turns, *loaded.instructions)}
    return replace(loaded, counts={turn: count for turn, count in loaded.counts.items() if turn in turns})
