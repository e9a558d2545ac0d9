"""Work beside a conversation: one thing at a time, in a thread that no send waits for (`async_background.py`: a task).

`wait` waits until it is done; what it raised is raised there, or logged when nobody waits. Closing waits a moment,
then leaves it behind: the record stays legal wherever it stops, and that it stopped is no news.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from sash.errors import SashError

PATIENCE = 2.0
"""Seconds that closing waits."""

log = logging.getLogger("sash")


def tell(error: BaseException) -> None:
    """Log what nobody waited for."""
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
                tell(error)
        except BaseException as error:  # noqa: BLE001 - a bug: whoever settles must see it
            tell(error)
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
