"""One attempt at a request, as the meter saw it. Times are unix seconds, durations seconds, costs dollars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sash.model.forecast import Purpose
from sash.model.usage import Usage

Holder = Literal["", "limit", "breaker", "ceiling", "memo", "retries"]
"""what kept it from being sent; "" where it was sent"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What became of one attempt."""

    at: float
    model: str
    namespace: str = ""
    conversation: str = ""
    request: int | None = None
    """the row of the request log"""
    purpose: Purpose = "send"
    retry: int = 0
    """how many attempts at the same call came before"""
    status: int | None = None
    """None: no response"""
    error: str = ""
    """the error's type"""
    held_by: Holder = ""
    waited: float = 0.0
    """for its turn"""
    latency: float = 0.0
    """from sending to the end of the reply"""
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
