"""Which failed attempts are worth another: the SDK retries, this says where it should not.

The SDK obeys any `retry-after`, retries spend caps as any 429, and knows no bound on retries over all calls
("Errors", "Rate limits" docs; the SDK's README on retries). Looked at and left: tenacity retries whole calls, a loop
around the SDK's own, which multiplies attempts. Pure: time and state come in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sash.errors import InvalidOption
from sash.model.settings import settings

SPEND_CAPS = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
HOPELESS = (*SPEND_CAPS, "compaction_unavailable")
"""Error codes that no waiting of seconds mends."""


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """`longest` wait in seconds that a server may ask for; retries at most `share` of first attempts, `floor` free."""

    longest: float = 60.0
    share: float = 0.2
    floor: int = 10

    def __post_init__(self) -> None:
        if not self.longest >= 0:
            raise InvalidOption(f"longest={self.longest!r}: give seconds", option="longest", value=self.longest)
        if not 0 <= self.share <= 1:
            raise InvalidOption(f"share={self.share!r}: give a share, 0 to 1", option="share", value=self.share)
        if self.floor < 0:
            raise InvalidOption(f"floor={self.floor!r}: give a number of retries", option="floor", value=self.floor)


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many retries are left: first attempts pay in, retries draw."""

    left: float


def full(policy: RetryPolicy) -> RetryBudget:
    """The budget before the first attempt."""
    return RetryBudget(float(policy.floor))


def paid_in(budget: RetryBudget, policy: RetryPolicy) -> RetryBudget:
    """The budget after a first attempt. It saves no more than ten times its floor for worse times."""
    return replace(budget, left=min(budget.left + policy.share, max(10.0 * policy.floor, 100 * policy.share)))


def drawn(budget: RetryBudget) -> RetryBudget | None:
    """The budget after a retry, or None where there is none left."""
    return replace(budget, left=budget.left - 1) if budget.left >= 1 else None


def hopeless(policy: RetryPolicy, *, code: str | None, retry_after: float | None) -> str:
    """Why an attempt that failed like this is not to be made again, "" where it may be."""
    if code in HOPELESS:
        return f"{code}: waiting does not mend it"
    if retry_after is not None and retry_after > policy.longest:
        return f"the server asks to wait {retry_after:g} s, more than {policy.longest:g} s"
    return ""
