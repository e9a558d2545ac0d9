"""A driver runs a flow, performs its steps, and hands results and errors back to it: here, for a caller who blocks.

A step that fails is thrown into the flow, cancellation and Ctrl-C included, so that the flow can leave a
legal record before it ends. `async_driver.py` is the one for a caller who awaits.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sash.conversation.callers import _load_asyncio, this_task, this_thread, waits
from sash.flows.steps import Abandoned, CallTool, Emit, Flow, Now, Pause, Step, WaitForBackground

R = TypeVar("R")
Perform = Callable[[Step[Any]], Any]
Tell = Callable[[Any], Any]


class RunningFlow:
    """A running flow. `advance` performs steps until the flow emits an event or ends."""

    def __init__(self, flow: Flow[Any], perform: Perform) -> None:
        self._flow = flow
        self._perform = perform
        self.finished = False
        self.result: Any = None
        self._value: Any = None
        self._error: BaseException | None = None

    def advance(self) -> Emit | None:
        """The next event for the caller, or None when the flow has ended (see `result`)."""
        while not self.finished:
            step = self._resume()
            if isinstance(step, Emit):
                return step
            if step is not None:
                self._do(step)
        return None

    def abandon(self) -> None:
        """Throw the caller's leaving into the flow, until it has recorded what had come and ends."""
        while not self.finished:
            self._error = Abandoned()
            with contextlib.suppress(Abandoned):
                self.advance()

    def _resume(self) -> Step[Any] | None:
        error, self._error = self._error, None
        value, self._value = self._value, None
        try:
            return self._flow.throw(error) if error is not None else self._flow.send(value)
        except StopIteration as stop:
            self.finished, self.result = True, stop.value
            return None
        except BaseException:
            self.finished = True
            raise

    def _do(self, step: Step[Any]) -> None:
        try:
            self._value = self._perform(step)
        except BaseException as error:  # noqa: BLE001 - handed to the flow, which must see Ctrl-C too
            self._error = error


def drive(flow: Flow[R], perform: Perform, tell: Tell | None = None) -> R:
    """Run a flow to its end; `tell` is called with each event. What it raises ends the flow, recorded as it is."""
    run = RunningFlow(flow, perform)
    try:
        while (emitted := run.advance()) is not None:
            if tell is not None:
                tell(emitted.event.event)
    except BaseException:
        run.abandon()
        raise
    result: R = run.result
    return result


def later(make: Callable[[], Flow[R]]) -> Flow[R]:
    """A flow that is made when it begins, by whoever drives it: reading arguments takes its time, too."""
    return (yield from make())


def asked(ask: Callable[[], R]) -> Flow[R]:
    """A flow of no steps: what is asked of the store alone, once it is driven."""
    yield from ()
    return ask()


class Performer:
    """Sends each step to who performs it: clock, Claude, or the background."""

    def __init__(
        self,
        claude: Any,
        clock: Callable[[], float] = time.time,
        wait_for_background: Callable[[], Any] = lambda: False,
    ) -> None:
        self.claude, self.clock, self.wait_for_background = claude, clock, wait_for_background

    def __call__(self, step: Step[Any]) -> Any:
        """Perform one step, blocking."""
        if isinstance(step, CallTool):
            with waits(this_thread()):
                return step.function.call(step.input)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        if isinstance(step, WaitForBackground):
            return self.wait_for_background()
        return self.clock() if isinstance(step, Now) else self.claude.perform(step)

    async def perform_async(self, step: Step[Any]) -> Any:
        """Perform one step of the event loop, which is none of the clock: that is looked at within a hop."""
        if isinstance(step, CallTool):
            return await _called(step)
        if isinstance(step, Pause):
            return await _load_asyncio().sleep(step.seconds)
        if isinstance(step, WaitForBackground):
            return await self.wait_for_background()
        return await self.claude.perform(step)


async def _called(step: CallTool) -> Any:
    """A coroutine function is awaited; a plain one works in a thread, off the event loop."""
    with waits(this_task()):
        if step.function.waits:
            return await step.function.call(step.input)
        return await _load_asyncio().to_thread(step.function.call, step.input)
