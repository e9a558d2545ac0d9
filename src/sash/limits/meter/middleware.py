"""The meter: every attempt is written down, counted for OpenTelemetry, and watched for alarms.

Outermost, so that it sees what the other layers held back. Rows are kept for a moment and written together; `flush`
writes them now. Metrics carry the names of OpenTelemetry's GenAI conventions; spans are the SDK's own. No message text
comes near it.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sash.claude.loading import _load_metrics
from sash.errors import BreakerOpen, CeilingReached, LimitReached, SashError, UnknownModel
from sash.limits.attempts import Attempt, Next, PerAttempt, Work
from sash.limits.context import forecast, noting
from sash.limits.endings import ReplyEnding, booked, ending
from sash.limits.meter.alerts import Alerts, Hour, alarms
from sash.model.attempts import Attempted, Holder
from sash.model.bill import bill
from sash.model.cards import ModelCard, card
from sash.model.usage import Usage

log = logging.getLogger("sash.claude")

TOGETHER = 64
"""Rows that are written at once, at most."""
LATEST = 2.0
"""Seconds after which the next attempt writes those that wait."""
_BUCKETS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304]


class AttemptBook(Protocol):
    """Where attempts are written: `sash.stores.SqliteAttempts`, or anything of its shape."""

    def add(self, attempts: Sequence[Attempted]) -> None: ...
    def hours(self, since: float) -> list[Hour]: ...


class Meter(PerAttempt):
    """Counts every attempt. One object may serve any number of clients.

    `book`: where attempts are written; None: nowhere (a conversation uses its own file). `alerts`: what to raise an
    alarm for, to `alarm` (a callable that takes a sentence; None: the log). `provider`: an OpenTelemetry meter
    provider; None: the registered one, False: none. A conversation with a meter makes spans of its plans, cuts, recall
    and summaries, by `tracer_provider` (None: the registered one), with the text of new turns where `content` says so.
    """

    def __init__(
        self,
        book: AttemptBook | None = None,
        *,
        alerts: Alerts | None = None,
        alarm: Callable[[str], None] | None = None,
        provider: Any = None,
        tracer_provider: Any = None,
        content: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.book, self.alerts, self.alarm, self.provider, self.clock = book, alerts, alarm, provider, clock
        self.tracer_provider, self.content = tracer_provider, content
        self._rows: list[Attempted] = []
        self._lock = threading.RLock()
        self._written = time.monotonic()
        self._raised: set[tuple[float, str]] = set()
        self._metrics = None if provider is False else _instruments(provider)
        if book is not None:
            weakref.finalize(self, _write, book, self._rows)  # also at the interpreter's exit

    def __repr__(self) -> str:
        return f"Meter({self.book!r})"

    def kept_in(self, book: AttemptBook) -> Meter:
        """The same meter, writing to `book` where no other was named."""
        if self.book is not None:
            return self
        return Meter(
            book,
            alerts=self.alerts,
            alarm=self.alarm,
            provider=self.provider,
            tracer_provider=self.tracer_provider,
            content=self.content,
            clock=self.clock,
        )

    def attempt(self, request: Any) -> Attempt:
        """Send, and write down what became of it."""
        seen = _Seen(request, self.clock(), self._seen)
        try:
            with noting(seen.notes):
                response = yield Next(request)
        except GeneratorExit:
            raise
        except BaseException as error:
            seen(None, type(error).__name__, _holder(error))
            yield from self._due()
            raise
        if seen.notes.get("memo") or not hasattr(response, "http_response"):
            seen(200, held="memo")
        elif response.status_code >= 400:
            seen(response.status_code, str(seen.notes.get("given_up", "")))
        else:
            status, began = response.status_code, self.clock()

            def ended(end: ReplyEnding) -> None:
                seen(status, end.error, end=end, seconds=self.clock() - began)

            yield from ending(response, ended)
        yield from self._due()
        return response

    def flush(self) -> None:
        """Write what waits to be written, and see whether there is reason for an alarm."""
        if self.book is None:
            return
        with self._lock:
            rows, self._rows[:] = list(self._rows), []
            self._written = time.monotonic()
        _write(self.book, rows)
        if rows and self.alerts is not None:
            self._watch(self.alerts, rows[-1].at)

    def _seen(self, attempted: Attempted) -> None:
        with self._lock:
            if self.book is not None:
                self._rows.append(attempted)
        if self._metrics is not None:
            self._metrics(attempted)

    def _due(self) -> Attempt:
        """Write, where enough waits or has waited long enough."""
        with self._lock:
            due = len(self._rows) >= TOGETHER or (self._rows and time.monotonic() - self._written > LATEST)
        if due:
            yield Work(self.flush)

    def _watch(self, alerts: Alerts, now: float) -> None:
        assert self.book is not None
        *before, hour = self.book.hours(now - 86_400) or [Hour(start=0)]
        for kind, text in alarms(alerts, hour, before):
            if (hour.start, kind) not in self._raised:
                self._raised.add((hour.start, kind))
                log.warning("%s", text) if self.alarm is None else self.alarm(text)


class _Seen:
    """One attempt under way: called with what became of it, it writes that down."""

    def __init__(self, request: Any, at: float, write: Callable[[Attempted], None]) -> None:
        self.notes: dict[str, Any] = {}
        """what other middleware says of the attempt"""
        self._request, self._at, self._write = request, at, write
        self._body = request.json if isinstance(request.json, Mapping) else {}
        self._known = forecast()
        self._start = time.perf_counter()

    def __call__(
        self,
        status: int | None,
        error: str = "",
        held: Holder = "",
        end: ReplyEnding | None = None,
        seconds: float = 0.0,
    ) -> None:
        known = self._known
        usage, cost = _used(self._body, known.card if known else None, end, seconds)
        waited = float(self.notes.get("waited", 0.0))
        self._write(
            Attempted(
                at=self._at,
                model=str(self._body.get("model") or ""),
                namespace=known.namespace if known else "",
                conversation=known.conversation if known else "",
                request=known.request if known else None,
                purpose=known.purpose if known else "send",
                retry=self._request.retries_taken,
                status=status,
                error=error,
                held_by=held,
                waited=waited,
                latency=max(0.0, time.perf_counter() - self._start - waited),
                usage=usage,
                cost=cost,
            )
        )


def _write(book: AttemptBook, rows: list[Attempted]) -> None:
    """Write rows. A store that cannot take them, or is closed, must not cost anybody their reply."""
    if not rows:
        return
    try:
        book.add(rows)
    except SashError as error:
        log.warning("%d attempts could not be written down: %s", len(rows), type(error).__name__)


def _holder(error: BaseException) -> Holder:
    if isinstance(error, LimitReached):
        return "limit"
    if isinstance(error, BreakerOpen):
        return "breaker"
    if isinstance(error, CeilingReached):
        return "ceiling"
    return "retries" if isinstance(error, SashError) else ""


def _used(
    body: Mapping[str, Any], priced: ModelCard | None, end: ReplyEnding | None, seconds: float
) -> tuple[Usage, float]:
    """Tokens and dollars of a reply that took `seconds` to come; of one that broke off, what is booked for it.

    $0 where no price is known.
    """
    if end is None or end.usage is None:
        return Usage(), 0.0
    try:
        asked = priced or card(str(body.get("model") or ""))
    except UnknownModel:
        return Usage.billed(end.usage), 0.0
    used = booked(end, asked, body, seconds) or end.usage
    return Usage.billed(used), bill(used, asked, model=end.model, options=body) or 0.0


def _instruments(provider: Any) -> Callable[[Attempted], None]:
    """Counts an attempt with OpenTelemetry's GenAI metrics, and waits and what was held under sash's own names."""
    meter = _load_metrics().get_meter("sash", meter_provider=provider)
    duration = meter.create_histogram(
        "gen_ai.client.operation.duration", "s", "one attempt", explicit_bucket_boundaries_advisory=_BUCKETS
    )
    tokens = meter.create_histogram(
        "gen_ai.client.token.usage", "{token}", "tokens used", explicit_bucket_boundaries_advisory=_TOKENS
    )
    waits = meter.create_histogram("sash.limiter.wait", "s", "time an attempt waited for its turn")
    held = meter.create_counter("sash.attempts.held", "{attempt}", "attempts that were not sent, by what held them")
    cost = meter.create_counter("sash.cost", "USD", "dollars billed")

    def count(attempted: Attempted) -> None:
        facts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": attempted.model,
            "sash.purpose": attempted.purpose,
        }
        if attempted.held_by:
            held.add(1, {**facts, "sash.held_by": attempted.held_by})
            return
        failed = {"error.type": attempted.error or str(attempted.status)} if attempted.status != 200 else {}
        duration.record(attempted.latency, {**facts, **failed})
        waits.record(attempted.waited, facts)
        if attempted.usage.prompt:
            tokens.record(attempted.usage.prompt, {**facts, "gen_ai.token.type": "input"})
            tokens.record(attempted.usage.output, {**facts, "gen_ai.token.type": "output"})
            cost.add(attempted.cost, facts)

    return count
