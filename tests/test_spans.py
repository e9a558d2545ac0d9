"""Spans around requests: plan, cut, recall, summarise; the SDK's own beside them; text only when asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, Recall, ServerCompaction, SlidingWindow, Summarised, simulator
from sash.claude.middleware import Meter
from sash.worker import Worker

sdk = pytest.importorskip("opentelemetry.sdk.trace")
sdk_metrics = pytest.importorskip("opentelemetry.sdk.metrics")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


@pytest.fixture
def traced() -> Any:
    """A provider, and what it was told."""
    exporter, provider = memory.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    return provider, exporter


def names(exporter: Any) -> list[str]:
    """Of all spans, in the order they ended."""
    return [span.name for span in exporter.get_finished_spans()]


def test_plans_cuts_and_recall_leave_spans(traced: Any) -> None:
    """With what was planned as attributes, and no text."""
    provider, exporter = traced
    with Conversation(id="a", client="simulator", meter=Meter(tracer_provider=provider),
                      strategy=SlidingWindow(turns=2), recall=True) as chat:  # fmt: skip
        for text in ("The mill needs slates.", "How old is it?", "What does the mill need?"):
            chat.send(text)
    found = names(exporter)
    assert found.count("sash.plan") == 3
    assert {"sash.cut", "sash.recall"} <= set(found)
    plan = next(span for span in exporter.get_finished_spans() if span.name == "sash.plan")
    assert plan.attributes["gen_ai.conversation.id"] == "a" and plan.attributes["sash.tokens.expected"] > 0
    assert "slates" not in str([dict(span.attributes) for span in exporter.get_finished_spans()])


@pytest.mark.parametrize(
    ("purpose", "settings"),
    [
        ("summary", {"summarise": Summarised(tokens=600, ahead=False)}),
        ("compaction", {"strategy": ServerCompaction()}),
    ],
)
def test_every_request_for_a_summary_leaves_a_span(traced: Any, purpose: str, settings: Any) -> None:
    """As many as were made, each saying what it was for; sends leave none of that kind."""
    provider, exporter = traced
    sim = simulator.Simulator()
    with Conversation(id="a", client=sim.client(), clock=sim.clock.now, budget=4_000, keep=800, **settings,
                      meter=Meter(tracer_provider=provider, provider=False)) as chat:  # fmt: skip
        for number in range(40):
            chat.send(f"Cake {number} is for table {number * 7}. " + "Please write that down. " * 12)
        made = [summary for summary in chat.summaries() if summary.requests]
    spans = [span for span in exporter.get_finished_spans() if span.name == "sash.summarise"]
    assert made and len(spans) == sum(summary.requests for summary in made)
    assert {span.attributes["sash.purpose"] for span in spans} == {purpose}
    assert {span.attributes["gen_ai.conversation.id"] for span in spans} == {"a"}


def test_reading_for_a_profile_leaves_a_span(traced: Any) -> None:
    """With what it was for."""
    provider, exporter = traced
    meter = Meter(tracer_provider=provider, provider=False)
    with Conversation(id="a", user="ann", memory="full", client=simulator.Simulator().client(), meter=meter) as chat:
        chat.send("My knees ache on stairs. " * 300)
        chat.wait_for_background()
    (span,) = (span for span in exporter.get_finished_spans() if span.name == "sash.distil")
    assert span.attributes["sash.purpose"] == "profile"


def test_text_stands_in_spans_where_it_was_asked_for(traced: Any) -> None:
    """The new turns of each plan."""
    provider, exporter = traced
    with Conversation(client="simulator", meter=Meter(tracer_provider=provider, content=True)) as chat:
        chat.send("The mill needs slates.")
    assert "slates" in str([dict(span.attributes) for span in exporter.get_finished_spans()])


def test_without_a_meter_there_are_none(traced: Any) -> None:
    """Nothing is traced that nobody asked for; asynchronously it is the same."""
    provider, exporter = traced

    async def talk(**more: Any) -> None:
        async with AsyncConversation(client=simulator.async_client(), **more) as chat:
            await chat.send("Hello")

    asyncio.run(talk())
    assert names(exporter) == []
    asyncio.run(talk(meter=Meter(tracer_provider=provider)))
    assert "sash.plan" in names(exporter)


def test_a_worker_leaves_a_span_for_each_job_and_counts_them(traced: Any, tmp_path: Path) -> None:
    """By kind and outcome, and how many wait and live; no text of what was said."""
    reading = pytest.importorskip("opentelemetry.sdk.metrics.export").InMemoryMetricReader()
    provider, exporter = traced
    meter = Meter(tracer_provider=provider, provider=sdk_metrics.MeterProvider([reading]))
    path = tmp_path / "chats.db"
    with Conversation(
        path, id="a", client="simulator", background="worker", recall=Recall(semantic=Embedder())
    ) as chat:
        chat.extend([{"role": ("user", "assistant")[at % 2], "content": f"Slate {at}"} for at in range(40)])
    with Worker(path, client="simulator", embedder=Embedder(), meter=meter) as worker, worker._alive():
        assert worker._next(strict=True) == "done"
        read = reading.get_metrics_data().resource_metrics[0].scope_metrics
    found = {
        metric.name: [(dict(point.attributes), getattr(point, "value", None)) for point in metric.data.data_points]
        for scope in read
        for metric in scope.metrics
    }
    what = {"sash.job.kind": "embeddings", "sash.job.outcome": "done"}
    assert found["sash.jobs"] == [(what, 1)] and found["sash.job.duration"][0][0] == what
    assert found["sash.workers"] == [({}, 1)]
    assert found["sash.jobs.waiting"] == [({"sash.job.kind": "embeddings"}, 0)]
    (span,) = [span for span in exporter.get_finished_spans() if span.name == "sash.job"]
    assert dict(span.attributes) == {**what, "sash.worker": worker.info.name, "gen_ai.conversation.id": "a"}


class Embedder:
    """One that makes the same of every text."""

    name = "same"

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """One row for each."""
        return [[1.0, 2.0] for _ in texts]
