"""The two drivers: they run a flow, perform its steps, and hand results and errors back to it.

A step that fails is thrown into the flow, cancellation and Ctrl-C included, so that the flow can leave a
legal record before it ends. The async driver runs store steps in a worker thread and lets a running one
finish before cancellation goes on: a transaction is never abandoned half-way.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sash.flows.steps import Abandoned, CallTool, Emit, Flow, Now, Pause, Step, StoreStep
from sash.flows.summary_steps import Settle

R = TypeVar("R")
Perform = Callable[[Step[Any]], Any]
AsyncPerform = Callable[[Step[Any]], Awaitable[Any]]
Tell = Callable[[Any], Any]


class Run:
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


class AsyncRun:
    """The same for an async caller."""

    def __init__(self, flow: Flow[Any], perform: AsyncPerform) -> None:
        self._sync = Run(flow, _never)
        self._perform = perform

    @property
    def finished(self) -> bool:
        """Whether the flow has ended."""
        return self._sync.finished

    @property
    def result(self) -> Any:
        """What the flow returned."""
        return self._sync.result

    async def advance(self) -> Emit | None:
        """The next event for the caller, or None when the flow has ended."""
        while not self._sync.finished:
            step = self._sync._resume()
            if isinstance(step, Emit):
                return step
            if step is not None:
                await self._do(step)
        return None

    async def abandon(self) -> None:
        """Throw the caller's leaving into the flow, until it has recorded what had come and ends."""
        while not self._sync.finished:
            self._sync._error = Abandoned()
            with contextlib.suppress(Abandoned):
                await self.advance()

    async def _do(self, step: Step[Any]) -> None:
        try:
            self._sync._value = await self._perform(step)
        except BaseException as error:  # noqa: BLE001 - handed to the flow, which must see cancellation too
            self._sync._error = error


def _never(step: Step[Any]) -> Any:
    raise AssertionError(f"the async driver performs {step!r} itself")


def drive(flow: Flow[R], perform: Perform, tell: Tell | None = None) -> R:
    """Run a flow to its end; `tell` is called with each event. What it raises ends the flow, recorded as it is."""
    run = Run(flow, perform)
    try:
        while (emitted := run.advance()) is not None:
            if tell is not None:
                tell(emitted.event.event)
    except BaseException:
        run.abandon()
        raise
    result: R = run.result
    return result


async def drive_async(flow: Flow[R], perform: AsyncPerform, tell: Tell | None = None) -> R:
    """The same for an async caller; `tell` may be a coroutine function."""
    run = AsyncRun(flow, perform)
    try:
        while (emitted := await run.advance()) is not None:
            told = tell(emitted.event.event) if tell is not None else None
            if inspect.isawaitable(told):
                await told
    except BaseException:
        await run.abandon()
        raise
    result: R = run.result
    return result


class Performer:
    """Sends each step to who performs it: clock, store or Claude."""

    def __init__(
        self,
        store: Any,
        claude: Any,
        clock: Callable[[], float] = time.time,
        settle: Callable[[], Any] = lambda: None,
    ) -> None:
        self.store, self.claude, self.clock, self.settle = store, claude, clock, settle

    def __call__(self, step: Step[Any]) -> Any:
        """Perform one step, blocking."""
        if isinstance(step, StoreStep):
            return getattr(self.store, step.method)(step)
        if isinstance(step, CallTool):
            return step.function.call(step.input)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        if isinstance(step, Settle):
            return self.settle()
        return self.clock() if isinstance(step, Now) else self.claude.perform(step)

    async def perform_async(self, step: Step[Any]) -> Any:
        """Perform one step without blocking the event loop."""
        if isinstance(step, StoreStep):
            return await _unhurried(asyncio.to_thread(getattr(self.store, step.method), step))
        if isinstance(step, CallTool):
            return await _called(step)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Settle):
            return await self.settle()
        return self.clock() if isinstance(step, Now) else await self.claude.perform(step)


async def _called(step: CallTool) -> Any:
    """A coroutine function is awaited; a plain one works in a thread, off the event loop."""
    if step.function.waits:
        return await step.function.call(step.input)
    return await asyncio.to_thread(step.function.call, step.input)


async def _unhurried(work: Any) -> Any:
    """Await a thread to its end even when cancelled meanwhile; then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
