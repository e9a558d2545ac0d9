"""What a store remembers of its file: branches as ranges of turns, their words, and windows as they were last read.

Settled turns and the segments of a branch never change. A window holds as long as its conversation has the version it
was read at: whoever writes to a conversation raises that (`sash.stores.heads.take`), and what is written here moves the
window along. Whoever deletes, redacts or repairs has all forgotten, and so does a transaction that fails.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import attrgetter

from sash.model.counts import Count
from sash.model.requests import NewRequest
from sash.model.turns import Turn
from sash.model.window import Head, Loaded
from sash.stores.lineage import BranchRanges
from sash.stores.shared import Shared, SharedFor
from sash.stores.under_way import UnderWay
from sash.stores.vocabulary import Vocabularies

UNSETTLED = 8
"""Newest turns that are read again after a write that is not followed: their state or their count may have changed."""


@dataclass(kw_only=True)
class KeptWindow:
    """The window of one conversation as it was last read."""

    version: int
    branch: int
    model: str
    first: int
    turns: list[Turn] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    counts: dict[int, Count] = field(default_factory=dict)
    """by seq"""
    asked: SharedFor | None = None
    whole: tuple[int, int | None, Loaded] | None = None
    """all of it, with the version it was read at and how far it was to reach; None: to be read again"""
    changes: tuple[int, int] = (0, 0)
    """`Shared.changes` when it was read or last found whole"""
    plain_at: float | None = None
    """when the conversation last sent a request that opened an exchange"""
    reach: int | None = 0
    """how far the window reached that `under_way` followed upon"""
    under_way: UnderWay | None = None
    """a request of ours that followed upon this window, and has no reply yet"""

    def cut_to(self, first: int, last: int) -> None:
        """Leave only the seqs from `first` to `last`."""
        self.first = first
        begin = bisect_left(self.turns, first, key=attrgetter("seq"))
        end = bisect_right(self.turns, last, lo=begin, key=attrgetter("seq"))
        self.turns = self.turns[begin:end]
        self.withdrawn = [seq for seq in self.withdrawn if first <= seq <= last]

    def whole_at(self, version: int, model: str, reach: int | None) -> Loaded | None:
        """The window as it is at a version, if that is the one remembered."""
        whole = self.whole
        fits = whole is not None and self.model == model and whole[:2] == (version, reach)
        return whole[2] if fits and whole is not None else None

    def may_be_damaged(self, changes: tuple[int, int]) -> bool:
        """Whether others wrote to the file since: perhaps without sash, which raises no version."""
        return self.changes[0] == changes[0] and self.changes != changes

    def planned(self, new: NewRequest) -> Loaded | None:
        """The window, just when its version was raised for a request that was planned from it; None: perhaps not."""
        if self.whole is None:
            return None
        version, _, loaded = self.whole
        head = loaded.head
        fits = (version, head.branch, head.seq, self.model) == (self.version - 1, new.branch, new.head, new.sent.model)
        return loaded if fits and new.forgotten in (None, head.forgotten) else None

    def sent(self, new: NewRequest, way: UnderWay | None) -> None:
        """A request of ours was recorded, `way`: which can be followed."""
        self.reach = self.whole[1] if self.whole is not None else 0
        self.whole, self.under_way = None, way
        self.plain_at = new.at if new.plain else self.plain_at

    def on_its_way(self, request: int) -> UnderWay | None:
        """The request, just when the version was raised for its reply, if nothing else was written since it left."""
        way = self.under_way
        return way if way is not None and way.begun.request == request else None

    def answered(self, loaded: Loaded | None) -> None:
        """A reply of ours was recorded: the window is this now; None: to be read again."""
        way, self.under_way, self.whole = self.under_way, None, None
        if loaded is not None and way is not None:
            self.turns += loaded.turns[len(way.before.turns) :]
            self.whole = (self.version, 0 if way.begins else self.reach, loaded)

    def id_of(self, seq: int) -> int | None:
        """The id of a turn in the window."""
        at = seq - self.turns[-1].seq - 1 if self.turns else 0
        near = self.turns[at] if -len(self.turns) <= at < 0 else None
        return near.id if near is not None and near.seq == seq else None


@dataclass(frozen=True, slots=True)
class Opened:
    """Where a conversation stood when it was opened: so it does at its first request, unless something changed."""

    version: int
    changes: tuple[int, int]
    """see `Shared.changes`"""
    head: Head


class Cache:
    """What all parts of one store remember together."""

    def __init__(self) -> None:
        self.lines = BranchRanges()
        self.vocabularies = Vocabularies()
        self.opened: dict[int, Opened] = {}
        """by conversation, until its window is read"""
        self.windows: dict[int, KeptWindow] = {}
        """by conversation"""
        self.ahead: dict[int, Shared] = {}
        """by conversation: read when its turn to write came, for the window that is asked for next"""
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Read everything anew next time."""
        self.lines.forget()
        self.vocabularies.forget()
        self.opened.clear()
        self.windows.clear()
        self.ahead.clear()

    def keep(self, conversation: int, kept: KeptWindow) -> None:
        """Remember a window, unless a newer one is remembered by now."""
        with self._lock:
            known = self.windows.get(conversation)
            if known is None or known.version <= kept.version:
                self.windows[conversation] = kept

    def written(self, conversation: int, version: int) -> KeptWindow | None:
        """A write of ours gave a conversation this version: its window moves along if nobody else wrote since."""
        kept = self.windows.get(conversation)
        if kept is None or kept.version != version - 1:
            self.windows.pop(conversation, None)
            return None
        kept.version = version
        return kept

    def changed(self, conversation: int, turns: Collection[int]) -> None:
        """The states of these turns (ids) changed: drop the window if it would not read them again.

        Ids grow along a line of turns.
        """
        kept = self.windows.get(conversation)
        if kept is not None and turns and len(kept.turns) > UNSETTLED and min(turns) <= kept.turns[-UNSETTLED - 1].id:
            del self.windows[conversation]
