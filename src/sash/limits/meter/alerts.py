"""When to raise an alarm: a cost spike, or too many errors. Pure: sums over hours come in.

Alerts on shares of a ceiling stand with the ceilings. Each is raised once per hour it happens in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sash.errors import InvalidOption
from sash.model.settings import settings


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """A `spike`: an hour that costs this many times the usual hour, and at least `least_dollars`.

    `errors`: the share of failed attempts within an hour, of at least `least_attempts`.
    """

    spike: float = 5.0
    least_dollars: float = 1.0
    errors: float = 0.2
    least_attempts: int = 20

    def __post_init__(self) -> None:
        if not self.spike > 1:
            raise InvalidOption(f"spike={self.spike!r}: give a factor above 1", option="spike", value=self.spike)
        if not 0 < self.errors <= 1:
            raise InvalidOption(f"errors={self.errors!r}: give a share, 0 to 1", option="errors", value=self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What happened within one hour."""

    start: float
    dollars: float = 0.0
    attempts: int = 0
    failures: int = 0


def alarms(alerts: Alerts, hour: Hour, before: Sequence[Hour]) -> list[tuple[str, str]]:
    """(kind, sentence) for what is wrong with an hour, given the day before it (hours with traffic)."""
    found = []
    usual = sum(past.dollars for past in before) / len(before) if before else 0.0
    if before and hour.dollars >= max(alerts.least_dollars, alerts.spike * usual):
        found.append(("spike", f"cost spike: ${hour.dollars:.2f} this hour, ${usual:.2f} in a usual one"))
    if hour.attempts >= alerts.least_attempts and hour.failures >= alerts.errors * hour.attempts:
        share = hour.failures / hour.attempts
        found.append(("errors", f"errors: {share:.0%} of {hour.attempts} attempts failed this hour"))
    return found
