"""Loading once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sash.model.once import once


def test_threads_that_ask_at_once_load_once() -> None:
    """However many threads ask at the same moment, a thing is loaded once for each set of arguments."""
    asked, loads = Barrier(8), []

    @once
    def load(name: str) -> object:
        loads.append(name)
        return object()

    def ask(number: int) -> object:
        asked.wait(60)
        return load("ab"[number % 2])

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert sorted(loads) == ["a", "b"] and len({id(one) for one in found}) == 2
    load.cache_clear()
    assert load("a") is not found[0]
