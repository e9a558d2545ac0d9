"""Rate limits shared by many processes and machines: one pool is one key in Redis, changed by one script.

Time is the Redis server's. A client that dies leaves a reservation that expires. While Redis cannot be reached, each
process keeps to a stated share of the limits by itself, says so in the log, and asks Redis again after a pause.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from sash.errors import InvalidOption, MissingExtra
from sash.limits.limiter.buckets import Told
from sash.limits.limiter.policy import Limits, Triple
from sash.limits.limiter.port import Grant
from sash.stores.local_book import LocalBook

log = logging.getLogger("sash.limits")

SCRIPT = Path(__file__).with_name("redis_book.lua")
DEFAULT_SHARE = 0.25
PAUSE = 5.0
"""Seconds without asking a Redis that did not answer."""


class RedisBook:
    """Pools in Redis, for `Limiter(..., book=RedisBook("redis://..."))`.

    `where`: a URL, or a client of redis-py. `prefix` of its keys. `alone`: the share of the limits that this process
    keeps to while Redis is away (about 1 / the number of processes). Raises MissingExtra without redis-py.
    """

    blocking = True

    def __init__(
        self,
        where: Any,
        *,
        prefix: str = "sash:limits:",
        alone: float = DEFAULT_SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < alone <= 1:
            raise InvalidOption(f"alone={alone!r}: give a share, 0 to 1", option="alone", value=alone)
        self._redis = _client(where) if isinstance(where, str) else where
        self._script = self._redis.register_script(SCRIPT.read_text(encoding="utf-8"))
        self._local = LocalBook(clock)
        self._prefix, self._alone, self._clock = prefix, alone, clock
        self._away_until = 0.0
        self._away = False
        self._alone_with: set[str] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"RedisBook(prefix={self._prefix!r})"

    @property
    def away(self) -> bool:
        """Whether Redis did not answer lately."""
        return self._away

    def reserve(self, pool: str, name: str, need: Triple, *, waited: float, limits: Limits, firm: bool) -> Grant:
        """See `Book`; alone, where Redis is away."""
        known = limits.triple
        asked = {
            "name": name,
            "need": need,
            "waited": waited,
            "limits": _numbers(known),
            "firm": [firm and limit is not None for limit in known],
            "concurrency": -1 if limits.concurrency is None else limits.concurrency,
            "burst": limits.burst,
        }
        found = self._ask("reserve", pool, asked)
        if found is not None:
            wait, kind = found
            return Grant(inf if wait < 0 else float(wait), kind)
        with self._lock:
            self._alone_with.add(name)
        return self._local.reserve(pool, name, need, waited=waited, limits=limits.scaled(self._alone), firm=firm)

    def hear(self, pool: str, name: str, told: Told) -> None:
        """See `Book`."""
        if self._is_local(name):
            self._local.hear(pool, name, Told(wait=told.wait))  # headers speak of all, not of a share
            return
        asked = {"limits": _numbers(told.limits), "remaining": _numbers(told.remaining), "wait": told.wait}
        self._ask("hear", pool, {"name": name, **asked})

    def settle(self, pool: str, name: str, used: Triple | None) -> None:
        """See `Book`."""
        if self._is_local(name):
            self._local.settle(pool, name, used)
        else:
            self._ask("settle", pool, {"name": name} if used is None else {"name": name, "used": used})
        with self._lock:
            self._alone_with.discard(name)

    def leave(self, pool: str, name: str) -> None:
        """See `Book`."""
        self._local.leave(pool, name)
        self._ask("leave", pool, {"name": name})

    def _is_local(self, name: str) -> bool:
        with self._lock:
            return name in self._alone_with

    def _ask(self, what: str, pool: str, asked: dict[str, Any]) -> tuple[float, Any] | None:
        """What the script answers; None where Redis is away."""
        if self._clock() < self._away_until:
            return None
        try:
            answer = self._script(keys=[self._prefix + pool], args=[what, json.dumps(asked), ""])
        except _load_redis().RedisError as error:
            self._gone(error)
            return None
        if self._away:
            self._away = False
            log.warning("Redis is back: rate limits are shared again")
        wait, kind = json.loads(answer)
        return wait, kind

    def _gone(self, error: Exception) -> None:
        self._away_until = self._clock() + PAUSE
        if not self._away:
            self._away = True
            log.warning(
                "Redis is away (%s): this process keeps to %.0f%% of the rate limits until it is back",
                type(error).__name__,
                self._alone * 100,
            )


def _numbers(limits: Sequence[float | None]) -> list[float]:
    return [-1.0 if limit is None else float(limit) for limit in limits]


def _client(url: str) -> Any:
    return _load_redis().Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)


def _load_redis() -> Any:
    """redis-py, from the extra."""
    try:
        import redis  # noqa: PLC0415
    except ImportError as missing:
        raise MissingExtra("limits shared through Redis need: pip install 'sash[redis]'", extra="redis") from missing
    return redis
