"""The SDK's retries, with their faults mended: see `sash.limits.retries.policy` for what is not tried again.

It marks a failed response with `x-should-retry: false`, which the SDK obeys; a lost connection beyond the retry
budget is raised as Unavailable, which the SDK does not retry. Successful attempts pass untouched.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

from sash.errors import Unavailable
from sash.limits.attempts import Attempt, Next, PerAttempt, ReadBody
from sash.limits.context import note, purpose
from sash.limits.headers import retry_after
from sash.limits.retries.policy import RetryBudget, RetryPolicy, drawn, full, hopeless, paid_in

log = logging.getLogger("sash.claude")


class Retries(PerAttempt):
    """Retries within reason. One object may serve any number of clients: they share its budget."""

    def __init__(self, policy: RetryPolicy | None = None) -> None:
        self.policy = policy or RetryPolicy()
        self._budget: RetryBudget = full(self.policy)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Retries({self.policy!r})"

    def attempt(self, request: Any) -> Attempt:
        """One attempt, with the next one forbidden where it would be in vain."""
        self._begin(request.retries_taken)
        note(retry=request.retries_taken)
        try:
            response = yield Next(request)
        except Exception as error:
            if _is_connection_error(error) and not self._may_retry():
                raise _given_up(type(error).__name__) from None
            raise
        if response.status_code < 400 or not _retryable(response.status_code):
            return response
        body = yield ReadBody(response)
        why = hopeless(self.policy, code=error_code(body), retry_after=retry_after(response.headers))
        if not why and not self._may_retry():
            why = "the retry budget is spent"
        log.info(
            "attempt %d of a %s failed with %d%s",
            request.retries_taken + 1,
            purpose(),
            response.status_code,
            f"; no retry: {why}" * bool(why),
        )
        if why:
            response.headers["x-should-retry"] = "false"
            note(given_up=why)
        return response

    def _begin(self, retries_taken: int) -> None:
        """Pay a first attempt in; draw a retry. Raises Unavailable where others drew the last one meanwhile."""
        with self._lock:
            left = drawn(self._budget) if retries_taken else paid_in(self._budget, self.policy)
            self._budget = left or self._budget
        if left is None:
            raise _given_up("retry")

    def _may_retry(self) -> bool:
        with self._lock:
            return drawn(self._budget) is not None


def error_code(body: bytes) -> str | None:
    """The `error_code` of an error's body, where it has one."""
    try:
        error = json.loads(body).get("error") or {}
    except (ValueError, AttributeError):
        return None
    details = error.get("details") if isinstance(error, Mapping) else None
    code = details.get("error_code") if isinstance(details, Mapping) else None
    return code if isinstance(code, str) else None


def _retryable(status: int) -> bool:
    """What the SDK would send again ("Errors" docs)."""
    return status in (408, 409, 429) or status >= 500


def _is_connection_error(error: Exception) -> bool:
    return any(kind.__name__ == "APIConnectionError" for kind in type(error).__mro__)


def _given_up(kind: str) -> Unavailable:
    return Unavailable(
        "no reply came, and the budget of retries is spent; the turn is pending, retry() sends it later",
        status=None,
        kind=kind,
        request_id=None,
        retry_after=None,
        detail="the retry budget is spent",
    )
