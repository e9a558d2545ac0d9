"""One call at a time for each conversation: what is new of a list is found and sent before the next list is read."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Lines:
    """A lock for each conversation that somebody waits for."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, namespace: str, conversation: str) -> asyncio.Lock:
        """The lock of a conversation."""
        return self._locks.setdefault((namespace, conversation), asyncio.Lock())
