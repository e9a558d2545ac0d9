"""Work beside a conversation whose caller awaits: as in `background.py`, in a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from sash.conversation.background import PATIENCE, tell
from sash.errors import SashError


class AsyncBackground:
    """Does one piece of work at a time in a task beside a conversation."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[Any] | None = None
        self._ended = 0
        self._left_behind = False

    def start(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Begin, unless something is running."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(work), name=self._name)

    async def _run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> BaseException | None:
        try:
            await work()
        except SashError as error:  # the record says what failed
            if not self._left_behind:
                tell(error)
        except Exception as error:  # noqa: BLE001 - a bug: whoever settles must see it
            tell(error)
            return error
        finally:
            self._ended += 1
        return None

    def since(self) -> Callable[[], Coroutine[Any, Any, bool]]:
        """What waits for it, and tells whether any ended since now."""
        return partial(self._settled_since, self._ended)

    async def _settled_since(self, ended: int) -> bool:
        await self.wait()
        return self._ended != ended

    async def wait(self) -> None:
        """Wait for it."""
        task = self._task
        if task is None or task is asyncio.current_task():
            return
        await asyncio.wait([task])
        error = None if task.cancelled() else task.result()
        self._task = None if self._task is task else self._task
        if error is not None:
            raise error

    async def stop(self) -> None:
        """Wait a moment, then cancel it and let it leave a legal record."""
        task = self._task
        if task is None or task.done():
            return
        await asyncio.wait([task], timeout=PATIENCE)
        self._left_behind = not task.done()
        task.cancel()
        await asyncio.wait([task])
