"""Middleware for any client of the SDK, with or without a conversation.

    client = Anthropic(middleware=[Retries(RetryPolicy(longest=30))])

The same object serves `AsyncAnthropic`, and any number of clients at once. A conversation switches each on by an
argument of its own. From the outside in: meter, memo, retries, breaker, ceilings, limiter. Importing this loads the
SDK.
"""

from sash.claude.context import fresh
from sash.claude.middleware.base import PerAttempt
from sash.claude.middleware.breaker import Breaker
from sash.claude.middleware.ceilings import Ceilings
from sash.claude.middleware.limiter import Limiter
from sash.claude.middleware.memo import Memo
from sash.claude.middleware.meter import Meter
from sash.claude.middleware.retries import Retries
from sash.limits.alerts import Alerts
from sash.limits.breakers import BreakerPolicy
from sash.limits.buckets import Limits
from sash.limits.ceilings import Ceiling
from sash.limits.memo import MemoPolicy
from sash.limits.retries import RetryPolicy

__all__ = [
    "Alerts",
    "Breaker",
    "BreakerPolicy",
    "Ceiling",
    "Ceilings",
    "Limiter",
    "Limits",
    "Memo",
    "MemoPolicy",
    "Meter",
    "PerAttempt",
    "Retries",
    "RetryPolicy",
    "fresh",
]
