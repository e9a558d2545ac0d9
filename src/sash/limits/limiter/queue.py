"""Who goes next: a line in order of arrival, with a head start for those who wait at a screen.

A background request stands where an interactive one that came `HEAD_START` seconds later would: it is overtaken for
that long, never for ever. Pure but for holding the line; the one that is first, and nobody else, asks for room.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

from sash.model.forecast import Priority

HEAD_START: dict[Priority, float] = {"interactive": 0.0, "background": 30.0}
"""Seconds for which others may overtake."""

T = TypeVar("T")


class WaitQueue(Generic[T]):
    """Those who wait for one pool."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._gone: set[int] = set()

    def __len__(self) -> int:
        return len(self._heap) - len(self._gone)

    def join(self, who: T, priority: Priority, now: float) -> tuple[float, int]:
        """Stand in line; the place that `leave` wants."""
        self._count += 1
        place = now + HEAD_START[priority], self._count
        heapq.heappush(self._heap, (*place, who))
        return place

    def leave(self, place: tuple[float, int]) -> None:
        """Step out, served or not."""
        if self._heap and self._heap[0][1] == place[1]:
            heapq.heappop(self._heap)
        else:
            self._gone.add(place[1])
        while self._heap and self._heap[0][1] in self._gone:
            self._gone.discard(heapq.heappop(self._heap)[1])

    def first(self) -> T | None:
        """Whose turn it is."""
        return self._heap[0][2] if self._heap else None

    def ahead(self, place: tuple[float, int]) -> Iterator[T]:
        """Those in front of a place."""
        return (who for order, number, who in self._heap if (order, number) < place and number not in self._gone)
