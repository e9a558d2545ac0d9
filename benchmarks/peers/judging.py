"""The judge: whatever a peer would send is sent to the simulator, which refuses, bills and caches it as the API does.

A conversation is lived with the recording's own replies at the recording's own times, as `sash.lab.living` does it for
sash. Dollars are those of the prompts and of the summaries that a peer asks for; the replies cost the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from anthropic import APIStatusError

from benchmarks.peers.peer import Body, Message, Setting, text_of
from benchmarks.peers.recordings import check_talk
from sash.lab.living import PACE, REPLY, WARM, LivedQuestion, QuestionOutcome, Story, normal
from sash.model.cards import ModelCard
from sash.model.usage import Usage
from sash.simulator import Clock, Simulator
from sash.simulator.summarising import compacted

QUOTED = 0.25
"""Of what it is asked to summarise, the simulated model quotes about this share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of one conversation in a peer's hands. Tokens and dollars."""

    dollars: float
    usage: Usage
    requests: int
    refused: int
    problem: str
    """why the first of these was refused"""
    largest: int
    over: int
    """requests above the budget"""
    summaries: int
    summary_dollars: float
    asked: tuple[QuestionOutcome, ...]


class Judge:
    """One conversation on a simulator of its own."""

    def __init__(self, story: Story, card: ModelCard, budget: int) -> None:
        check_talk(story)
        self._story, self._card, self._budget = story, card, budget
        self._sim = self._simulator(story.exchanges[0].at or 1.7e9)
        self._client = self._sim.client(max_retries=0)
        self._asking = False
        self._usages: list[Usage] = []
        self._refusals: list[str] = []
        self._summaries: list[float] = []
        self._replies = 0.0

    def _simulator(self, start: float) -> Simulator:
        return Simulator(clock=Clock(start=start), cards={self._card.id: self._card})

    def ask(self, body: Body) -> str:
        """A summary that a peer asks for: billed, unless it is for a question, of which nothing is kept."""
        self._sim.script([compacted(body, QUOTED)])
        before = self._sim.cost
        sim = self._simulator(self._sim.clock.now()) if self._asking else self._sim
        if self._asking:
            sim.script([compacted(body, QUOTED)])
            self._sim.script([])
        reply = _sent(sim.client(max_retries=0), self._whole(body))
        if not self._asking:
            self._summaries.append(self._sim.cost - before)
        return "".join(block.text for block in reply.content if block.type == "text")

    def live(self, peer: Any, setting: Setting) -> Judgement:
        """The whole conversation, and on the way its questions."""
        peer.open(setting)
        try:
            return self._judgement(tuple(self._lived(peer)))
        finally:
            peer.close()

    def _lived(self, peer: Any) -> Iterator[QuestionOutcome]:
        probes: dict[int, list[LivedQuestion]] = {}
        for probe in self._story.probes:
            probes.setdefault(probe.after, []).append(probe)
        for number, exchange in enumerate(self._story.exchanges):
            clock = self._sim.clock
            clock.advance(max(PACE if number else 0.0, (exchange.at or 0.0) - clock.now()))
            usage = self._send(peer.request(_message("user", exchange.asked)), str(exchange.answered))
            peer.reply(_message("assistant", exchange.answered) | usage)
            for probe in probes.get(number, ()):
                yield self._answer(peer, probe)

    def _send(self, body: Body, answer: str) -> Body:
        """Send a request, and bill it without its reply; the usage, of which some libraries learn.

        The conversation goes on where it is refused, too.
        """
        self._sim.script([answer])
        try:
            _sent(self._client, self._whole(body))
        except APIStatusError as error:
            self._refusals.append(str(error.message))
            return {}
        billed = self._sim.messages[-1]
        assert billed.usage is not None
        asked = replace(billed.usage, output=0, thinking=0)
        self._replies += billed.cost - self._card.cost(asked)
        self._usages.append(asked)
        return {"usage": {"input_tokens": asked.prompt, "output_tokens": billed.usage.output}}

    def _answer(self, peer: Any, probe: LivedQuestion) -> QuestionOutcome:
        self._asking = True
        body = peer.peek(_message("user", probe.text))
        self._asking = False
        held = normal(_told(body, probe.text))
        found = sum(normal(text) in held for text in probe.wanted)
        whole = self._whole(body)
        return QuestionOutcome(
            conversation=self._story.id, category=probe.category, warm=probe.gap == WARM, found=found,
            evidence=len(probe.wanted), misled=not found and any(normal(text) in held for text in probe.stale),
            tokens=0 if self._sim.check(whole) else self._sim.count(whole), recalled=0,
        )  # fmt: skip

    def _whole(self, body: Body) -> Body:
        return {"max_tokens": min(REPLY, self._card.max_output), **body, "model": self._card.id}

    def _judgement(self, asked: tuple[QuestionOutcome, ...]) -> Judgement:
        prompts = [usage.prompt for usage in self._usages]
        return Judgement(
            dollars=self._sim.cost - self._replies,
            usage=sum(self._usages, Usage()),
            requests=len(prompts) + len(self._refusals),
            refused=len(self._refusals),
            problem=next(iter(self._refusals), ""),
            largest=max(prompts, default=0),
            over=sum(prompt > self._budget for prompt in prompts),
            summaries=len(self._summaries),
            summary_dollars=sum(self._summaries),
            asked=asked,
        )


def _message(role: str, content: Any) -> Message:
    return {"role": role, "content": content}


def _sent(client: Any, body: Body) -> Any:
    """The reply to a body whatever fields it has."""
    named = {name: body[name] for name in ("model", "max_tokens", "messages")}
    return client.messages.create(**named, extra_body={name: body[name] for name in body.keys() - named.keys()})


def _told(body: Mapping[str, Any], question: str) -> str:
    """All that a body tells, the question itself apart."""
    texts = [text_of(message) for message in body["messages"]]
    texts[-1] = texts[-1].removesuffix(question)
    return "\n".join([text_of({"content": body.get("system", "")}), *texts])
