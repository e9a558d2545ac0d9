"""Who waits for a call: a thread or a task, and whoever waits for that because it runs a function of theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_waiting: ContextVar[tuple[str, ...]] = ContextVar("waiting", default=())


def this_thread() -> str:
    """The caller of a blocking call."""
    return f"thread {threading.get_ident()}"


def this_task() -> str:
    """The caller of a call that is awaited."""
    return f"task {id(_load_asyncio().current_task())}"


def waiting() -> tuple[str, ...]:
    """The callers whose functions run here, and who wait for them."""
    return _waiting.get()


@contextmanager
def waits(caller: str) -> Iterator[None]:
    """While this lasts, a caller waits for what is done here, in threads and tasks of it included."""
    token = _waiting.set((*_waiting.get(), caller))
    try:
        yield
    finally:
        _waiting.reset(token)


def _load_asyncio() -> Any:
    import asyncio  # noqa: PLC0415 - who blocks does without

    return asyncio
