"""What travels beside a request to the middleware of the SDK's client, which sees only bodies and headers.

One context variable holds the planner's forecast during a call, another the notes that the middleware of one
attempt leave for the meter. Both are per thread and per task.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sash.model.forecast import Forecast

MESSAGES = "/v1/messages"
"""Where a reply is asked for."""

_forecast: ContextVar[Forecast | None] = ContextVar("sash_forecast", default=None)
_bypass_memo: ContextVar[bool] = ContextVar("sash_bypass_memo", default=False)
_notes: ContextVar[dict[str, Any] | None] = ContextVar("sash_notes", default=None)


@contextmanager
def forecasting(forecast: Forecast | None) -> Iterator[None]:
    """Let the middleware of calls made inside know `forecast`."""
    token = _forecast.set(forecast)
    try:
        yield
    finally:
        _forecast.reset(token)


def forecast() -> Forecast | None:
    """The forecast of the request under way, where somebody made one."""
    return _forecast.get()


def purpose() -> str:
    """What the request under way is for: "send", "summary", "compaction", "profile"; "request" where nobody said."""
    known = _forecast.get()
    return known.purpose if known is not None else "request"


@contextmanager
def bypass_memo() -> Iterator[None]:
    """Have calls made inside answered anew, never from a memo."""
    token = _bypass_memo.set(True)
    try:
        yield
    finally:
        _bypass_memo.reset(token)


def memo_bypassed() -> bool:
    """Whether the call under way is to be answered anew."""
    known = _forecast.get()
    return _bypass_memo.get() or (known is not None and known.bypass_memo)


@contextmanager
def noting(notes: dict[str, Any]) -> Iterator[None]:
    """Collect what the middleware inside note of one attempt."""
    token = _notes.set(notes)
    try:
        yield
    finally:
        _notes.reset(token)


def note(**facts: Any) -> None:
    """Leave facts of the attempt under way for whoever collects them."""
    notes = _notes.get()
    if notes is not None:
        notes.update(facts)
