"""The rate limiter: an attempt waits for its turn before it is sent, rather than being refused after.

Requests, input and output tokens and concurrency are reserved before the attempt and settled with what it used; those
who wait stand in line per pool, in order of arrival; the response's headers overrule what was believed. Where the
buckets are kept is a `Book`'s business: this process's memory, or Redis. It decides nothing itself: `sash.limits` does.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping
from math import isinf
from typing import Any

from sash.errors import LimitReached
from sash.limits import headers
from sash.limits.attempts import Attempt, Next, PerAttempt, Signal, Timing, Wait, WallTiming, Work
from sash.limits.context import forecast, note
from sash.limits.endings import ReplyEnding, ending
from sash.limits.limiter import buckets
from sash.limits.limiter.policy import Limits, Triple
from sash.limits.limiter.port import Grant, PoolBook
from sash.limits.limiter.queue import WaitQueue
from sash.limits.limiter.tiers import Tier, limits_of, pool_of
from sash.limits.sizes import SizeModel, characters_of
from sash.model.forecast import Forecast
from sash.model.usage import Usage
from sash.stores.local_book import LocalBook

log = logging.getLogger("sash.claude")

LONGEST_POLL = 0.5
"""Seconds after which whoever is first asks again where other processes draw, too: keeps its place in their line."""


class _Ticket:
    """One attempt that wants to go."""

    __slots__ = ("name", "need", "place", "pool", "signal")

    def __init__(self, pool: str, need: Triple) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.pool, self.need = pool, need
        self.signal = Signal()
        self.place: tuple[float, int] = (0.0, 0)


class Limiter(PerAttempt):
    """Keeps any number of clients and conversations within the limits they share.

    `limits`: `Limits` of yours, a tier's name ("start", "build", "scale"), or None to learn them from headers.
    `key` tells apart clients with keys or organisations of their own. `max_wait`: seconds an attempt may wait for
    its turn (None: as long as it takes); beyond it, and where it can never pass, LimitReached is raised at once.
    `book`: where the buckets are kept (`sash.stores.RedisBook` shares them between processes).
    """

    def __init__(
        self,
        limits: Limits | Tier | None = None,
        *,
        key: str = "",
        max_wait: float | None = None,
        book: PoolBook | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.limits = limits
        if isinstance(limits, str):
            limits_of(limits, "")
        self.key, self.max_wait = key, max_wait
        self._timing = timing or WallTiming()
        self.book: PoolBook = book or LocalBook(self._timing.now)
        self._lines: dict[str, WaitQueue[_Ticket]] = {}
        self._habits: dict[str, SizeModel] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"Limiter({self.limits!r})"

    def attempt(self, request: Any) -> Attempt:
        """Wait for room, send, settle."""
        body = request.json if isinstance(request.json, Mapping) else {}
        known = forecast()
        characters = characters_of(body.get("messages")) + characters_of(body.get("system")) + 1
        ticket = self._ticket(body, known, characters)
        yield from self._wait(ticket, known)
        try:
            response = yield Next(request)
        except GeneratorExit:
            raise
        except BaseException:  # a lost connection, a cancellation: whatever was sent may have been worked on
            yield from self._settle(ticket, None)
            raise
        told = headers.told(response.headers, response.status_code)
        yield self._asked(lambda: self.book.hear(ticket.pool, ticket.name, told))
        if response.status_code >= 400:
            refunded = (0.0 if response.status_code == 429 else 1.0, 0.0, 0.0)
            yield from self._settle(ticket, refunded)
            return response

        def ended(end: ReplyEnding) -> None:
            usage = None if end.usage is None else Usage.from_wire(end.usage)
            self._settled(ticket, _used(ticket.need, usage, whole=end.whole))
            if usage is not None and end.whole:
                self._learn(ticket.pool, characters, usage)

        yield from ending(response, ended, blocking=self.book.blocking)
        return response

    # ---- before

    def _ticket(self, body: Mapping[str, Any], known: Forecast | None, characters: int) -> _Ticket:
        key = (known.key if known else "") or self.key
        model = pool_of(str(body.get("model") or ""))
        pool = f"{key}:{model}" if key else model
        need = self._habits.get(pool, SizeModel()).need(body, known, characters)
        most = self._limits(pool).input_tokens
        if most and (known is None or known.request is None):
            need = (need[0], min(need[1], float(most)), need[2])  # a guess alone is no ground for a refusal
        return _Ticket(pool, need)

    def _limits(self, pool: str) -> Limits:
        if isinstance(self.limits, Limits):
            return self.limits
        return Limits() if self.limits is None else limits_of(self.limits, pool.rpartition(":")[2])

    def _wait(self, ticket: _Ticket, known: Forecast | None) -> Attempt:
        """Stand in line until the book grants what is needed. Raises LimitReached."""
        start = self._timing.now()
        max_wait = known.max_wait if known and known.max_wait is not None else self.max_wait
        line = self._join(ticket, known, start)
        try:
            while True:
                answer = None
                if line.first() is ticket:
                    answer = yield self._asked(lambda: self._reserve(ticket))
                    if answer.wait <= 0:
                        note(waited=self._timing.now() - start, pool=ticket.pool)
                        return
                waited = self._timing.now() - start
                self._reject_hopeless(ticket, line, answer, max_wait, waited)
                yield Wait(self._timing, ticket.signal, self._pause(answer, max_wait, waited))
        except GeneratorExit:
            raise
        except BaseException:
            yield self._asked(lambda: self._give_up(ticket))
            raise
        finally:
            self._step_out(line, ticket)

    def _give_up(self, ticket: _Ticket) -> None:
        """Leave nothing behind: neither a place in line, nor what was granted while a cancellation was on its way."""
        self.book.leave(ticket.pool, ticket.name)
        self.book.settle(ticket.pool, ticket.name, (0.0, 0.0, 0.0))

    def _reserve(self, ticket: _Ticket) -> Grant:
        return self.book.reserve(
            ticket.pool,
            ticket.name,
            ticket.need,
            waited=self._timing.now() - ticket.place[0],
            limits=self._limits(ticket.pool),
            firm=isinstance(self.limits, Limits),
        )

    def _pause(self, answer: Grant | None, max_wait: float | None, waited: float) -> float | None:
        """How long to wait: the one in front until there is room, all others until they are called."""
        left = None if max_wait is None else max(0.0, max_wait - waited)
        if answer is None:
            return left
        wait = min(answer.wait, LONGEST_POLL) if self.book.blocking else answer.wait
        return wait if left is None else min(wait, left + 0.001)

    def _reject_hopeless(
        self, ticket: _Ticket, line: WaitQueue[_Ticket], answer: Grant | None, max_wait: float | None, waited: float
    ) -> None:
        """Raise LimitReached for who can never pass, or not in time."""
        if answer is not None and isinf(answer.wait):
            raise _never(ticket, answer)
        if max_wait is None:
            return
        wait = answer.wait if answer is not None else self._foreseen(ticket, line)
        if waited + wait > max_wait:
            raise _too_late(ticket, answer.kind if answer else "queue", wait, max_wait)

    def _foreseen(self, ticket: _Ticket, line: WaitQueue[_Ticket]) -> float:
        """Seconds until those in front are served, and then this one."""
        with self._lock:
            ahead = [other.need for other in line.ahead(ticket.place)]
        pool = self.book.pool(ticket.pool) if isinstance(self.book, LocalBook) else None
        return 0.0 if pool is None else buckets.until(pool, ticket.need, ahead, self._timing.now())[0]

    def _join(self, ticket: _Ticket, known: Forecast | None, now: float) -> WaitQueue[_Ticket]:
        with self._lock:
            line = self._lines.setdefault(ticket.pool, WaitQueue())
            ticket.place = line.join(ticket, known.priority if known else "interactive", now)
            return line

    def _step_out(self, line: WaitQueue[_Ticket], ticket: _Ticket) -> None:
        with self._lock:
            line.leave(ticket.place)
            first = line.first()
        if first is not None:
            first.signal.set()

    # ---- after

    def _settle(self, ticket: _Ticket, used: Triple | None) -> Attempt:
        yield self._asked(lambda: self._settled(ticket, used))

    def _settled(self, ticket: _Ticket, used: Triple | None) -> None:
        self.book.settle(ticket.pool, ticket.name, used)
        line = self._lines.get(ticket.pool)
        first = line.first() if line is not None else None
        if first is not None:
            first.signal.set()

    def _learn(self, pool: str, characters: int, usage: Usage) -> None:
        with self._lock:
            self._habits[pool] = self._habits.get(pool, SizeModel()).learned(characters, usage)

    def _asked(self, call: Any) -> Any:
        return Work(call) if self.book.blocking else _Now(call)


class _Now(Work):
    """Something that takes no time: done on the spot for both clients."""

    async def do_async(self, _: Any = None) -> Any:
        return self._call()


def _used(need: Triple, usage: Usage | None, *, whole: bool) -> Triple | None:
    """What to settle with; a reply that broke off may have cost more output than was seen of it."""
    if usage is None:
        return None
    output = float(usage.output) if whole else max(float(usage.output), need[2])
    return 1.0, float(usage.prompt - usage.read), output


def _never(ticket: _Ticket, answer: Grant) -> LimitReached:
    state = f"the limit of {answer.kind} of {ticket.pool} never lets {ticket.need[1]:,.0f} input tokens pass"
    return LimitReached(f"{state}; raise the limit, or send less", **_facts(ticket, answer.kind, None, state))


def _too_late(ticket: _Ticket, kind: str, wait: float, max_wait: float) -> LimitReached:
    when = f"lets this pass in {wait:.1f} s, and it may wait {max_wait:g} s"
    state = f"the limit of {kind or 'server'} of {ticket.pool} {when}"
    return LimitReached(f"{state}; the turn is pending, retry() sends it later", **_facts(ticket, kind, wait, state))


def _facts(ticket: _Ticket, kind: str, wait: float | None, state: str) -> dict[str, Any]:
    return {
        "status": None,
        "kind": "limit_reached",
        "request_id": None,
        "retry_after": wait,
        "detail": state,
        "limit": kind,
        "pool": ticket.pool,
    }
