"""The limits of one pool, as they are set or a tier has them. `buckets.py` keeps to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sash.errors import InvalidOption
from sash.model.settings import settings

Triple = tuple[float, float, float]
"""requests, input tokens, output tokens"""
Kind = Literal["requests", "input_tokens", "output_tokens", "concurrency", "queue", "server", ""]
KINDS: tuple[Kind, Kind, Kind] = ("requests", "input_tokens", "output_tokens")


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most per minute, and at once. None: whatever the server's headers say; no limit until they do.

    `input_tokens` do not count cache reads. `burst`: the share of a minute's worth that may go at one moment after
    a quiet time (the API enforces limits over shorter times than a minute, too).
    """

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrency: int | None = None
    burst: float = 0.25

    def __post_init__(self) -> None:
        for name in (*KINDS[:3], "concurrency"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise InvalidOption(f"{name}={value!r}: give a whole number, 0 or more", option=name, value=value)
        if not 0 < self.burst <= 1:
            raise InvalidOption(
                f"burst={self.burst!r}: give a share above 0, up to 1", option="burst", value=self.burst
            )

    @property
    def triple(self) -> tuple[float | None, float | None, float | None]:
        """The limits per minute, in the order of `KINDS`."""
        return self.requests, self.input_tokens, self.output_tokens

    def scaled(self, share: float) -> Limits:
        """The same limits, for one of several who cannot ask each other."""

        def part(limit: int | None) -> int | None:
            return limit if not limit else max(1, int(limit * share))

        return replace(
            self,
            requests=part(self.requests),
            input_tokens=part(self.input_tokens),
            output_tokens=part(self.output_tokens),
            concurrency=part(self.concurrency),
        )
