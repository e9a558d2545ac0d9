"""A circuit breaker: when attempts fail too often, the next ones fail at once, until a probe succeeds.

Closed: all pass, failures are counted over a sliding window. Open: none passes until a given time. Half open: one probe
passes; it closes the circuit, or opens it for longer. A pure state machine over values and a given time in seconds.
Looked at and left: pybreaker (asynchronous only through tornado), circuitbreaker (no share over a window), purgatory
(counts in a row); none says when the next probe is due, and none lets a stream's end decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sash.errors import InvalidOption
from sash.model.settings import settings

Outcome = Literal["ok", "failed", "neutral"]
"""neutral: says nothing about the service (a refused request, a limit of ours, a cancellation)"""
SLOTS = 10
LONGEST_PROBE = 660.0
"""Seconds after which a probe that was never heard of again is believed lost."""


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Opens when at least `share` of the attempts within `window` seconds failed, and at least `least` were made.

    `pause`: seconds until the first probe; each failed probe doubles it, up to `longest`.
    """

    share: float = 0.5
    window: float = 60.0
    least: int = 10
    pause: float = 15.0
    longest: float = 300.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InvalidOption(
                f"share={self.share!r}: give a share above 0, up to 1", option="share", value=self.share
            )
        for name in ("window", "pause", "longest"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise InvalidOption(f"{name}={value!r}: give seconds above 0", option=name, value=value)
        if self.least < 1:
            raise InvalidOption(f"least={self.least!r}: give a number of attempts", option="least", value=self.least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The state of one circuit."""

    counts: tuple[tuple[int, int, int], ...] = ()
    """(slot of time, attempts, failures), oldest first"""
    open_until: float | None = None
    """None: closed"""
    pause: float = 0.0
    probe: float | None = None
    """when the probe under way began"""

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """In a word."""
        return "closed" if self.open_until is None else "open" if self.probe is None else "half-open"


def admit(circuit: Circuit, now: float) -> tuple[Circuit, float]:
    """Whether an attempt may be made: seconds until the next probe, 0 where it may. One at a time is the probe."""
    if circuit.open_until is None:
        return circuit, 0.0
    if now < circuit.open_until:
        return circuit, circuit.open_until - now
    if circuit.probe is not None and now - circuit.probe < LONGEST_PROBE:
        return circuit, max(1.0, circuit.pause / 4)
    return replace(circuit, probe=now), 0.0


def told(policy: BreakerPolicy, circuit: Circuit, outcome: Outcome, now: float, *, admitted: float) -> Circuit:
    """The circuit after an attempt that was admitted at `admitted`."""
    if circuit.probe is not None and circuit.probe == admitted:
        return _probed(policy, circuit, outcome, now)
    if circuit.open_until is not None or outcome == "neutral":
        return circuit  # of an attempt from before it opened: known already
    counts = _counted(policy, circuit.counts, outcome == "failed", now)
    attempts, failures = sum(slot[1] for slot in counts), sum(slot[2] for slot in counts)
    if attempts >= policy.least and failures >= policy.share * attempts:
        return Circuit(open_until=now + policy.pause, pause=policy.pause)
    return replace(circuit, counts=counts)


def _probed(policy: BreakerPolicy, circuit: Circuit, outcome: Outcome, now: float) -> Circuit:
    if outcome == "ok":
        return Circuit()
    if outcome == "neutral":
        return replace(circuit, probe=None, open_until=now)
    pause = min(circuit.pause * 2, policy.longest)
    return Circuit(open_until=now + pause, pause=pause)


def _counted(
    policy: BreakerPolicy, counts: tuple[tuple[int, int, int], ...], failed: bool, now: float
) -> tuple[tuple[int, int, int], ...]:
    slot = int(now * SLOTS / policy.window)
    if counts and counts[-1][0] == slot:
        _, attempts, failures = counts[-1]
        return (*counts[:-1], (slot, attempts + 1, failures + failed))
    return (*(count for count in counts if count[0] > slot - SLOTS), (slot, 1, int(failed)))


def outcome_of(status: int) -> Outcome:
    """What a response's status says of the service: 5xx that it fails; our own limits and mistakes say nothing."""
    if status >= 500 or status == 408:
        return "failed"
    return "ok" if status < 400 else "neutral"
