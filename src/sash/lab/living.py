"""A conversation lived turn by turn through the public API, and what a request still holds when something is asked.

`Life` sends every exchange of a `Story` on the simulator, at the story's own dates, and gets the story's own replies
back. `Life.ask` plans a question without recording it, some seconds ahead of the conversation's clock, and looks for
what was wanted in the text of the body. Dollars are the simulator's bill. Nothing here knows a strategy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sash.conversation import Conversation
from sash.errors import BudgetExceeded
from sash.model.blocks import Block, readable
from sash.model.cards import ModelCard, card
from sash.model.replies import Reply as ChatReply
from sash.model.replies import each
from sash.model.usage import Usage
from sash.simulator import Clock, Reply, Simulator
from sash.stores import MemoryStore, Store

MODEL = "claude-sonnet-5-5"
REPLY = 16_000
USER = "ann"
PACE = 60.0
"""Seconds from an answer to the next question, where the data tells no other."""
WARM, COLD = 45.0, 86_400.0
"""Seconds from the last answer to a question: the cache is alive, or gone."""

Content = str | Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class LivedExchange:
    """What is said, and what is answered; with `result`, Claude first calls `look_up` and is told it."""

    asked: Content
    answered: Content
    at: float | None = None
    ids: tuple[str, ...] = ()
    result: str | None = None
    steps: tuple[LivedStep, ...] = ()
    """of a tool run: what `answered` is followed by"""
    instructed: tuple[str, ...] = ()
    """what a role `system` said before it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivedStep:
    """Results of calls, and what they were answered with."""

    results: Sequence[Block]
    answered: Content
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LivedQuestion:
    """A question, when it is asked, and the texts that a request must hold to answer it."""

    text: str
    category: str
    wanted: tuple[str, ...]
    stale: tuple[str, ...] = ()
    """what was true before: alone, it misleads"""
    after: int
    """index of the exchange behind which it is asked"""
    gap: float = WARM


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A conversation to live, and the questions to ask on the way."""

    data: str
    id: str
    exchanges: tuple[LivedExchange, ...]
    probes: tuple[LivedQuestion, ...] = ()
    elsewhere: tuple[tuple[LivedExchange, ...], ...] = ()
    """other conversations of the same user, which come before"""
    system: str | Sequence[Block] | None = None
    tools: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOutcome:
    """What became of one question."""

    conversation: str
    category: str
    warm: bool
    found: int
    evidence: int
    misled: bool
    """only what was true before stands in the request"""
    tokens: int
    """of the request"""
    recalled: int
    """of these, what was attached to the question"""

    @property
    def share(self) -> float:
        """Of the evidence that stands in the request."""
        return self.found / self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class LivedRequest:
    """One request of a life."""

    at: float
    """unix seconds"""
    usage: Usage
    dollars: float
    """all but replies' so far: of prompts, and of what else was asked, such as summaries"""
    cut: bool
    rule: str
    kept: int
    """verbatim tokens"""
    opens: bool
    """a plain user turn, no result of a tool"""


class Life:
    """A conversation with settings of its own, from its first exchange on, in a store of its own that it closes."""

    def __init__(
        self,
        story: Story,
        budget: int,
        settings: Mapping[str, Any],
        store: Store | None = None,
        model: str | ModelCard = MODEL,
    ) -> None:
        self._story, self._card = story, card(model) if isinstance(model, str) else model
        first = next(iter((*story.elsewhere, story.exchanges)))[0]
        self._simulator = Simulator(clock=Clock(start=first.at or 1.7e9), cards={self._card.id: self._card})
        self._simulator.script(self._reply)
        self._client = self._simulator.client(max_retries=0)
        self._ahead = 0.0
        self._said: LivedExchange | None = None
        self._answer: Content | None = None
        self._ids: dict[str, str] = {}
        self._told = 0.0
        self.requests: list[LivedRequest] = []
        self.unsent = 0
        """exchanges and steps that no legal request within the budget could hold"""
        self._store, self._settings = store or MemoryStore(), {**settings, "budget": budget}
        self._chat = self._open(story.id)

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *error: object) -> None:
        self._chat.close()
        self._store.close()
        self._client.close()

    def _open(self, id: str) -> Conversation:
        return Conversation(
            self._store,
            id=id,
            user=USER if self._story.elsewhere else None,
            card=self._card,
            system=self._story.system,
            tools=self._story.tools or None,
            max_tokens=min(REPLY, self._card.max_output),
            client=self._client,
            clock=lambda: self._simulator.clock.now() + self._ahead,
            **self._settings,
        )

    @property
    def dollars(self) -> float:
        """The simulator's bill so far: all requests of the conversation, summaries included."""
        return self._simulator.cost

    @property
    def replies(self) -> float:
        """The part of it that was paid for the story's own replies, which cost the same whatever is kept."""
        return self._told

    @property
    def keep(self) -> int:
        """Tokens that always stay verbatim."""
        return self._chat.keep

    def fixed(self) -> int:
        """Tokens of system and tools, as the simulator counts them."""
        body = {"model": self._card.id, "max_tokens": 1, "messages": [{"role": "user", "content": "."}]}
        sent = next((attempt.body for attempt in self._simulator.messages if attempt.usage), body)
        further = {name: sent[name] for name in ("system", "tools") if sent.get(name)}
        return self._simulator.count({**body, **further}) - self._simulator.count(body)

    def live(self) -> Iterator[QuestionOutcome]:
        """The whole conversation, behind the user's other ones; yields what its questions come to on the way."""
        for number, exchanges in enumerate(self._story.elsewhere, 1):
            with self._open(f"{self._story.id}, earlier {number}") as other:
                for exchange in exchanges:
                    self._say(other, exchange)
        probes: dict[int, list[LivedQuestion]] = {}
        for probe in self._story.probes:
            probes.setdefault(probe.after, []).append(probe)
        for number, exchange in enumerate(self._story.exchanges):
            self._say(self._chat, exchange)
            for probe in probes.get(number, ()):
                yield self.ask(probe)

    def ask(self, probe: LivedQuestion) -> QuestionOutcome:
        """Plan a question, write nothing, and look at the body."""
        self._ahead = probe.gap
        plan = self._chat.plan(probe.text)
        self._ahead = 0.0
        held = normal(_held(plan.body, probe.text))
        found = sum(normal(text) in held for text in probe.wanted)
        return QuestionOutcome(
            conversation=self._story.id,
            category=probe.category,
            warm=probe.gap == WARM,
            found=found,
            evidence=len(probe.wanted),
            misled=not found and any(normal(text) in held for text in probe.stale),
            tokens=plan.prompt.tokens,
            recalled=plan.attachment.tokens if plan.attachment else 0,
        )

    def _say(self, chat: Conversation, exchange: LivedExchange) -> None:
        self._wait(exchange.at, PACE if self._said else 0.0)
        self._said = exchange
        chat.extend({"role": "system", "content": text} for text in exchange.instructed)
        try:
            if exchange.result is None:
                self._send(chat, exchange.asked, exchange.answered)
                for step in exchange.steps:
                    self._wait(step.at, 0.0)
                    self._send(chat, self._now(step.results), step.answered, opens=False)
            else:
                self._answer = exchange.answered
                self._note(chat.run(exchange.asked, tools=[_look_up(exchange.result)], max_steps=3))
        except BudgetExceeded:  # nothing of it was written: the conversation goes on without it
            self.unsent += 1
        chat.wait_for_background()

    def _wait(self, at: float | None, least: float) -> None:
        """Until something is said at `at` (unix seconds), or for as long as one takes to answer."""
        clock = self._simulator.clock
        clock.advance(max(least, (at or 0.0) - clock.now()))

    def _send(self, chat: Conversation, content: Content, answer: Content, *, opens: bool = True) -> None:
        self._answer = answer
        reply = chat.send(content)
        if not isinstance(answer, str):
            called = [block["id"] for block in answer if block["type"] == "tool_use"]
            self._ids |= dict(zip(called, (call["id"] for call in reply.tool_calls), strict=False))
        self._note(reply, opens=opens)

    def _now(self, content: Sequence[Block]) -> list[Block]:
        """Results under the ids that their calls have now."""
        return [
            {**block, "tool_use_id": self._ids.get(block["tool_use_id"], block["tool_use_id"])}
            if block["type"] == "tool_result"
            else block
            for block in content
        ]

    def _note(self, reply: ChatReply, *, opens: bool = True) -> None:
        """What was sent, and what it cost."""
        for number, one in enumerate(each(reply)):
            asked = replace(one.usage, output=0, thinking=0)
            self._told += self._card.cost(one.usage) - self._card.cost(asked)
            self.requests.append(
                LivedRequest(
                    at=self._simulator.clock.now(),
                    usage=asked,
                    dollars=self.dollars - self._told,
                    cut=one.plan.cut and one.plan.decision.rule != "first",
                    rule=one.plan.decision.rule,
                    kept=one.plan.kept,
                    opens=opens and not number,
                )
            )

    def _reply(self, body: Mapping[str, Any]) -> Any:
        """The story's reply to what was just said; to a request for a summary the simulator's own."""
        said = self._said
        if said is None or self._answer is None:
            return None
        newest = next(one["content"] for one in reversed(body["messages"]) if one["role"] != "system")
        if any(block["type"] == "tool_result" for block in newest if isinstance(block, dict)):
            return _scripted(self._answer)
        if not readable(newest).endswith(_text(said.asked)):
            return None
        if said.result is not None:
            return [{"type": "tool_use", "name": "look_up", "input": {"what": said.asked}}]
        return _scripted(self._answer)


def _text(content: Content) -> str:
    return content if isinstance(content, str) else readable(content)


def _scripted(answer: Content) -> Any:
    """A recorded reply for the simulator, whose calls get ids of their own."""
    if isinstance(answer, str):
        return answer
    return Reply(content=[{name: value for name, value in block.items() if name != "id"} for block in answer])


def _look_up(result: str) -> Any:
    def look_up(what: str) -> str:  # noqa: ARG001 - a tool's parameters are its schema
        """Look something up in the shop's own books.

        Args:
            what: what is looked for
        """
        return result

    return look_up


def _held(body: Mapping[str, Any], question: str) -> str:
    """All that a body tells, the question itself apart."""
    texts = [readable(message["content"]) for message in body["messages"]]
    texts[-1] = texts[-1].removesuffix(question)
    return "\n".join(texts)


def normal(text: str) -> str:
    """A text without what quoting may change in it: escapes, line ends, runs of blanks."""
    return " ".join(text.replace("&lt;", "<").replace("&amp;", "&").split())
