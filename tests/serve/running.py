"""A server on a socket of this machine, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sash.serve.server import SashServer
from sash.serve.settings import ServeSettings
from sash.simulator import Clock, Simulator

PATIENCE = 60.0


def slow_simulator(seconds_per_token: float = 0.02) -> Simulator:
    """A simulator whose replies take their time."""
    return Simulator(clock=Clock(wall=True), seconds_per_token=seconds_per_token, thinking=False)


def slow_client(seconds_per_token: float = 0.02) -> Any:
    """A client of one."""
    return slow_simulator(seconds_per_token).async_client()


@contextmanager
def running(store: Any, client: Any, **settings: Any) -> Iterator[tuple[str, SashServer]]:
    """Its address, and the server; stopped in the end."""
    urls, there = list[str](), threading.Event()

    def started(url: str) -> None:
        urls.append(url)
        there.set()

    server = SashServer(ServeSettings(**{"port": 0, "grace": 0.0, **settings}), store, client, started)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert there.wait(PATIENCE)
        yield urls[0], server
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
