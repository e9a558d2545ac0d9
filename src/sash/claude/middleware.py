"""Middleware for any client of the SDK, with or without a conversation.

    client = Anthropic(middleware=[Retries(RetryPolicy(longest=30))])

The same object serves `AsyncAnthropic`, and any number of clients at once. A conversation switches each on by an
argument of its own. From the outside in: meter, memo, retries, breaker, ceilings, limiter. Importing this loads the
SDK.
"""

from sash.limits.attempts import PerAttempt
from sash.limits.breaker.middleware import Breaker
from sash.limits.breaker.policy import BreakerPolicy
from sash.limits.ceilings.middleware import Ceilings
from sash.limits.ceilings.policy import Ceiling
from sash.limits.context import bypass_memo
from sash.limits.limiter.middleware import Limiter
from sash.limits.limiter.policy import Limits
from sash.limits.memo.middleware import Memo
from sash.limits.memo.policy import MemoPolicy
from sash.limits.meter.alerts import Alerts
from sash.limits.meter.middleware import Meter
from sash.limits.retries.middleware import Retries
from sash.limits.retries.policy import RetryPolicy

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
    "bypass_memo",
]
