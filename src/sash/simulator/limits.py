"""Rate limits: token buckets of requests, input tokens and output tokens per minute, with the API's headers.

"Rate limits" docs: continuously refilled, one pool per model class; input counts fresh and written tokens, not
cache reads; output counts as it is made, `max_tokens` plays no part. Off unless asked for. Seconds come in; it
knows no HTTP beyond header names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sash.errors import InvalidOption
from sash.model.cards import base_name
from sash.simulator.clock import rfc3339

Tier = Literal["start", "build", "scale"]
Kind = Literal["requests", "input-tokens", "output-tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Per minute: requests, input tokens (without cache reads), output tokens, count_tokens and batch requests.

    `queued`: how many requests may wait in batches, over all models.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    counts: int = 2_000
    batches: int = 1_000
    queued: int = 200_000

    def __post_init__(self) -> None:
        for name in ("requests", "input_tokens", "output_tokens", "counts", "batches", "queued"):
            if getattr(self, name) < 1:
                raise InvalidOption(f"{name} must be at least 1 a minute", option=name, value=getattr(self, name))

    def of(self, kind: Kind) -> int:
        """The limit of one kind."""
        return {"requests": self.requests, "input-tokens": self.input_tokens, "output-tokens": self.output_tokens}[kind]


# "Rate limits", standard tiers of 2026; Haiku 5.5 is not published and has the common row.
_COMMON: dict[Tier, Limits] = {
    "start": Limits(
        requests=1_000, input_tokens=2_000_000, output_tokens=400_000, counts=2_000, batches=1_000, queued=200_000
    ),
    "build": Limits(
        requests=5_000, input_tokens=5_000_000, output_tokens=1_000_000, counts=4_000, batches=2_000, queued=300_000
    ),
    "scale": Limits(
        requests=10_000, input_tokens=10_000_000, output_tokens=2_000_000, counts=8_000, batches=4_000, queued=500_000
    ),
}
_FABLE: dict[Tier, Limits] = {
    "start": Limits(
        requests=1_000, input_tokens=500_000, output_tokens=100_000, counts=2_000, batches=1_000, queued=200_000
    ),
    "build": Limits(
        requests=2_000, input_tokens=1_500_000, output_tokens=300_000, counts=4_000, batches=2_000, queued=300_000
    ),
    "scale": Limits(
        requests=4_000, input_tokens=4_000_000, output_tokens=800_000, counts=8_000, batches=4_000, queued=500_000
    ),
}


def tier(name: Tier, model_class: str) -> Limits:
    """The standard limits of a tier for a model class."""
    table = _FABLE if model_class.startswith("claude-fable") else _COMMON
    if name not in table:
        raise InvalidOption(f"unknown tier {name!r}; known are {', '.join(table)}", option="limits", value=name)
    return table[name]


def model_class(model: str) -> str:
    """The pool a model draws from: all Fable 5 together, all Opus 4 together, all Sonnet 4; else its own."""
    name = base_name(model)
    for family in ("claude-fable-5", "claude-opus-4", "claude-sonnet-4"):
        if name.startswith(family):
            return family
    return name


@dataclass(slots=True)
class _Bucket:
    """Holds at most a minute's worth and refills evenly."""

    limit: int
    level: float
    at: float

    def refill(self, now: float) -> None:
        self.level = min(self.limit, self.level + max(0.0, now - self.at) * self.limit / 60)
        self.at = max(self.at, now)

    def seconds_until(self, amount: float) -> float:
        return max(0.0, (min(amount, self.limit) - self.level) * 60 / self.limit)


_KINDS: tuple[Kind, ...] = ("requests", "input-tokens", "output-tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request over a limit: which, and after how many seconds it would pass."""

    kind: str
    limit: int
    retry_after: float

    @property
    def message(self) -> str:
        """The error's text."""
        per = self.kind.replace("-", " ")
        return f"This request would exceed your organization's rate limit of {self.limit:,} {per} per minute."


@dataclass(slots=True)
class Limiter:
    """All buckets of one organization."""

    limits: Limits | Tier
    _pools: dict[str, dict[Kind, _Bucket]] = field(default_factory=dict)
    _counts: _Bucket | None = None
    _batches: _Bucket | None = None

    def take(self, model: str, *, tokens: int, now: float) -> Refused | None:
        """Take a request of `tokens` countable input tokens out of the buckets, or say why not (nothing is taken)."""
        pool = self._pool(model, now)
        needs: Mapping[Kind, float] = {"requests": 1, "input-tokens": tokens, "output-tokens": 1}
        waits = {kind: pool[kind].seconds_until(needs[kind]) for kind in _KINDS if pool[kind].level < needs[kind]}
        if waits:
            kind = max(waits, key=lambda name: waits[name])
            return Refused(kind=kind, limit=pool[kind].limit, retry_after=max(1, math.ceil(waits[kind])))
        pool["requests"].level -= 1
        pool["input-tokens"].level -= tokens
        return None

    def spend_output(self, model: str, tokens: int, now: float) -> None:
        """Count output tokens as they were made; the bucket may fall below zero."""
        self._pool(model, now)["output-tokens"].level -= tokens

    def take_count(self, model: str, now: float) -> Refused | None:
        """Take a count_tokens request out of its own bucket."""
        if self._counts is None:
            limit = self._of(model).counts
            self._counts = _Bucket(limit, limit, now)
        return _one_of(self._counts, now)

    def take_batch(self, queued: int, now: float) -> Refused | None:
        """Take a call of the Batches API, which leaves `queued` requests waiting, out of its own bucket."""
        limits = self.limits if isinstance(self.limits, Limits) else _COMMON[self.limits]
        if self._batches is None:
            self._batches = _Bucket(limits.batches, limits.batches, now)
        if queued > limits.queued:
            return Refused(kind="queued batch requests", limit=limits.queued, retry_after=60)
        return _one_of(self._batches, now)

    def headers(self, model: str, now: float) -> dict[str, str]:
        """`anthropic-ratelimit-*`: limit, remaining (tokens rounded to thousands), when full again."""
        pool = self._pool(model, now)
        found: dict[str, str] = {}
        for kind in _KINDS:
            bucket = pool[kind]
            found |= _headers(kind, bucket.limit, bucket.level, now + bucket.seconds_until(bucket.limit))
        limit = sum(pool[kind].limit for kind in _KINDS[1:])
        left = sum(max(0.0, pool[kind].level) for kind in _KINDS[1:])
        full = max(pool[kind].seconds_until(pool[kind].limit) for kind in _KINDS[1:])
        return found | _headers("tokens", limit, left, now + full)

    def _of(self, model: str) -> Limits:
        return self.limits if isinstance(self.limits, Limits) else tier(self.limits, model_class(model))

    def _pool(self, model: str, now: float) -> dict[Kind, _Bucket]:
        name = model_class(model)
        if name not in self._pools:
            limits = self._of(model)
            self._pools[name] = {kind: _Bucket(limits.of(kind), limits.of(kind), now) for kind in _KINDS}
        for bucket in self._pools[name].values():
            bucket.refill(now)
        return self._pools[name]


def _one_of(bucket: _Bucket, now: float) -> Refused | None:
    bucket.refill(now)
    if bucket.level < 1:
        return Refused(kind="requests", limit=bucket.limit, retry_after=1)
    bucket.level -= 1
    return None


def _headers(kind: str, limit: int, left: float, full_at: float) -> dict[str, str]:
    shown = int(left) if kind == "requests" else round(left / 1000) * 1000
    prefix = f"anthropic-ratelimit-{kind}"
    return {
        f"{prefix}-limit": str(limit),
        f"{prefix}-remaining": str(max(0, shown)),
        f"{prefix}-reset": rfc3339(math.ceil(full_at)),
    }
