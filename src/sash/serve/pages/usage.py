"""What was spent and used: by day, model, user, conversation; what failed, what waited, and alerts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from sash.limits.meter.alerts import Alerts, Hour, alarms
from sash.serve.asking import Parameters, query_of
from sash.serve.serving import namespace_of, serving_of
from sash.serve.spending import ceilings_in_use
from sash.stores.port import UsageRow

MOST = 20
"""Models, users and conversations shown: the dearest."""
HOURS = 24
"""Hours before one that say what is usual."""


class UsagePageQuery(Parameters):
    """Which time is looked at."""

    days: int = 30


def usage(request: Request) -> Response:
    """The page."""
    serving, asked, namespace = serving_of(request), query_of(request, UsagePageQuery), namespace_of(request)
    store, now = serving.store, time.time()
    days = min(max(asked.days, 1), 366)
    since = datetime.now(UTC) - timedelta(days=days - 1)
    day = since.strftime("%Y-%m-%d")
    by_day = store.usage(by=("day",), namespace=namespace, since=day)
    begins = since.replace(hour=0, minute=0, second=0).timestamp()
    return serving.page(
        request,
        "usage.html",
        days=days,
        spans=(7, 30, 90, 366),
        whole=summed(by_day),
        tables=[
            ("By day", "Day", list(reversed(by_day)), "day"),
            ("By model", "Model", store.usage(by=("model",), namespace=namespace, since=day, most=MOST), "model"),
            ("By user", "User", store.usage(by=("user",), namespace=namespace, since=day, most=MOST), "user"),
        ],
        ceilings=ceilings_in_use(store, serving.settings, namespace, now),
        dearest=store.dearest(namespace=namespace, limit=MOST),
        attempts=store.attempts.sums(namespace=namespace, since=begins),
        alerts=alerts(store.attempts.hours(now - min(days, 7) * 86_400, namespace)),
    )


def summed(rows: Iterable[UsageRow]) -> UsageRow:
    """All rows as one."""
    found = list(rows)
    names = ("requests", "fresh", "read", "written", "output", "unpriced")
    return UsageRow(
        group=(), dollars=sum(row.dollars for row in found),
        **{name: sum(getattr(row, name) for row in found) for name in names},
    )  # fmt: skip


def alerts(hours: Sequence[Hour]) -> list[tuple[float, str]]:
    """When something was wrong and what, the newest first."""
    found = [
        (hour.start, text)
        for at, hour in enumerate(hours)
        for _, text in alarms(Alerts(), hour, [one for one in hours[:at] if one.start >= hour.start - HOURS * 3_600])
    ]
    return found[::-1]
