"""The port: where pools are kept that several attempts draw from. In this process, or in Redis for several.

Each method is atomic. `reserve` answers at once; who must wait asks again. Methods may be called from any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sash.limits.limiter.buckets import Told
from sash.limits.limiter.policy import Kind, Limits, Triple


@dataclass(frozen=True, slots=True)
class Grant:
    """Granted (`wait` 0), or seconds to wait (infinite: never), and for which limit."""

    wait: float
    kind: Kind = ""


class PoolBook(Protocol):
    """Where pools are kept."""

    blocking: bool
    """whether its methods wait for the network"""

    def reserve(self, pool: str, name: str, need: Triple, *, waited: float, limits: Limits, firm: bool) -> Grant:
        """Take `need` for the attempt `name`, or say how long to wait.

        `waited`: the seconds since it came, less what others may overtake it by: the longest goes first, whatever
        the clocks of several machines say. `limits` make the pool, if it is new; `firm`: see `buckets.new_pool`.
        """
        ...

    def hear(self, pool: str, name: str, told: Told) -> None:
        """Believe a response's headers."""
        ...

    def settle(self, pool: str, name: str, used: Triple | None) -> None:
        """End a reservation with what was used; None: all of it."""
        ...

    def leave(self, pool: str, name: str) -> None:
        """Stand in line no more."""
        ...
