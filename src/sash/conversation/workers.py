"""The threads that compute for async conversations: a few of sash's own, whatever the program does with asyncio's.

Hundreds of conversations compute in turns there. More threads would only get in each other's way, for one computes at
a time; a few let others go on while some wait for the disk, together where they share a commit. A call goes to them
through one queue, and what came of it straight back to its event loop: an executor of the standard library takes up to
twice the time for that.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

R = TypeVar("R")
WORKERS = 6


def worker(call: Callable[[], R]) -> asyncio.Future[R]:
    """What a call in one of the threads comes to. One that nobody waits for any more is not begun."""
    future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
    _workers().take(call, future)
    return future


class _Workers:
    """The threads and their queue. They end with the program, when all is done that was asked for."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._ended = False
        self._threads = [Thread(target=self._run, name=f"sash_{at}", daemon=True) for at in range(WORKERS)]
        for thread in self._threads:
            thread.start()
        atexit.register(self._end)

    def take(self, call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        """Have it done; at once by whoever still asks when they have ended, as what a program does at its exit may."""
        if self._ended:
            _do(call, future)
        else:
            self._calls.put((call, future))

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None:
            _do(*asked)
            del asked  # nothing of it is held while there is nothing to do

    def _end(self) -> None:
        self._ended = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()


def _do(call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
    if future.cancelled():
        return
    result, failed = None, None
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        failed = error
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(_tell, future, result, failed)


def _tell(future: asyncio.Future[Any], result: Any, failed: BaseException | None) -> None:
    if future.done():
        return
    if failed is None:
        future.set_result(result)
    else:
        future.set_exception(failed)


@cache
def _workers() -> _Workers:
    return _Workers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.cache_clear)  # a fork has no threads
