"""Equal requests at once: one is sent, the others wait until its reply is remembered ("single flight").

One `InFlight` per book in a process, whatever clients, threads and event loops ask; other processes are not seen. A
flight that fails, or whose reply is not remembered, wakes those who wait, and the first of them to join is the next to
be sent. Nobody waits for what cannot come: a flight that gives no sign of life in time is waited for no longer. Knows
nothing of replies, nor where they are kept.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from sash.limits.attempts import Attempt, Signal, Timing, Wait

ANSWER_WITHIN = 600.0
"""Seconds in which the server gives a sign of life: the SDK's own default for a request."""
READ_WITHIN = 5.0
"""Seconds in which whoever holds a reply reads on, or has it remembered."""


class Flight:
    """A request that is under way in the place of all equal ones."""

    def __init__(self, timing: Timing, land: Callable[[Flight], None] | None = None) -> None:
        self.timing = timing
        self.landed = False
        self.waiting: set[Signal] = set()
        self.thread, self.task = threading.get_ident(), _task()
        self._land = land
        self.expect(READ_WITHIN)

    def expect(self, seconds: float) -> None:
        """A sign of life; the next one comes within so many seconds."""
        self._due = self.timing.now() + seconds

    def left(self) -> float:
        """Seconds for which it is still waited for."""
        return self._due - self.timing.now()

    def land(self) -> None:
        """It is over, however it went: whoever waits looks for the reply, or is sent. Twice does no harm."""
        if self._land is not None:
            self._land(self)


class InFlight:
    """The flights of one book, by the name of the request."""

    def __init__(self, book: Any) -> None:
        self.book = book  # kept, for its id may stand for it
        self._lock = threading.RLock()  # an attempt that is collected lands its flight in the middle of anything
        self._flights: dict[str, Flight] = {}

    def join(self, name: str, timing: Timing) -> Generator[Any, Any, Flight | None]:
        """A flight of the caller's own, to be sent and landed; None: an equal one was waited for, or long enough."""
        with self._lock:
            found = self._flights.get(name)
            if found is None:
                made = self._flights[name] = Flight(timing, partial(self._landed, name))
                return made
        if (yield HeldUp(found)):
            return Flight(timing)
        yield from self._wait(found)
        return None

    def _wait(self, flight: Flight) -> Attempt:
        """Wait until it has landed, or gives no sign of life."""
        signal = self._entered(flight)
        try:
            while not flight.landed and (left := flight.left()) > 0:
                yield Wait(flight.timing, signal, min(left, READ_WITHIN))
        finally:
            with self._lock:
                flight.waiting.discard(signal)
        flight.land()

    def _entered(self, flight: Flight) -> Signal:
        signal = Signal()
        with self._lock:
            flight.waiting.add(signal)
            if flight.landed:
                signal.set()
        return signal

    def _landed(self, name: str, flight: Flight) -> None:
        with self._lock:
            flight.landed = True
            if self._flights.get(name) is flight:
                del self._flights[name]
            woken, flight.waiting = flight.waiting, set()
        for signal in woken:
            signal.set()


class HeldUp:
    """Whether a flight would be held up by whoever waits for it: the thread, or the task, that is to read its reply."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight

    def do(self, _: Callable[[Any], Any]) -> bool:
        return self._flight.thread == threading.get_ident()

    async def do_async(self, _: Callable[[Any], Any]) -> bool:
        return self._flight.task is not None and self._flight.task is _task()


_known: WeakValueDictionary[tuple[int, object], InFlight] = WeakValueDictionary()
_lock = threading.Lock()


def in_flight_of(book: Any) -> InFlight:
    """What is in flight for a book in this process: one for all books of a file."""
    place = os.getpid(), getattr(book, "place", None) or id(book)  # a fork has none of its parent's threads
    with _lock:
        found = _known.get(place)
        if found is None:
            found = _known[place] = InFlight(book)
        return found


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None
