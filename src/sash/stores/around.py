"""A store with something done around each call of it: a span, a look whether the caller has gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

S = TypeVar("S")


class _Around:
    """Hands every call on, within a context of its own."""

    def __init__(self, store: Any, within: Callable[[str, tuple[Any, ...]], AbstractContextManager[object]]) -> None:
        self._store, self._within = store, within

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            with self._within(name, given):
                return found(*given, **named)

        return call


def around(store: S, within: Callable[[str, tuple[Any, ...]], AbstractContextManager[object]]) -> S:
    """The same store, each of whose calls is made in the context `within(name, positional arguments)`."""
    return cast(S, _Around(store, within))
