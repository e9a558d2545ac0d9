"""The simulator as a test wants it: what was sent, what it cost, and assertions that say what went wrong.

    claude = SimulatedClaude()
    bot = Bot(client=claude.client())                  # or claude.url, for a client of its own
    claude.script(["Hello!"]), claude.fail_next(Overloaded()), claude.advance(301)
    claude.requests[-1].body                           # the attempts on /v1/messages, oldest first
    claude.assert_legal(), claude.assert_cost(below=0.01), claude.assert_cached(at_least=0.8)

pytest has it as the fixture `claude`, which the package brings along.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from sash.errors import InvalidOption
from sash.model.usage import Usage
from sash.simulator.calls import Attempt
from sash.simulator.core import Simulator
from sash.simulator.server import Serving


@dataclass(kw_only=True, eq=False, repr=False)
class SimulatedClaude(Simulator):
    """A simulator that is asked by tests. It takes the simulator's options."""

    _serving: Serving | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its address on loopback; it listens from the first time this is asked until `close`."""
        if self._serving is None:
            self._serving = self.serve()
        return self._serving.url

    def close(self) -> None:
        """Stop listening, if it does."""
        if self._serving is not None:
            self._serving.close()

    def advance(self, seconds: float) -> None:
        """Let time pass: caches expire, limits refill, batches end. Raises InvalidOption for a negative time."""
        self.clock.advance(seconds)

    @property
    def requests(self) -> list[Attempt]:
        """The attempts on /v1/messages, oldest first, failed ones and retries included."""
        return self.messages

    @property
    def usage(self) -> Usage:
        """What all requests together used."""
        return sum((attempt.usage for attempt in self.requests if attempt.usage is not None), Usage())

    def assert_legal(self) -> None:
        """No request was refused for what it held; faults that the test asked for do not count."""
        __tracebackhide__ = True
        refused = [one for one in self.log if one.status in (400, 404, 413) and one.fault is None]
        if refused:
            told = "; ".join(f"request {one.number}: {one.error}" for one in refused)
            raise AssertionError(f"{len(refused)} of {len(self.log)} requests were refused: {told}")

    def assert_cost(self, *, below: float) -> None:
        """All requests so far cost less than so many dollars. Raises InvalidOption for what is no number."""
        __tracebackhide__ = True
        _check_number("below", below, "a number of dollars, as 0.05")
        if not self.cost < below:
            worst = max(self.log, key=lambda one: one.cost, default=None)
            dearest = f"; the dearest is request {worst.number} with ${worst.cost:.6f}" if worst else ""
            raise AssertionError(f"{len(self.requests)} requests cost ${self.cost:.6f}, not below ${below}{dearest}")

    def assert_cached(self, *, at_least: float, last: bool = False) -> None:
        """At least this share (0 to 1) of all prompt tokens was read from the cache; `last`: of the last request's."""
        __tracebackhide__ = True
        _check_number("at_least", at_least, "a share from 0 to 1", most=1)
        answered = [one for one in self.requests if one.usage is not None]
        usage = (answered[-1].usage if last else self.usage) if answered else None
        share = usage.cached_share if usage else 0.0
        if usage is None or share < at_least:
            each = ", ".join(f"{one.usage.cached_share:.0%}" for one in answered if one.usage) or "no request came"
            raise AssertionError(f"{share:.1%} was read from the cache, not {at_least:.1%} (by request: {each})")

    def assert_sent(self, text: str, *, at: int = -1) -> None:
        """The request at this place (the last one) holds a text anywhere in its body: what it forgot, it lacks.

        Raises InvalidOption for what every request would hold, or none could: an empty text, a number.
        """
        __tracebackhide__ = True
        if not isinstance(text, str) or not text:
            raise InvalidOption(f"text={text!r:.60}: give some words as a str", option="text", value=text)
        try:
            attempt = self.requests[at]
        except IndexError:
            raise AssertionError(f"there is no request {at}: {len(self.requests)} came") from None
        told = json.dumps(attempt.body, ensure_ascii=False)
        if json.dumps(text, ensure_ascii=False)[1:-1] not in told:
            raise AssertionError(f"request {attempt.number} does not hold {text!r}: {told:.400}")


def _check_number(name: str, value: object, remedy: str, most: float = math.inf) -> None:
    """Raise InvalidOption for what an assertion cannot compare with."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise InvalidOption(f"{name}={value!r:.60}: give {remedy}", option=name, value=value)
