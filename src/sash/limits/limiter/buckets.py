"""Token buckets of one pool: reserve before an attempt, settle with what it used, refund what it did not.

A pool is what the API limits together: one organisation or key, one class of models ("Rate limits" docs). Requests,
input tokens (cache reads apart) and output tokens refill evenly, concurrency is counted. Every function returns a new
pool; the time (seconds, any clock that only goes forward) comes in. `sash.stores.redis_book` says the same in Lua, and
a test holds both to one meaning. Looked at and left: limits, pyrate-limiter, throttled-py, aiolimiter count one
resource each and refund nothing; token-throttle has the semantics, but neither headers nor a queue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeVar

from sash.limits.limiter.policy import KINDS, Kind, Limits, Triple

T = TypeVar("T")
HOLD_SECONDS = 660.0
"""How long a reservation lives whose client is never heard of again: the SDK's longest request, and a minute."""
SERVER: Kind = "server"
STALE_SECONDS = 2.0
"""How long somebody in line is believed to be waiting after last asking."""
_NOTHING = 1e-6
"""Of a token: rounding, no lack."""
SHORTEST_WAIT = 0.001
"""Seconds; less may not move a clock that counts from 1970."""
POLL_SECONDS = 0.25
"""How soon to ask again where nobody can say when there will be room."""
_ROUNDED: Triple = (1.0, 1_000.0, 1_000.0)
"""Headers give remaining tokens in thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A reservation: what was taken, when, and until when it is believed."""

    need: Triple
    at: float
    drawn: Triple
    """what the pool had handed out in all by then, this included"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody at the head of a process's line."""

    order: float
    need: Triple
    seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a response's headers said of the buckets. None: nothing, or nonsense."""

    limits: tuple[float | None, float | None, float | None] = (None, None, None)
    remaining: tuple[float | None, float | None, float | None] = (None, None, None)
    wait: float = 0.0
    """seconds for which the server refuses everything (429)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The buckets of one pool at a moment. `limits` None: unknown, hence no limit."""

    limits: tuple[float | None, float | None, float | None]
    firm: tuple[bool, bool, bool]
    """which limits the caller set: headers may lower these, never raise them"""
    concurrency: float | None
    burst: float
    levels: Triple
    at: float
    drawn: Triple = (0.0, 0.0, 0.0)
    closed_until: float = 0.0
    holds: Mapping[str, Hold] = field(default_factory=dict)
    line: Mapping[str, Waiting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an attempt may go: at once (`wait` 0), in `wait` seconds at the earliest, or never (infinite)."""

    pool: Pool
    wait: float
    kind: Kind = ""
    """which limit it waits for"""


def new_pool(limits: Limits, now: float, *, firm: bool = True) -> Pool:
    """A pool nobody has drawn from. `firm`: headers may lower the limits, but not raise them."""
    triple = limits.triple
    return Pool(
        limits=triple,
        firm=_each(lambda k: firm and triple[k] is not None),
        concurrency=limits.concurrency,
        burst=limits.burst,
        levels=_each(lambda k: _capacity(triple[k], limits.burst, k)),
        at=now,
    )


def _each(value: Callable[[int], T]) -> tuple[T, T, T]:
    return value(0), value(1), value(2)


def _capacity(limit: float | None, burst: float, kind: int) -> float:
    """The most that a bucket holds: a part of a minute's worth, but at least one request."""
    if limit is None:
        return 0.0
    return min(limit, max(limit * burst, 1.0 if kind == 0 else 0.0))


def refilled(pool: Pool, now: float) -> Pool:
    """The pool at a later moment: buckets filled, reservations of clients long gone forgotten (not refunded)."""
    passed = max(0.0, now - pool.at)

    def level(k: int) -> float:
        limit = pool.limits[k]
        if limit is None:
            return 0.0
        return min(_capacity(limit, pool.burst, k), pool.levels[k] + passed * limit / 60)

    dead = [name for name, hold in pool.holds.items() if now - hold.at > HOLD_SECONDS]
    gone = [name for name, waiting in pool.line.items() if now - waiting.seen > STALE_SECONDS]
    return replace(
        pool,
        levels=_each(level),
        at=max(now, pool.at),
        holds=_without(pool.holds, dead) if dead else pool.holds,
        line=_without(pool.line, gone) if gone else pool.line,
    )


def _without(mapping: Mapping[str, T], names: Collection[str]) -> dict[str, T]:
    return {name: value for name, value in mapping.items() if name not in names}


def reserve(pool: Pool, name: str, need: Triple, now: float, *, order: float = 0.0) -> Admission:
    """Take `need` for the attempt `name`, all or nothing, or say how long to wait.

    Whoever must wait stands in line by `order` (smaller first), and nobody passes whoever is in front.
    """
    pool = refilled(pool, now)
    if (kind := impossible(pool, need)) is not None:
        return Admission(leave(pool, name), inf, kind)
    ahead = [w.need for other, w in pool.line.items() if other != name and (w.order, other) < (order, name)]
    wait, kind = until(pool, need, ahead, now)
    if wait > 0:
        waiting = Waiting(order=order, need=need, seen=now)
        return Admission(replace(pool, line={**pool.line, name: waiting}), wait, kind)
    drawn = _each(lambda k: pool.drawn[k] + need[k])
    return Admission(
        replace(
            pool,
            levels=_each(lambda k: pool.levels[k] - need[k]),
            drawn=drawn,
            holds={**pool.holds, name: Hold(need=need, at=now, drawn=drawn)},
            line=_without(pool.line, (name,)) if name in pool.line else pool.line,
        ),
        0.0,
    )


def impossible(pool: Pool, need: Triple) -> Kind | None:
    """The limit that `need` can never pass, however long it waits."""
    if pool.concurrency == 0:
        return "concurrency"
    for k in range(3):
        limit = pool.limits[k]
        if limit is not None and (limit == 0 or (k < 2 and need[k] > limit)):
            return KINDS[k]
    return None


def until(pool: Pool, need: Triple, ahead: list[Triple], now: float) -> tuple[float, Kind]:
    """Seconds until `need` may pass behind those `ahead`, and what it waits for; 0 where it may pass now."""
    wait, kind = max(0.0, pool.closed_until - now), SERVER
    for k in range(3):
        limit = pool.limits[k]
        if limit is None:
            continue
        capacity = _capacity(limit, pool.burst, k)
        # Whatever holds more than a bucket does passes when the bucket is full, and leaves a debt behind.
        lacking = min(need[k], capacity) - pool.levels[k] + sum(other[k] for other in ahead)
        if lacking > _NOTHING and lacking * 60 / limit > wait:
            wait, kind = max(SHORTEST_WAIT, lacking * 60 / limit), KINDS[k]
    if pool.concurrency is not None and len(pool.holds) >= pool.concurrency and wait < POLL_SECONDS:
        return POLL_SECONDS, "concurrency"
    if ahead and wait <= 0:
        return POLL_SECONDS, "queue"
    return wait, kind if wait > 0 else ""


def settle(pool: Pool, name: str, used: Triple | None, now: float) -> Pool:
    """End a reservation with what was really used; None: nobody knows, so that all of it counts as used."""
    pool = refilled(pool, now)
    hold = pool.holds.get(name)
    if hold is None:
        return pool
    spent = hold.need if used is None else used

    def level(k: int) -> float:
        return min(_capacity(pool.limits[k], pool.burst, k), pool.levels[k] + hold.need[k] - spent[k])

    return replace(
        pool,
        levels=_each(level),
        drawn=_each(lambda k: pool.drawn[k] + spent[k] - hold.need[k]),
        holds=_without(pool.holds, (name,)),
    )


def leave(pool: Pool, name: str) -> Pool:
    """Stand in line no more."""
    return replace(pool, line=_without(pool.line, (name,))) if name in pool.line else pool


def hear(pool: Pool, name: str, told: Told, now: float) -> Pool:
    """Believe what the response to the attempt `name` said of limits and of what remains.

    Headers are made while the request is on its way, so that what was handed out, and refilled, since it left is
    reckoned in; less than a rounding's difference means nothing. Somebody else who draws from the same pool shows here.
    """
    pool = _relimited(refilled(pool, now), told)
    hold = pool.holds.get(name)

    def level(k: int) -> float:
        limit, left = pool.limits[k], told.remaining[k]
        if limit is None or left is None or hold is None:
            return pool.levels[k]
        since = (now - hold.at) * limit / 60 - (pool.drawn[k] - hold.drawn[k])
        real = min(left + _ROUNDED[k] / 2, limit) + since
        slack = max(_ROUNDED[k], limit * 0.02)
        return min(pool.levels[k], real) if real < pool.levels[k] - slack else pool.levels[k]

    pool = replace(pool, levels=_each(level))
    return _closed(pool, told.wait, now) if told.wait > 0 else pool


def _closed(pool: Pool, wait: float, now: float) -> Pool:
    """Nothing passes for `wait` seconds, and then no flood either: the buckets were empty after all."""

    def level(k: int) -> float:
        limit = pool.limits[k]
        return pool.levels[k] if limit is None else min(pool.levels[k], -wait * limit / 60)

    return replace(pool, levels=_each(level), closed_until=max(pool.closed_until, now + wait))


def _relimited(pool: Pool, told: Told) -> Pool:
    """The pool under the limits that headers name: they overrule a guess, and what the caller set only downwards."""

    def limit(k: int) -> float | None:
        old, new = pool.limits[k], told.limits[k]
        if new is None:
            return old
        return min(old, new) if pool.firm[k] and old is not None else new

    limits = _each(limit)
    if limits == pool.limits:
        return pool

    def level(k: int) -> float:
        capacity = _capacity(limits[k], pool.burst, k)
        known = pool.limits[k] is not None
        left = told.remaining[k]
        return min(capacity, pool.levels[k] if known else capacity if left is None else left)

    return replace(pool, limits=limits, levels=_each(level))
