"""Virtual time for asyncio: a loop that never sleeps, and a simulator's clock that follows it.

An hour of waiting takes as long as the work in it. `run(main)` runs a coroutine function from time 0.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sash.simulator.clock import START, Clock

R = TypeVar("R")


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: time jumps to whatever the loop waits for."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is what was waited for."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop began."""
        return self._jumping.passed


class LoopClock(Clock):
    """The simulator's clock on a virtual loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def now(self) -> float:
        """Seconds since the epoch, as the loop has it."""
        return START + self._loop.time()

    async def wait_async(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(max(0.0, seconds))


class LoopTiming:
    """The middleware's clock on a virtual loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    def wait(self, signal: Any, seconds: float | None) -> None:
        """Nobody blocks a virtual loop."""
        raise AssertionError(f"virtual time is for asyncio: cannot block {seconds} s for {signal}")

    async def wait_async(self, signal: Any, seconds: float | None) -> None:
        """Wait for the signal, or for virtual time to pass."""
        await signal.wait_async(seconds)


def run(main: Callable[[asyncio.AbstractEventLoop], Coroutine[Any, Any, R]]) -> R:
    """Run `main(loop)` in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
