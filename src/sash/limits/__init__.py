"""Staying within limits: a guard for each, in a folder of its own.

In each, `policy.py` (beside it `buckets.py` of the limiter; `alerts.py` of the meter) says what may be sent now, what
waits and how long, what is not tried again, as functions of values and a given time: no clock, no locks, no network.
`middleware.py` carries it out for any client of the SDK, which it loads; `sash.claude.middleware` hands all of it on.
"""

from sash.limits.breaker.policy import BreakerPolicy
from sash.limits.ceilings.policy import Ceiling
from sash.limits.limiter.policy import Limits
from sash.limits.memo.policy import MemoPolicy
from sash.limits.meter.alerts import Alerts
from sash.limits.retries.policy import RetryPolicy

__all__ = ["Alerts", "BreakerPolicy", "Ceiling", "Limits", "MemoPolicy", "RetryPolicy"]
