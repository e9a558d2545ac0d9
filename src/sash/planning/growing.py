"""What is made of a sequence that mostly grows at its end: what was made of its beginning is kept, and added to.

The sequences of a conversation are like that: its turns, the exchanges they form, the messages of its view. Whatever
comes instead (a cut, another branch, a turn redacted), what is made of it is the same as if it were made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import eq
from typing import Any, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")

MOVING = 2
"""The newest items may be others the next time: a question that was withdrawn, a reply that settled another."""


class Grown(Generic[T, S]):
    """`add(nothing, items)`, in time that grows with the items that were not there the last time.

    `add(add(nothing, some), more)` has to be `add(nothing, (*some, *more))`, and neither may change what it is given.
    `same` tells whether items are those of the last time: where 1 and True make a difference, equal is not enough.
    `moving`: how many of the newest are mostly others the next time.
    """

    def __init__(
        self,
        nothing: S,
        add: Callable[[S, tuple[T, ...]], S],
        same: Callable[[Any, Any], bool] = eq,
        moving: int = MOVING,
    ) -> None:
        self._nothing, self._add, self._same, self._moving = nothing, add, same, moving
        self._seen: tuple[T, ...] = ()
        self._made = nothing
        self._asked: tuple[T, ...] | None = None
        self._answer = nothing

    def of(self, items: tuple[T, ...]) -> S:
        """What is made of these items."""
        if items is not self._asked:
            self._asked, self._answer = items, self._of(items)
        return self._answer

    def _of(self, items: tuple[T, ...]) -> S:
        if not self._same(items[: len(self._seen)], self._seen):
            self._seen, self._made = (), self._nothing
        settled = len(items) - self._moving
        if settled > len(self._seen):
            self._made = self._add(self._made, items[len(self._seen) : settled])
            self._seen = items[:settled]
        return self._add(self._made, items[len(self._seen) :])
