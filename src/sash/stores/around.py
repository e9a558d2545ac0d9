"""A store with something done around each call of it: a span, a look whether the caller has gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from sash.stores.port import PARTS

S = TypeVar("S")

Within = Callable[[str, tuple[Any, ...]], AbstractContextManager[object]]
"""The context of a call, by its name ("turns.read") and its positional arguments."""


class _Around:
    """Hands every call on, within a context of its own. `name`: of the part whose calls these are, with a dot."""

    def __init__(self, inner: Any, within: Within, name: str = "") -> None:
        self._inner, self._within, self._name = inner, within, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in PARTS and not self._name:
            return _Around(found, self._within, f"{name}.")
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            with self._within(self._name + name, given):
                return found(*given, **named)

        return call


def around(store: S, within: Within) -> S:
    """The same store, each of whose calls, and of its parts', is made in the context `within(name, arguments)`."""
    return cast(S, _Around(store, within))
