"""OpenTelemetry spans of what sash does around a request: `sash.plan`, `sash.cut`, `sash.recall`, `sash.summarise`.

The SDK's own span of the call stands beside them, or below a summary's. Made around what a flow asks of its store and
of Claude, so that flows know nothing of it. No text of messages, unless that was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sash.claude.loading import _load_trace
from sash.conversation.drivers import Performer
from sash.flows.steps import OpenStream, Send, Step
from sash.model.requests import NewRequest


class Spans:
    """The spans of one conversation. `provider`: a tracer provider, None for the registered one."""

    def __init__(self, conversation: str, *, provider: Any = None, content: bool = False) -> None:
        self._tracer = _load_trace().get_tracer("sash", tracer_provider=provider)
        self._conversation, self._content = conversation, content
        self._planning = 0

    @contextmanager
    def around(self, step: Step[Any]) -> Iterator[None]:
        """The span that a step is worth, if any."""
        if isinstance(step, Send | OpenStream) and step.wire.purpose != "send":
            name = "sash.distil" if step.wire.purpose == "profile" else "sash.summarise"
            with self._span(name, **{"sash.purpose": step.wire.purpose}):
                yield
        else:
            yield

    @contextmanager
    def around_call(self, name: str, given: tuple[Any, ...]) -> Iterator[None]:
        """Whatever spans a call of the store is worth."""
        if name in ("index.match", "index.near", "index.like", "index.between"):
            with self._span("sash.recall"):
                yield
            return
        if name == "windows.read":
            self._planning = time.time_ns()
        yield
        if name == "requests.begin":
            self._planned(*given)

    def _span(self, name: str, **facts: str) -> Any:
        facts["gen_ai.conversation.id"] = self._conversation
        return self._tracer.start_as_current_span(name, attributes=facts)

    def _planned(self, new: NewRequest) -> None:
        """The plan that was just recorded, and the cut where it began an epoch."""
        facts = {
            "gen_ai.conversation.id": self._conversation,
            "gen_ai.request.model": new.sent.model,
            "sash.tokens.expected": new.expected.prompt,
            "sash.tokens.most": new.expected.upper,
            "sash.tokens.read": new.expected.read,
            "sash.rule": str(new.why.get("rule") or ""),
        }
        if new.expected.dollars is not None:
            facts["sash.cost.expected"] = new.expected.dollars
        if self._content:
            facts["sash.content"] = [turn.content for turn in new.turns]
        self._tracer.start_span("sash.plan", start_time=self._planning or None, attributes=facts).end()
        if not new.epoch.id:
            reason = {"sash.reason": new.epoch.reason, "sash.start": new.epoch.first_seq}
            self._tracer.start_span("sash.cut", attributes={**facts, **reason}).end()


class TracedPerformer(Performer):
    """A performer whose steps leave spans."""

    def __init__(self, spans: Spans, *given: Any) -> None:
        super().__init__(*given)
        self._spans = spans

    def __call__(self, step: Step[Any]) -> Any:
        """Perform one step, blocking."""
        with self._spans.around(step):
            return super().__call__(step)

    async def perform_async(self, step: Step[Any]) -> Any:
        """Perform one step without blocking the event loop."""
        with self._spans.around(step):
            return await super().perform_async(step)


def performer(spans: Callable[[], Spans | None], *given: Any) -> Performer:
    """A performer, traced where spans are wanted."""
    found = spans()
    return Performer(*given) if found is None else TracedPerformer(found, *given)
