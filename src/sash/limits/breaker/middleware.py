"""The circuit breaker: while a model is down, requests to it fail at once, and a probe tells when it is back.

One circuit per key and model. A stream counts when it ends: one that breaks off is a failure, one that its reader left
is not. The deciding is in `sash.limits.breaker.policy`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from sash.errors import BreakerOpen
from sash.limits.attempts import Attempt, Next, PerAttempt, Timing, WallTiming
from sash.limits.breaker.policy import BreakerPolicy, Circuit, Outcome, admit, outcome_of, told
from sash.limits.context import forecast
from sash.limits.endings import ReplyEnding, ending

log = logging.getLogger("sash.claude")


class Breaker(PerAttempt):
    """Fails fast while attempts fail. One object may serve any number of clients. Raises BreakerOpen.

    `key` tells apart clients with keys of their own.
    """

    def __init__(self, policy: BreakerPolicy | None = None, *, key: str = "", timing: Timing | None = None) -> None:
        self.policy, self.key = policy or BreakerPolicy(), key
        self._timing = timing or WallTiming()
        self._circuits: dict[str, Circuit] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"Breaker({self.policy!r})"

    def circuit(self, model: str, key: str = "") -> Circuit:
        """The circuit of a model, as it stands."""
        with self._lock:
            return self._circuits.get(f"{key or self.key}:{model}", Circuit())

    def attempt(self, request: Any) -> Attempt:
        """Fail fast, or send and take note of how it went."""
        body = request.json if isinstance(request.json, Mapping) else {}
        known = forecast()
        name = f"{(known.key if known else '') or self.key}:{body.get('model')}"
        admitted = self._admit(name)
        try:
            response = yield Next(request)
        except Exception as error:
            self._tell(name, "neutral" if type(error).__module__.startswith("sash.") else "failed", admitted)
            raise
        except BaseException:
            self._tell(name, "neutral", admitted)
            raise
        if response.status_code >= 400:
            self._tell(name, outcome_of(response.status_code), admitted)
            return response

        def ended(end: ReplyEnding) -> None:
            self._tell(name, "failed" if end.error else "ok", admitted)

        yield from ending(response, ended)
        return response

    def _admit(self, name: str) -> float:
        """When it was admitted. Raises BreakerOpen."""
        with self._lock:
            now = self._timing.now()
            self._circuits[name], wait = admit(self._circuits.get(name, Circuit()), now)
        if wait > 0:
            raise _open(name, wait)
        return now

    def _tell(self, name: str, outcome: Outcome, admitted: float) -> None:
        with self._lock:
            before = self._circuits[name]
            after = told(self.policy, before, outcome, self._timing.now(), admitted=admitted)
            self._circuits[name] = after
        if after.state != before.state:
            log.warning("the circuit of %s is %s", name.removeprefix(":"), after.state)


def _open(name: str, wait: float) -> BreakerOpen:
    state = f"{name.removeprefix(':')} failed too often; it is tried again in {wait:.0f} s"
    return BreakerOpen(
        f"{state}. Nothing was sent, the turn is pending; retry() sends it then",
        status=None,
        kind="breaker_open",
        request_id=None,
        retry_after=wait,
        detail=state,
    )
