"""What a store remembers of its file: branches as ranges of turns, their words, and windows as they were last read.

Settled turns and the segments of a branch never change, so this cannot go stale: whoever deletes, redacts or repairs
has it forgotten, and so does a transaction that fails.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import attrgetter

from sash.model.counts import Count
from sash.model.turns import Turn
from sash.stores.lineage import BranchRanges
from sash.stores.vocabulary import Vocabularies

UNSETTLED = 8
"""Newest turns that are always read again: their state or their count may still change."""


@dataclass(kw_only=True)
class KeptWindow:
    """The window of one conversation as it was last read."""

    changes: int
    branch: int
    model: str
    first: int
    turns: list[Turn] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    counts: dict[int, Count] = field(default_factory=dict)
    """by seq"""

    def cut_to(self, first: int, last: int) -> None:
        """Leave only the seqs from `first` to `last`."""
        self.first = first
        begin = bisect_left(self.turns, first, key=attrgetter("seq"))
        end = bisect_right(self.turns, last, lo=begin, key=attrgetter("seq"))
        self.turns = self.turns[begin:end]
        self.withdrawn = [seq for seq in self.withdrawn if first <= seq <= last]


class Cache:
    """What all parts of one store remember together. Used within transactions alone."""

    def __init__(self) -> None:
        self.lines = BranchRanges()
        self.vocabularies = Vocabularies()
        self.windows: dict[int, KeptWindow] = {}
        """by conversation"""

    def forget(self) -> None:
        """Read everything anew next time."""
        self.lines.forget()
        self.vocabularies.forget()
        self.windows.clear()

    def changed(self, turns: Collection[int]) -> None:
        """The states of these turns (ids) changed: drop the windows that would not read them again."""
        for conversation, kept in list(self.windows.items()):
            settled = kept.turns[-1].seq - UNSETTLED if kept.turns else 0
            if any(turn.seq <= settled and turn.id in turns for turn in kept.turns):
                del self.windows[conversation]
