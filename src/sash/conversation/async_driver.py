"""The driver for a caller who awaits.

Everything between two steps of the event loop (network, pauses, tools, the caller) happens in one hop to a worker
thread: planning a long history takes seconds of computing, and the store is called there. A hop is never abandoned
half-way: a cancellation is raised at the next call of the store (`attentive`) or waits for the hop's end, and what has
come of the network is recorded first.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

from sash.conversation.drivers import Performer, RunningFlow, Tell
from sash.conversation.workers import worker
from sash.flows.steps import Abandoned, Emit, Flow, NextEvent, Now, Step
from sash.stores.around import around

R = TypeVar("R")
S = TypeVar("S")


class AsyncRun:
    """A running flow, as `RunningFlow` is. `turns`: held while the flow computes, where flows share memories."""

    def __init__(self, flow: Flow[Any], performer: Performer, turns: asyncio.Lock | None = None) -> None:
        self._sync = RunningFlow(flow, performer)
        self._perform = performer.perform_async
        self._turns = turns or asyncio.Lock()
        self._owes = False
        """whether something has come from outside that is not recorded yet"""
        self._passing = False
        """whether the flow only hands on events of a stream: a hop for each would cost more than that"""
        self._cancelled: asyncio.CancelledError | None = None
        self._left = False
        self._leaving = asyncio.Lock()

    @property
    def finished(self) -> bool:
        """Whether the flow has ended."""
        return self._sync.finished

    @property
    def result(self) -> Any:
        """What the flow returned."""
        return self._sync.result

    async def advance(self) -> Emit | None:
        """The next event for the caller, or None when the flow has ended, or another task has left it."""
        emitted = await self._advance(lambda: self._left)
        if self._left:
            async with self._leaving:  # what had come is being recorded
                return None
        return emitted

    async def abandon(self) -> None:
        """Throw the caller's leaving into the flow, until it has recorded what had come and ends."""
        self._left = True
        async with self._leaving:
            while not self.finished:
                await self._before(Abandoned())
                with contextlib.suppress(Abandoned):
                    await self._advance(lambda: False)

    async def _before(self, error: BaseException) -> None:
        """Have the flow find an error where it stands, once it stands."""
        await self._take_turn()
        self._sync._error, self._owes, self._passing = error, True, False
        self._turns.release()

    async def _advance(self, left: Callable[[], bool]) -> Emit | None:
        while not self.finished and not left():
            step = self._sync._resume() if self._passing else await self._hop()
            if self._cancelled is not None:
                self._throw_cancelled(past=self.finished or left())
            elif isinstance(step, Emit):
                self._owes = False
                return step
            elif step is not None and not left():
                await self._do(step, left)
        return None

    def _throw_cancelled(self, *, past: bool) -> None:
        """A cancellation that came during a hop: into the flow where it stands now, or `past` its end."""
        cancelled, self._cancelled = self._cancelled, None
        if past and cancelled is not None:
            raise cancelled
        self._sync._error, self._owes = cancelled, True

    async def _hop(self) -> Step[Any] | None:
        """In a worker: the flow up to its next step of the event loop; None at its end. Never left half-way."""
        await self._take_turn()
        context = copy_context()
        try:
            work = worker(partial(context.run, self._compute))
            while not work.done():
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError as cancelled:
                    self._cancelled = cancelled
        finally:
            self._turns.release()
        _adopt(context)
        step, failed = work.result()
        if failed is not None and self._cancelled is None:
            raise failed
        return step

    async def _take_turn(self) -> None:
        """Wait for it, cancelled or not: what has come must not be lost."""
        while True:
            try:
                await self._turns.acquire()
                return
            except asyncio.CancelledError as error:
                self._cancelled = error

    def _compute(self) -> tuple[Step[Any] | None, BaseException | None]:
        """Resume the flow, and tell it the time. A cancelled flow that owes nothing stops."""
        here = _computing.set(self)
        try:
            step = self._sync._resume()
            while isinstance(step, Now) and (self._owes or self._cancelled is None):
                self._sync._do(step)
                step = self._sync._resume()
        except BaseException as error:  # noqa: BLE001 - raised again on the event loop
            return None, error
        finally:
            _computing.reset(here)
        return step, None

    def _heed(self) -> None:
        """Raise a cancellation that came while the flow computes; not where what has come is still to be recorded."""
        if self._owes or self._cancelled is None:
            return
        cancelled, self._cancelled = self._cancelled, None
        self._owes = True  # whatever the flow does now, it tidies up
        raise cancelled

    async def _do(self, step: Step[Any], left: Callable[[], bool]) -> None:
        value, failed = None, None
        try:
            value = await self._perform(step)
        except BaseException as error:  # noqa: BLE001 - handed to the flow, which must see cancellation too
            failed = error
        if left():
            if isinstance(failed, asyncio.CancelledError):
                raise failed
            return
        self._sync._value, self._sync._error, self._owes = value, failed, True
        self._passing = isinstance(step, NextEvent) and value is not None


_computing: ContextVar[AsyncRun | None] = ContextVar("computing", default=None)
"""The run that computes here."""


def _heeding(*_: Any) -> contextlib.AbstractContextManager[None]:
    run = _computing.get()
    if run is not None:
        run._heed()
    return _NOTHING_MORE


_NOTHING_MORE = contextlib.nullcontext()


def attentive(store: S) -> S:
    """A store for the flows of an `AsyncRun`: each call of it is where a cancelled flow may stop, before the call."""
    return around(store, _heeding)


def _adopt(context: Context) -> None:
    """Take over what was set in a copy of this context, as if it had been set here."""
    missing = object()
    for variable, value in context.items():
        if variable.get(missing) is not value:
            variable.set(value)


async def drive_async(
    flow: Flow[R], performer: Performer, tell: Tell | None = None, turns: asyncio.Lock | None = None
) -> R:
    """What `drive` does; `tell` may be a coroutine function, `turns` as in `AsyncRun`."""
    run = AsyncRun(flow, performer, turns)
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
