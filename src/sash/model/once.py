"""What is dear to load is loaded once, however many threads ask for it at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, update_wrapper
from threading import RLock
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class once(Generic[P, R]):  # noqa: N801 - a decorator, as functools.cache
    """`functools.cache`, but threads that ask before the first has its answer wait for it.

    `cache` alone lets each of them load for itself: forty threads of a server just started would read the same
    vocabulary forty times, and hold it forty times meanwhile.
    """

    __wrapped__: Callable[P, R]

    def __init__(self, load: Callable[P, R]) -> None:
        loaded = cache(load)
        self._loaded: Callable[P, R] = loaded
        self.cache_clear, self._alone = loaded.cache_clear, RLock()
        update_wrapper(self, load)

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        """What was loaded for these arguments."""
        with self._alone:
            return self._loaded(*args, **named)
