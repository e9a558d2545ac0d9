"""Staying within limits, pure: what may be sent now, what must wait and how long, what is not tried again.

Every decision is a function of values and a given time: no clock, no locks, no network. `sash.claude.middleware`
carries them out for any client of the SDK.
"""

from sash.limits.alerts import Alerts
from sash.limits.breakers import BreakerPolicy
from sash.limits.buckets import Limits
from sash.limits.ceilings import Ceiling
from sash.limits.memo import MemoPolicy
from sash.limits.retries import RetryPolicy

__all__ = ["Alerts", "BreakerPolicy", "Ceiling", "Limits", "MemoPolicy", "RetryPolicy"]
