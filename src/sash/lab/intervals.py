"""How sure a mean is: bootstrap intervals over conversations, and over what was measured within each.

numpy is loaded on first use. Equal arguments give the equal interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

DRAWS = 1_000
SHARE = 0.95
"""Of the means of samples drawn again that lie in an interval."""


class Interval(NamedTuple):
    """From where to where."""

    low: float
    high: float


def _load_numpy() -> Any:
    """The one place of this module that imports numpy."""
    import numpy as np  # noqa: PLC0415

    return np


def interval(groups: Sequence[Sequence[float]], seed: int = 0) -> Interval | None:
    """Where 95% of the means lie when groups (conversations) are drawn again, and values within each.

    The mean is that of all values, and lies within. None for fewer than two values, of which nothing can be said.
    """
    np = _load_numpy()
    held = [np.asarray(group, dtype=float) for group in groups if len(group)]
    if sum(map(len, held)) < 2:
        return None
    values, sizes = np.concatenate(held), np.array([len(group) for group in held])
    starts, dice = np.cumsum(sizes) - sizes, np.random.default_rng(seed)

    def again() -> float:
        drawn = dice.integers(len(held), size=len(held))
        within = dice.random(int(sizes[drawn].sum())) * np.repeat(sizes[drawn], sizes[drawn])
        return float(values[np.repeat(starts[drawn], sizes[drawn]) + within.astype(int)].mean())

    low, high = np.quantile([again() for _ in range(DRAWS)], [(1 - SHARE) / 2, (1 + SHARE) / 2])
    mean = float(values.mean())
    return Interval(min(float(low), mean), max(float(high), mean))
