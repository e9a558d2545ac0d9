"""Rate limits in this process's memory, for any number of threads and tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sash.limits.limiter import buckets
from sash.limits.limiter.buckets import Pool, Told
from sash.limits.limiter.policy import Limits, Triple
from sash.limits.limiter.port import Grant


class LocalBook:
    """Pools in memory. `clock`: seconds, of any beginning, that only go forward."""

    blocking = False

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pools: dict[str, Pool] = {}
        self._lock = threading.RLock()  # a stream dropped unread settles from the garbage collector

    def reserve(self, pool: str, name: str, need: Triple, *, waited: float, limits: Limits, firm: bool) -> Grant:
        """See `Book`."""
        with self._lock:
            now = self._clock()
            known = self._pools.get(pool) or buckets.new_pool(limits, now, firm=firm)
            verdict = buckets.reserve(known, name, need, now, order=now - waited)
            self._pools[pool] = verdict.pool
            return Grant(verdict.wait, verdict.kind)

    def hear(self, pool: str, name: str, told: Told) -> None:
        """See `Book`."""
        with self._lock:
            if pool in self._pools:
                self._pools[pool] = buckets.hear(self._pools[pool], name, told, self._clock())

    def settle(self, pool: str, name: str, used: Triple | None) -> None:
        """See `Book`."""
        with self._lock:
            if pool in self._pools:
                self._pools[pool] = buckets.settle(self._pools[pool], name, used, self._clock())

    def leave(self, pool: str, name: str) -> None:
        """See `Book`."""
        with self._lock:
            if pool in self._pools:
                self._pools[pool] = buckets.leave(self._pools[pool], name)

    def pool(self, name: str) -> Pool | None:
        """A pool as it stands now."""
        with self._lock:
            found = self._pools.get(name)
            return None if found is None else buckets.refilled(found, self._clock())
