"""What is booked for a reply that broke off: its prompt, as its first event told it, and a bound of its output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.claude.middleware.watch import Ending
from sash.counting.cut_short import most_written
from sash.counting.estimator import Estimator
from sash.model.bill import with_output
from sash.model.cards import ModelCard


def booked(end: Ending, asked: ModelCard, body: Mapping[str, Any], seconds: float) -> Mapping[str, Any] | None:
    """The usage to book for a reply to `body` that ended `seconds` after it began; None where nothing is known."""
    if end.usage is None or end.whole or end.stop_reason is not None:
        return end.usage  # with a stop reason all of it had come; only the farewell is missing
    most = int(body.get("max_tokens") or 0)
    output = most_written(end.received, Estimator.for_model(asked), seconds=seconds, most=most)
    return with_output(end.usage, output)
