"""How long a reply takes to begin and to be written, as a model of its class takes. Pure.

No pace is published: `REAL` is a guess in the middle of what clients report, and only its order is to be relied on
(small models are faster, what is read from the cache costs next to nothing, thinking is written like text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sash.errors import InvalidOption
from sash.model.settings import settings


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The pace of a model: seconds, and tokens a second."""

    first: float = 0.0
    """seconds until a reply to an empty prompt begins"""
    reading: float | None = None
    """prompt tokens a second that are not read from the cache; None: no time at all"""
    writing: float | None = None
    """output tokens a second; None: no time at all"""

    def __post_init__(self) -> None:
        if self.first < 0 or min(self.reading or 1, self.writing or 1) <= 0:
            said = f"{self}: seconds are 0 or more, and tokens a second more than 0"
            raise InvalidOption(said, option="latency", value=self)

    def until_first(self, uncached: int) -> float:
        """Seconds until the first event, behind so many tokens that are not in the cache."""
        return self.first + (uncached / self.reading if self.reading else 0.0)

    def each(self) -> float:
        """Seconds for an output token."""
        return 1 / self.writing if self.writing else 0.0


REAL: Mapping[str, Latency] = {
    "claude-haiku": Latency(first=0.4, reading=30_000, writing=150),
    "claude-sonnet": Latency(first=0.8, reading=15_000, writing=75),
    "claude-opus": Latency(first=1.2, reading=10_000, writing=55),
    "claude": Latency(first=1.8, reading=8_000, writing=40),
}
"""By the beginning of the model's name, the first that fits: a guess, see above."""


def latency_of(asked: Latency | Literal["real"], model: str) -> Latency:
    """The pace of a model."""
    if isinstance(asked, Latency):
        return asked
    return next((pace for name, pace in REAL.items() if model.startswith(name)), REAL["claude"])


def check_latency(asked: object) -> None:
    """Raise InvalidOption for what is neither a `Latency` nor "real" nor None."""
    if asked not in (None, "real") and not isinstance(asked, Latency):
        said = f"latency={asked!r}: give 'real', a Latency(first=, reading=, writing=), or None"
        raise InvalidOption(said, option="latency", value=asked)
