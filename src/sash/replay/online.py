"""The best that any policy can expect of traffic whose law it knows, but not its future.

For traffic without memory (`Memoryless`: equal exchanges, each pause drawn anew) a small decision process says it,
solved backwards from the last request. A state is how many exchanges the view holds, the lifetime under which it is
alive, and whether the newest request but one was left unwritten. Choices at each request: go on, or begin anew at any
later start that still holds `keep`; mark the tail for 5 min, 1 h or not at all. Billing as in `clairvoyant`.
There is no preamble. numpy is loaded on first use.
"""

from __future__ import annotations

from typing import Any

from sash.model.cards import TTL_SECONDS, ModelCard, Ttl
from sash.replay.traces import Memoryless

BEYOND = 1e12
"""Dollars of what cannot be."""
GONE = 0
WARM: dict[Ttl, int] = {"5m": 1, "1h": 3}
"""The row of views that are alive; in the next row, those whose newest request but one is unwritten."""


def _load_numpy() -> Any:
    """The one place of this module that imports numpy."""
    import numpy as np  # noqa: PLC0415

    return np


def least_expected(law: Memoryless, requests: int, card: ModelCard, *, keep: int, budget: int) -> float:
    """Dollars that the best policy without foresight expects to pay for so many requests, from the first one on.

    `keep` and `budget` in tokens. Raises UnknownModel where the card has no prices.
    """
    return _Process(law, card, keep, budget).expected(requests)


class _Process:
    """Dollars still to be expected, by state (rows) and exchanges in the view (columns)."""

    def __init__(self, law: Memoryless, card: ModelCard, keep: int, budget: int) -> None:
        np = self.np = _load_numpy()
        self.tokens = law.tokens
        self.largest = max(1, budget // law.tokens)
        self.shortest = min(self.largest, -(-keep // law.tokens))
        self.sizes = np.arange(self.largest + 2)
        prompts = self.sizes * law.tokens
        prices = [card.price(int(prompt)) for prompt in prompts]
        caches = prompts >= card.cache_minimum
        self.fresh = np.array([price.fresh for price in prices]) / 1e6
        self.read = np.array([price.read for price in prices]) / 1e6
        self.write: dict[Ttl, Any] = {
            ttl: np.where(caches, np.array([getattr(price, f"write_{ttl}") for price in prices]) / 1e6, BEYOND)
            for ttl in WARM
        }
        self.alive = {ttl: _share_below(law, TTL_SECONDS[ttl]) for ttl in WARM}

    def expected(self, requests: int) -> float:
        """Dollars of so many requests, the first of which finds nothing in the cache."""
        self.value = self.np.zeros((5, self.largest + 2))
        for _ in range(requests):
            self.value = self._before()
        return float(self.value[GONE, 1])

    def _before(self) -> Any:
        """The values one request earlier."""
        np, sizes = self.np, self.sizes
        anew = self._anew()
        found = np.full_like(self.value, BEYOND)
        found[GONE] = anew
        for ttl, row in WARM.items():
            for late in (0, 1):
                new = (1 + late) * self.tokens
                reading = self.read * np.maximum(sizes * self.tokens - new, 0)
                written = reading + self.write[ttl] * new + self._next(row, ttl)
                unwritten = reading + self.fresh * new + (self._after(GONE) if late else self._next(row + 1, ttl))
                found[row + late] = np.minimum(written, unwritten)
        found[:, self.largest + 1] = BEYOND
        found[:, self.shortest :] = np.minimum(found[:, self.shortest :], self._shortened(anew))
        return found

    def _anew(self) -> Any:
        """Send a view of each size of which nothing is cached."""
        prompts = self.sizes * self.tokens
        choices = [self.fresh * prompts + self._after(GONE)]
        choices += [self.write[ttl] * prompts + self._next(row, ttl) for ttl, row in WARM.items()]
        return self.np.minimum.reduce(choices)

    def _shortened(self, anew: Any) -> Any:
        """For each size from the shortest on, the least of beginning anew with as much or less."""
        fits = self.np.where(self.sizes <= self.largest, anew, BEYOND)
        return self.np.minimum.accumulate(fits[self.shortest :])

    def _next(self, row: int, ttl: Ttl) -> Any:
        """What is to be expected where the view is left in a state that lives so long."""
        return self.alive[ttl] * self._after(row) + (1 - self.alive[ttl]) * self._after(GONE)

    def _after(self, row: int) -> Any:
        """The values of a view that has grown by one exchange."""
        return self.np.append(self.value[row, 1:], BEYOND)


def _share_below(law: Memoryless, seconds: float) -> float:
    return sum(chance for pause, chance in zip(law.pauses, law.chances, strict=True) if pause < seconds)
