"""The simulator's clock: turned by hand, or the wall's.

Seconds since the Unix epoch, as floats. A turned clock stands still until somebody turns it, and
waiting turns it; the wall clock runs by itself, and waiting sleeps. Either can be advanced, so a test
over a real socket can let an hour pass. It knows nothing of requests or of what expires.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

from sash.errors import InvalidOption

START = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
"""Where a turned clock begins, unless told otherwise."""


class Clock:
    """Seconds since the epoch. `wall=True` adds the computer's own running time to what was turned."""

    def __init__(self, *, start: float = START, wall: bool = False) -> None:
        self.wall = wall
        self._time = 0.0 if wall else float(start)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Clock({rfc3339(self.now())}{', wall' if self.wall else ''})"

    def now(self) -> float:
        """The present moment, in seconds since the epoch."""
        return self._time + (time.time() if self.wall else 0.0)

    def advance(self, seconds: float) -> float:
        """Turn the clock forward and return the new moment. Raises InvalidOption for a negative step."""
        if not seconds >= 0:
            raise InvalidOption(f"a clock only goes forward, not by {seconds!r} s", option="seconds", value=seconds)
        with self._lock:
            self._time += seconds
        return self.now()

    def wait(self, seconds: float) -> None:
        """Let time pass: by sleeping on the wall clock, by turning otherwise."""
        if self.wall:
            time.sleep(max(0.0, seconds))
        else:
            self.advance(max(0.0, seconds))

    async def wait_async(self, seconds: float) -> None:
        """`wait` that leaves the event loop free."""
        if self.wall:
            await asyncio.sleep(max(0.0, seconds))
        else:
            self.advance(max(0.0, seconds))


def rfc3339(moment: float) -> str:
    """The moment as the API writes it in headers: `2026-11-21T00:00:00Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
