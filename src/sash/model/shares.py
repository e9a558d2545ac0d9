"""How much of a list fits into a share, where it costs something to measure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def first_within(items: Sequence[Item], most: int, size: Callable[[Sequence[Item]], int]) -> Sequence[Item]:
    """The longest beginning of `items` whose size is at most `most`; a longer one is never smaller.

    However many items there are, nothing is measured that holds many more of them than fit.
    """

    def measured(number: int) -> int:
        return size(items[:number])

    upper = 1
    while upper < len(items) and measured(upper) <= most:
        upper *= 2
    return items[: bisect_right(range(1, min(upper, len(items)) + 1), most, key=measured)]
