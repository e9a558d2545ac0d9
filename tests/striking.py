"""Something done around every step that a flow yields and every call of a SQLite store: strikes, deaths, counts."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from sash import MemoryStore
from sash.conversation.drivers import Performer
from sash.stores.port import PARTS, Store


def _calls() -> dict[str, tuple[str, ...]]:
    """The methods of each part of a store."""
    kinds = {part: typing.get_type_hints(getattr(Store, part).fget)["return"] for part in PARTS}
    return {part: tuple(name for name in vars(kind) if not name.startswith("_")) for part, kind in kinds.items()}


CALLS = _calls()
STORE = MemoryStore()
"""Whose parts are of the classes to patch."""


@contextmanager
def around_all(within: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """While this lasts, each step is performed and each call is made in a context of its own."""
    with pytest.MonkeyPatch.context() as patch:
        _around_steps(patch, within)
        for part, names in CALLS.items():
            kind = type(getattr(STORE, part))
            for name in names:
                patch.setattr(kind, name, _around(getattr(kind, name), within))
        yield


def _around(call: Callable[..., Any], within: Callable[[], AbstractContextManager[Any]]) -> Callable[..., Any]:
    @functools.wraps(call)
    def wrapped(*given: Any, **named: Any) -> Any:
        with within():
            return call(*given, **named)

    return wrapped


def _around_steps(patch: pytest.MonkeyPatch, within: Callable[[], AbstractContextManager[Any]]) -> None:
    call, perform = Performer.__call__, Performer.perform_async

    def wrapped(self: Performer, step: Any) -> Any:
        with within():
            return call(self, step)

    async def wrapped_async(self: Performer, step: Any) -> Any:
        with within():
            return await perform(self, step)

    patch.setattr(Performer, "__call__", wrapped)
    patch.setattr(Performer, "perform_async", wrapped_async)
