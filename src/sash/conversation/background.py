"""Work beside a conversation: one thing at a time, in a thread or a task, that no send waits for.

`wait` waits until it is done; what it raised is raised there, or logged when nobody waits. Closing waits a moment,
then leaves it behind: the record stays legal wherever it stops, and that it stopped is no news.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from sash.errors import SashError

PATIENCE = 2.0
"""Seconds that closing waits."""

log = logging.getLogger("sash")


def _tell(error: BaseException) -> None:
    log.warning("work in the background ended with %s", type(error).__name__)


class Background:
    """Does one piece of work at a time in a thread beside a conversation."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._ended = 0
        self._left_behind = False
        self._error: BaseException | None = None

    def start(self, work: Callable[[], Any]) -> None:
        """Begin, unless something is running."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._run, args=(work,), name=self._name, daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except SashError as error:  # the record says what failed
            if not self._left_behind:
                _tell(error)
        except BaseException as error:  # noqa: BLE001 - a bug: whoever settles must see it
            _tell(error)
            self._error = error
        finally:
            self._ended += 1

    def since(self) -> Callable[[], bool]:
        """What waits for it, and tells whether any ended since now."""
        return partial(self._settled_since, self._ended)

    def _settled_since(self, ended: int) -> bool:
        self.wait()
        return self._ended != ended

    def wait(self) -> None:
        """Wait for it."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def stop(self) -> None:
        """Wait a moment, then leave it behind."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(PATIENCE)
            self._left_behind = thread.is_alive()


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
        except asyncio.CancelledError:
            raise
        except SashError as error:  # the record says what failed
            if not self._left_behind:
                _tell(error)
        except Exception as error:  # noqa: BLE001 - a bug: whoever settles must see it
            _tell(error)
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
