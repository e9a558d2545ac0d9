"""The meter: every attempt is written down once, whatever became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import pytest

from limits.conftest import Caller, Turned
from sash import Conversation, SqliteStore, errors, simulator
from sash.claude.middleware import Alerts, Breaker, BreakerPolicy, Ceiling, Ceilings, Limiter, Limits, Meter, Retries
from sash.limits.meter.alerts import Hour
from sash.model.attempts import Attempted
from sash.simulator.faults import CutStream, Overloaded, RateLimited
from sash.stores import SqliteAttempts, SqliteSpend


class Kept:
    """A book in memory."""

    def __init__(self) -> None:
        self.rows: list[Attempted] = []

    def add(self, attempts: Any) -> None:
        self.rows.extend(attempts)

    def hours(self, since: float) -> list[Hour]:  # noqa: ARG002
        dollars = sum(row.cost for row in self.rows)
        return [Hour(start=0.0, dollars=dollars / 1e6), Hour(start=3600.0, dollars=dollars, attempts=len(self.rows))]


def test_replies_are_metered_with_usage_and_cost(caller: Caller) -> None:
    """Streamed or not, as the simulator billed them."""
    book = Kept()
    meter = Meter(book)
    caller.ask(meter)
    caller.stream(meter)
    meter.flush()
    assert [row.status for row in book.rows] == [200, 200]
    assert sum(row.cost for row in book.rows) == pytest.approx(caller.sim.cost)


def test_each_attempt_of_a_call_is_one_row(caller: Caller) -> None:
    """Retries are numbered; errors have their status."""
    book = Kept()
    meter = Meter(book)
    caller.sim.faults.fail_next(Overloaded())
    caller.sim.faults.fail_next(RateLimited())
    caller.ask(meter, Retries(), retries=2)
    caller.sim.faults.fail_next(CutStream(events=3, how="error"))
    with pytest.raises(anthropic.APIError):
        caller.stream(meter)
    meter.flush()
    assert [(row.status, row.retry) for row in book.rows] == [(529, 0), (429, 1), (200, 2), (200, 0)]
    assert book.rows[-1].error == "overloaded_error"


def test_what_was_held_back_is_named(caller: Caller, tmp_path: Path) -> None:
    """By the limiter, the breaker or a ceiling; nothing of it was sent."""
    book, spend = Kept(), SqliteSpend(tmp_path / "spend.db")
    meter, timing = Meter(book), Turned()
    failing = Breaker(BreakerPolicy(least=1), timing=timing)
    caller.sim.faults.fail_next(Overloaded())
    with pytest.raises(anthropic.APIError):
        caller.ask(failing)
    for layer in (Limiter(Limits(requests=0)), failing, Ceilings(Ceiling(tokens=0), book=spend)):
        with pytest.raises(errors.SashError):
            caller.ask(meter, layer)
    meter.flush()
    spend.close()
    assert [row.held_by for row in book.rows] == ["limit", "breaker", "ceiling"]


def test_waits_are_metered_apart_from_latency(caller: Caller) -> None:
    """What an attempt waited for its turn."""
    book = Kept()
    meter, limiter = Meter(book), Limiter(Limits(requests=2, burst=0.5), timing=Turned())
    for _ in range(2):
        caller.ask(meter, limiter)
    meter.flush()
    assert [row.waited for row in book.rows] == pytest.approx([0.0, 30.0])


def test_an_alarm_is_raised_once_an_hour(caller: Caller) -> None:
    """A cost spike, told to whoever listens."""
    told: list[str] = []
    meter = Meter(Kept(), alerts=Alerts(least_dollars=1e-9), alarm=told.append)
    for _ in range(3):
        caller.ask(meter)
        meter.flush()
    assert len(told) == 1 and "spike" in told[0]


def test_metrics_carry_the_genai_names(caller: Caller) -> None:
    """Tokens and durations as OpenTelemetry's conventions have them; what was held, too."""
    sdk = pytest.importorskip("opentelemetry.sdk.metrics")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    meter = Meter(provider=sdk.MeterProvider(metric_readers=[reader]))
    caller.ask(meter)
    with pytest.raises(errors.LimitReached):
        caller.ask(meter, Limiter(Limits(requests=0)))
    found = {metric.name: metric.data.data_points for group in reader.get_metrics_data().resource_metrics
             for scope in group.scope_metrics for metric in scope.metrics}  # fmt: skip
    usage = caller.sim.messages[-1].usage
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in found["gen_ai.client.token.usage"]}
    assert tokens == {"input": usage.prompt, "output": usage.output}
    assert found["gen_ai.client.operation.duration"][0].attributes["gen_ai.request.model"] == "claude-sonnet-5-5"
    assert found["sash.attempts.held"][0].value == 1


def test_a_conversation_keeps_them_beside_its_requests(tmp_path: Path) -> None:
    """Each row names its request; sums tell retries and what was refused."""
    path = tmp_path / "chats.db"
    sim = simulator.Simulator()
    sim.faults.fail_next(Overloaded())
    with Conversation(path, id="a", client=sim.client(), meter=True) as chat:
        reply = chat.send("Hello")
    store = SqliteStore(path)
    try:
        sums = store.attempts.sums()
        assert (sums.attempts, sums.retries, sums.failed) == (2, 1, 1)
        with store.database.reading() as db:
            costs = db.one("SELECT coalesce(sum(cost), 0.0), count(DISTINCT request_id) FROM attempts")
        assert tuple(costs) == (pytest.approx(reply.cost), 1)
    finally:
        store.close()


def test_a_book_that_fails_costs_nobody_their_reply(caller: Caller, tmp_path: Path) -> None:
    """It is logged."""
    book = SqliteAttempts(tmp_path / "a.db")
    meter = Meter(book)
    book.close()
    assert caller.ask(meter)
    meter.flush()
