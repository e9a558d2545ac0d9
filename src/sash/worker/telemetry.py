"""What a worker tells OpenTelemetry: a span for each job, counts and times by kind, what waits and who lives.

No text of messages. Whoever registered no provider pays next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sash.claude.loading import _load_metrics, _load_trace
from sash.errors import SashError
from sash.model.jobs import Job
from sash.model.workers import JobsState


class Telemetry:
    """The spans and metrics of one worker. `meter`: a `Meter`, by whose providers; else by the registered ones."""

    def __init__(self, worker: str, state: Callable[[], JobsState], meter: Any = None) -> None:
        self._worker, self._state = worker, state
        tracers, meters = getattr(meter, "tracer_provider", None), getattr(meter, "provider", None)
        self._tracer = _load_trace().get_tracer("sash", tracer_provider=tracers)
        self._metrics = _load_metrics()
        meters = self._metrics.NoOpMeterProvider() if meters is False else meters
        made = self._metrics.get_meter("sash", meter_provider=meters)
        self._jobs = made.create_counter("sash.jobs", "{job}", "jobs of workers, by kind and outcome")
        self._times = made.create_histogram("sash.job.duration", "s", "how long jobs took, by kind and outcome")
        made.create_observable_gauge("sash.jobs.waiting", [self._waiting], "{job}", "jobs that wait, by kind")
        made.create_observable_gauge("sash.workers", [self._alive], "{worker}", "workers that are alive")

    @contextmanager
    def around(self, job: Job) -> Iterator[Callable[[str], str]]:
        """The span of a job, and what takes its outcome."""
        outcome, began = "broken off", time.monotonic()

        def tell(what: str) -> str:
            nonlocal outcome
            outcome = what
            return what

        facts = {"sash.job.kind": job.kind, "sash.worker": self._worker, "gen_ai.conversation.id": job.conversation}
        with self._tracer.start_as_current_span("sash.job", attributes=facts) as span:
            try:
                yield tell
            finally:
                span.set_attribute("sash.job.outcome", outcome)
                labels = {"sash.job.kind": job.kind, "sash.job.outcome": outcome}
                self._jobs.add(1, labels)
                self._times.record(time.monotonic() - began, labels)

    def _waiting(self, _: Any) -> Iterator[Any]:
        with suppress(SashError):  # it cannot be told now
            for kind in self._state().kinds:
                yield self._metrics.Observation(kind.waiting, {"sash.job.kind": kind.kind})

    def _alive(self, _: Any) -> Iterator[Any]:
        with suppress(SashError):
            yield self._metrics.Observation(len(self._state().workers))
