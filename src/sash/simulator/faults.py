"""Faults on script: what goes wrong, when, and a storm of them by chance.

A fault is a frozen value; a `FaultScript` decides which request gets which: the next ones, the n-th one, those
that fit a predicate, or a seeded share of all. Texts and codes are those of the "Errors" docs. It knows neither
the clock nor the transport: `core` answers with HTTP faults, transports act out lost connections and silence.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sash.errors import InvalidOption
from sash.model.settings import settings

Body = Mapping[str, Any]
MESSAGES = "/v1/messages"


class Fault:
    """Anything that can go wrong with a request."""

    __slots__ = ()


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpError(Fault):
    """An error response instead of an answer."""

    status: int
    message: str
    kind: str | None = None
    """The error's `type`; None: that of its status."""
    code: str | None = None
    retry_after: float | None = None
    """Seconds, sent as the header `retry-after`; None: no such header."""
    should_retry: bool | None = None
    """The header `x-should-retry`."""

    def headers(self) -> dict[str, str]:
        """The headers that this error brings along."""
        wait = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
        told = {} if self.should_retry is None else {"x-should-retry": str(self.should_retry).lower()}
        return wait | told


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited(HttpError):
    """429: your own limit is reached; `retry_after` in seconds."""

    status: int = 429
    message: str = "This request would exceed your organization's rate limit. Please try again later."
    retry_after: float | None = 1.0


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimitReached(HttpError):
    """429 of a spend cap: no `retry-after`, and no use in trying again."""

    status: int = 429
    message: str = "You have reached your organization's spend limit."
    code: str | None = "enforced_spend_limit_reached"


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded(HttpError):
    """529: the service is overloaded, for everybody."""

    status: int = 529
    message: str = "Overloaded"


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(HttpError):
    """500 (or another 5xx)."""

    status: int = 500
    message: str = "Internal server error"


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTooLong(HttpError):
    """400: the prompt does not fit the model's window, whatever its size."""

    status: int = 400
    message: str = "prompt is too long: 1000001 tokens > 1000000 maximum"


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class BillingError(HttpError):
    """402: payment is due."""

    status: int = 402
    message: str = "Your credit balance is too low to access the Anthropic API."


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout(Fault):
    """No answer comes. `billed`: the request was worked on all the same (a retry is then paid twice)."""

    billed: bool = False


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Fault):
    """The connection breaks before any answer. `billed` as for `Timeout`."""

    billed: bool = False


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class CutStream(Fault):
    """A streamed reply ends after `events` events, and `seconds` into what it would say next.

    `how`: "silent" ends it properly but early, "error" sends an `error` event first (`overloaded_error` by
    default), "lost" breaks the connection. A request that is not streamed is answered with 529 or breaks.
    """

    events: int = 4
    how: Literal["silent", "error", "lost"] = "silent"
    seconds: float = 0.0
    kind: str = "overloaded_error"
    message: str = "Overloaded"


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Fault):
    """HTTP 200 with stop_reason refusal; `partial` is what was said before."""

    partial: str = ""
    category: str | None = "general_harms"
    explanation: str | None = None


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Fault):
    """The reply stops early for `reason`, after `tokens` output tokens.

    Reasons: max_tokens, model_context_window_exceeded, pause_turn (a server tool's loop was interrupted: the
    content ends in an open server tool call, to be sent back as it is).
    """

    reason: Literal["max_tokens", "model_context_window_exceeded", "pause_turn"] = "max_tokens"
    tokens: int = 5


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class OddBody(Fault):
    """HTTP 200, but `body` (any JSON value) in the place of a message, as gateways have been seen to answer."""

    body: Any = field(
        default_factory=lambda: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    )


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class SpoiltInput(Fault):
    """In a stream, the input of each tool call comes as `text`, JSON or not; an answer at once is left alone."""

    text: str = '{"word": "la'


@dataclass(slots=True)
class _Planned:
    fault: Fault
    times: int
    when: Callable[[Body], bool] | None
    path: str


@dataclass(slots=True)
class _Storm:
    rate: float
    faults: tuple[Fault, ...]
    chance: random.Random


@dataclass(slots=True)
class FaultScript:
    """Which attempt gets which fault."""

    _planned: list[_Planned] = field(default_factory=list)
    _at: dict[tuple[str, int], Fault] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _storm: _Storm | None = None

    def fail_next(
        self,
        fault: Fault,
        *,
        times: int = 1,
        when: Callable[[Body], bool] | None = None,
        path: str = MESSAGES,
    ) -> None:
        """The next `times` attempts on `path` (of those whose body fits `when`) meet this fault."""
        _check_fault(fault)
        if times < 1:
            raise InvalidOption(f"times must be at least 1, not {times}", option="times", value=times)
        self._planned.append(_Planned(fault, times, when, path))

    def fail_at(self, number: int, fault: Fault, *, path: str = MESSAGES) -> None:
        """The `number`-th attempt on `path` (1 is the first since the simulator began) meets this fault."""
        _check_fault(fault)
        self._at[path, number] = fault

    def storm(self, rate: float, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        """From now on each attempt on /v1/messages fails with chance `rate`, with one of `faults` (529 by default)."""
        if not 0 <= rate <= 1:
            raise InvalidOption(f"rate is a share from 0 to 1, not {rate!r}", option="rate", value=rate)
        for fault in faults:
            _check_fault(fault)
        self._storm = _Storm(rate, tuple(faults) or (Overloaded(),), random.Random(seed))

    def calm(self) -> None:
        """Forget all planned faults and storms."""
        self._planned.clear()
        self._at.clear()
        self._storm = None

    def draw(self, path: str, body: Body) -> Fault | None:
        """The fault of this attempt, if any: first by position, then those planned, then the storm's."""
        self._seen[path] = number = self._seen.get(path, 0) + 1
        if (fault := self._at.pop((path, number), None)) is not None:
            return fault
        for planned in self._planned:
            if planned.path == path and (planned.when is None or planned.when(body)):
                return self._spend(planned)
        storm = self._storm
        if storm is not None and path == MESSAGES and storm.chance.random() < storm.rate:
            return storm.chance.choice(storm.faults)
        return None

    def _spend(self, planned: _Planned) -> Fault:
        planned.times -= 1
        if not planned.times:
            self._planned.remove(planned)
        return planned.fault


def _check_fault(fault: Fault) -> None:
    if not isinstance(fault, Fault):
        raise InvalidOption(f"{fault!r} is no fault; take one of sash.simulator.faults", option="fault", value=fault)
