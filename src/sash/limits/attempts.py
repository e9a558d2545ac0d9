"""Middleware written once for both clients of the SDK: a generator that yields what is to be done, and two drivers.

`PerAttempt.attempt(request)` is run once per HTTP attempt, inside the SDK's retry loop ("Middleware" in the SDK's
README). It yields `Next(request)` for the response, `Wait` and `Work` for anything that takes time, and returns a
response (or, as the SDK allows, the value itself). Importing this loads the SDK: `sash` reaches it through a loader.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from sash.claude.loading import _load_anthropic
from sash.limits.context import MESSAGES

if TYPE_CHECKING:
    from anthropic import Middleware
else:
    Middleware = _load_anthropic().Middleware


class Signal:
    """Wakes one waiter, in a thread or a task, from anywhere."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._waking: Callable[[], object] | None = None

    def set(self) -> None:
        """Wake it now, or as soon as it waits."""
        self._event.set()
        if (waking := self._waking) is not None:
            with suppress(RuntimeError):  # its event loop was closed: nobody waits there any more
                waking()

    def wait(self, seconds: float | None) -> None:
        """Wait to be woken, at most `seconds`."""
        self._event.wait(seconds)
        self._event.clear()

    async def wait_async(self, seconds: float | None) -> None:
        """The same, off the event loop."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        self._waking = lambda: loop.call_soon_threadsafe(event.set)
        try:
            if not self._event.is_set():
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waking = None
            self._event.clear()


class Timing(Protocol):
    """A clock that can wait: the wall's, or a test's."""

    def now(self) -> float: ...
    def wait(self, signal: Signal, seconds: float | None) -> None: ...
    async def wait_async(self, signal: Signal, seconds: float | None) -> None: ...


class WallTiming:
    """Seconds of the computer's steady clock."""

    def now(self) -> float:
        """The present moment; only differences mean anything."""
        return time.monotonic()

    def wait(self, signal: Signal, seconds: float | None) -> None:
        """Block until woken, at most `seconds` (None: no limit)."""
        signal.wait(seconds)

    async def wait_async(self, signal: Signal, seconds: float | None) -> None:
        """The same for a task."""
        await signal.wait_async(seconds)


class Deed(Protocol):
    """Something that an attempt needs done."""

    def do(self, call_next: Callable[[Any], Any]) -> Any: ...
    async def do_async(self, call_next: Callable[[Any], Any]) -> Any: ...


Attempt = Generator[Deed, Any, Any]
"""The course of one attempt: yields deeds, is sent their results, returns a response."""


class Next:
    """Make the rest of the attempt; the result is the response, whatever its status. Raises connection errors."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def do(self, call_next: Callable[[Any], Any]) -> Any:
        return call_next(self._request)

    async def do_async(self, call_next: Callable[[Any], Any]) -> Any:
        return await call_next(self._request)


class Wait:
    """Let time pass until `signal` is set, at most `seconds`."""

    def __init__(self, timing: Timing, signal: Signal, seconds: float | None) -> None:
        self._timing, self._signal, self._seconds = timing, signal, seconds

    def do(self, _: Callable[[Any], Any]) -> None:
        self._timing.wait(self._signal, self._seconds)

    async def do_async(self, _: Callable[[Any], Any]) -> None:
        await self._timing.wait_async(self._signal, self._seconds)


class Work:
    """Call something that may block (a database, a socket): in a thread, where the client is asynchronous."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def do(self, _: Callable[[Any], Any] | None = None) -> Any:
        return self._call()

    async def do_async(self, _: Callable[[Any], Any] | None = None) -> Any:
        task = asyncio.ensure_future(asyncio.to_thread(self._call))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])  # whatever it does is done before the cancellation goes on
            raise


class ReadBody:
    """Read the whole body of a response that is no stream; the result is its bytes."""

    def __init__(self, response: Any) -> None:
        self._http = response.http_response

    def do(self, _: Callable[[Any], Any]) -> bytes:
        return bytes(self._http.read())

    async def do_async(self, _: Callable[[Any], Any]) -> bytes:
        return bytes(await self._http.aread())


class Parse:
    """The response's typed object; the SDK keeps it, so that the caller's own parsing costs nothing more."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def do(self, _: Callable[[Any], Any]) -> Any:
        return self._response.parse()

    async def do_async(self, _: Callable[[Any], Any]) -> Any:
        return await self._response.parse()


class PerAttempt(Middleware):
    """Middleware for `Anthropic(middleware=[...])` and `AsyncAnthropic(middleware=[...])` alike."""

    def attempt(self, request: Any) -> Attempt:
        """The course of one attempt on the Messages endpoint."""
        raise NotImplementedError

    def handle(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """Called by the synchronous client."""
        return _run(self.attempt(request), call_next) if is_messages(request) else call_next(request)

    async def handle_async(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """Called by the asynchronous client."""
        if not is_messages(request):
            return await call_next(request)
        return await _run_async(self.attempt(request), call_next)


def is_messages(request: Any) -> bool:
    """Whether a request asks for a message: other endpoints have limits of their own, and cost nothing."""
    return bool(request.method.lower() == "post" and request.url.partition("?")[0] == MESSAGES)


def _run(attempt: Attempt, call_next: Callable[[Any], Any]) -> Any:
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            deed = attempt.send(value) if error is None else attempt.throw(error)
        except StopIteration as stop:
            return stop.value
        value = error = None
        try:
            value = deed.do(call_next)
        except BaseException as raised:  # noqa: BLE001 - handed to the attempt, which settles and lets it go on
            error = raised


async def _run_async(attempt: Attempt, call_next: Callable[[Any], Any]) -> Any:
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            deed = attempt.send(value) if error is None else attempt.throw(error)
        except StopIteration as stop:
            return stop.value
        value = error = None
        try:
            value = await deed.do_async(call_next)
        except BaseException as raised:  # noqa: BLE001 - handed to the attempt, cancellation too
            error = raised
