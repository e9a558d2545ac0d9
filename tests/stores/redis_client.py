"""One of several processes that share a pool: begins when all are there, and takes what places it is given."""

from __future__ import annotations

from typing import Any

import pytest

from sash.limits.limiter.policy import Limits
from sash.stores import RedisBook

redis = pytest.importorskip("redis")
PLACES = 100
TRIES = 40


def patient(url: str) -> Any:
    """A client that gives a busy machine all the time it takes to answer."""
    return redis.Redis.from_url(url, socket_timeout=600, socket_connect_timeout=600)


def take_places(url: str, number: int, together: Any, results: Any) -> None:
    """Ask for `TRIES` places, and keep them; report how many were given."""
    book, limits = RedisBook(patient(url)), Limits(concurrency=PLACES)
    together.wait()
    names = [f"{number}-{at}" for at in range(TRIES)]
    answers = [book.reserve("pool", name, (1.0, 0.0, 0.0), waited=0.0, limits=limits, firm=True) for name in names]
    results.put(sum(answer.wait == 0 for answer in answers))
