"""`sash.fit`: as legal and as cheap as a conversation, without a record."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import held
import sash
from sash import Conversation, Economic, Everything, ServerCompaction, SlidingWindow, SteppedWindow, Summarised
from sash.counting import bases
from sash.errors import BudgetExceeded, InvalidContent, InvalidOption, UnknownModel
from sash.simulator import Reply, Simulator

MODEL = "claude-sonnet-5-5"
SYSTEM = "You keep the books of a harbour, and answer in whole sentences. " * 60
TOOL = {
    "name": "look_up",
    "description": "Looks a crate up.",
    "input_schema": {"type": "object", "properties": {"crate": {"type": "integer"}}},
}
STRATEGIES = (Economic(), SteppedWindow(), SlidingWindow(turns=4), SlidingWindow(tokens=900), Everything())
LINES = ("The crates came in on Monday.", "Nine of them are for Ann, 4711 for Ben.", "Please write that down.")


@dataclass(frozen=True)
class Step:
    """A question of so many sentences, the tools that its answer takes first, and the pause behind it."""

    said: int
    calls: int
    pause: int


def steps(most: int) -> st.SearchStrategy[list[Step]]:
    """Conversations."""
    one = st.builds(Step, said=st.integers(1, 60), calls=st.integers(0, 2), pause=st.sampled_from([5, 200, 400, 4_000]))
    return st.lists(one, min_size=2, max_size=most)


class Talk:
    """Somebody who keeps a list of messages, has it fitted, and asks the simulator, which judges every request."""

    def __init__(self, strategy: Any, *, budget: int = 4_000, told: bool = True, keeps: bool = True) -> None:
        self.sim, self.told, self.keeps = Simulator(), told, keeps
        self.messages: list[dict[str, Any]] = []
        self.client = self.sim.client(max_retries=0)
        self.options = {"model": MODEL, "budget": budget, "strategy": strategy, "system": SYSTEM, "tools": [TOOL]}
        self.state: Any = None
        self.usage: Any = None
        self.fitted: list[sash.Fitted] = []

    def play(self, lines: list[Step]) -> None:
        """Say it all."""
        for number, step in enumerate(lines):
            answer = f"Noted, as number {number}. " + LINES[number % 3] * (step.said // 4)
            calls = [{"type": "tool_use", "name": "look_up", "input": {"crate": number + n}} for n in range(step.calls)]
            replies: list[Reply | str] = [*([Reply(content=calls)] if calls else []), answer]
            self.sim.script(replies)
            self.say([{"type": "text", "text": " ".join(LINES[n % 3] for n in range(step.said))}])
            if calls:
                made = [block["id"] for block in self.messages[-1]["content"] if block["type"] == "tool_use"]
                self.say([{"type": "tool_result", "tool_use_id": call, "content": LINES[1] * 3} for call in made])
            self.sim.clock.advance(step.pause)

    def say(self, content: Any) -> None:
        """A message of the user, and the reply."""
        self.messages.append({"role": "user", "content": content})
        before = copy.deepcopy(self.messages)
        found = sash.fit(
            self.messages, now=self.sim.clock.now(), state=self.state, usage=self.usage if self.told else None,
            **self.options,
        )  # fmt: skip
        assert self.messages == before, "what was handed in stays as it is"
        message = self.client.messages.create(**found.request)
        self.messages.append({"role": "assistant", "content": [block.to_dict() for block in message.content]})
        self.usage, self.state = message.usage, json.loads(json.dumps(found.state)) if self.keeps else None
        self.fitted.append(found)


@settings(max_examples=6)
@given(lines=steps(5), strategy=st.sampled_from(STRATEGIES), told=st.booleans(), keeps=st.booleans())
def test_every_fitted_body_keeps_the_laws(lines: list[Step], strategy: Any, told: bool, keeps: bool) -> None:
    """Each body passes both judges and fits its budget, whatever is said; between cuts a view only grows at its end."""
    talk = Talk(strategy, told=told, keeps=keeps)
    talk.play(lines)
    for fitted, attempt in zip(talk.fitted, talk.sim.messages, strict=True):
        assert attempt.status == 200 and attempt.usage is not None
        held.form(fitted.body)
        bound = max(attempt.usage.prompt, fitted.plan.prompt.upper)
        assert bound <= talk.options["budget"] or strategy == Everything()
        gone = {n for out in fitted.left_out for n in range(out.first, out.last + 1)}
        sent = [message["content"][0].get("text") for message in fitted.body["messages"]]
        assert talk.messages[len(fitted.plan.numbered) + len(gone) - 1]["content"][0].get("text") == sent[-1]
    for before, after in pairwise(talk.fitted):
        if not after.plan.cut:
            bare = [held.bare(m["content"]) for m in before.body["messages"]]
            assert [held.bare(m["content"]) for m in after.body["messages"]][: len(bare)] == bare


TRACE = [Step(said=(7 * n) % 40 + 2, calls=n % 3 == 1, pause=(5, 30, 200, 400, 4_000)[n * n % 5]) for n in range(30)]


def spoken(strategy: Any, budget: int) -> Simulator:
    """The same trace, said to a conversation."""
    talk, sim = Talk(strategy), Simulator()
    with Conversation(
        client=sim.client(), clock=sim.clock.now, model=MODEL, memory="none", budget=budget, strategy=strategy,
        system=SYSTEM, tools=[TOOL], count_online=False,
    ) as chat:  # fmt: skip
        talk.sim, talk.say = sim, lambda content: _said(talk, chat, content)  # type: ignore[method-assign]
        talk.play(TRACE)
    return sim


def _said(talk: Talk, chat: Conversation, content: Any) -> None:
    reply = chat.send(content)
    talk.messages.append({"role": "assistant", "content": reply.message.to_dict()["content"]})


def test_it_sends_what_a_conversation_sends() -> None:
    """Where sizes do not decide, every body is a conversation's, byte for byte, markers included."""
    strategy = SlidingWindow(turns=4)
    talk = Talk(strategy, budget=20_000)
    talk.play(TRACE)
    assert [one.body for one in talk.sim.messages] == [one.body for one in spoken(strategy, 20_000).messages]


@pytest.mark.parametrize("strategy", [Economic(), SteppedWindow()])
def test_it_costs_what_a_conversation_costs(strategy: Any) -> None:
    """Where sizes decide, which a record learns better, a trace costs what it costs a conversation, within 5 %.

    With a tokenizer that is not Claude's own, whose counts are learned from usage, it may keep less and cost less.
    """
    talk = Talk(strategy)
    talk.play(TRACE)
    theirs = spoken(strategy, 4_000).cost
    assert talk.sim.cost <= theirs * 1.05
    assert talk.sim.cost >= theirs * 0.95 or bases.base("v5").name != "ctok"
    assert sum(fitted.plan.cut for fitted in talk.fitted) > 1
    assert len(json.dumps(talk.state)) < 4_000


def test_what_was_changed_begins_a_view() -> None:
    """An edited past, another system prompt and another model begin anew, say so, and are legal; a retry goes on."""
    talk = Talk(Economic(), budget=20_000)
    talk.play(TRACE[:6])
    again = sash.fit([*talk.messages[:-1]], now=talk.sim.clock.now(), state=talk.state, **talk.options)
    assert not again.plan.cut and again.body["messages"][-1]["content"][-1].pop("cache_control")
    asked = [*talk.messages[:-2], {"role": "user", "content": "Something else?"}]
    assert not sash.fit(asked, now=talk.sim.clock.now(), state=talk.state, **talk.options).plan.cut
    said = copy.deepcopy(talk.messages)
    said[0]["content"][0]["text"] = "Never mind."
    for messages, changed in (
        (said, {}),
        (talk.messages, {"system": "Short."}),
        (talk.messages, {"model": "claude-opus-5-5"}),
    ):
        found = sash.fit(
            [*messages, {"role": "user", "content": "And now?"}],
            now=talk.sim.clock.now(), state=talk.state, **{**talk.options, **changed},
        )  # fmt: skip
        assert found.plan.cut and found.plan.epoch.reason
        assert talk.client.messages.create(**found.request).stop_reason == "end_turn"


def test_what_leaves_is_named() -> None:
    """Every message is sent, or stands in exactly one stretch of what was left out, with the reason."""
    talk = Talk(SlidingWindow(turns=2))
    talk.play(TRACE[:8])
    (out,) = talk.fitted[-1].left_out
    assert out.first == 0 and out.last + 1 + len(talk.fitted[-1].body["messages"]) == len(talk.messages) - 1
    assert "window" in out.why and "not sent" in talk.fitted[-1].explain()


ASK = {"role": "user", "content": "Hello?"}
ANSWER = {"role": "assistant", "content": "Hi."}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "5"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}]}
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"messages": "Hello?"}, InvalidContent, "give a list of messages"),
    ({"messages": []}, InvalidContent, "messages=\\[\\]"),
    ({"messages": [ASK, {"role": "bot", "content": "x"}]}, InvalidContent, r"messages\[1\]"),
    ({"messages": [ASK, ANSWER]}, InvalidContent, r"messages\[1\].*question last"),
    ({"messages": [ASK, CALL, ASK]}, InvalidContent, r"messages\[1\].*t1"),
    ({"messages": [{"role": "user", "content": " "}]}, InvalidContent, r"messages\[0\]: the message is empty"),
    ({"messages": [ASK, ANSWER, {"role": "user"}]}, InvalidContent, r"messages\[2\]: the message is empty"),
    ({"messages": [RESULT]}, InvalidContent, r"messages\[0\]: a tool_result.*begin with what the user says"),
    ({"messages": [CALL, RESULT]}, InvalidContent, r"messages\[1\]: a tool_result.*begin with what the user says"),
    ({"model": "claude-sonet-5-5"}, UnknownModel, "claude-sonnet-5-5"),
    ({"model": None}, InvalidOption, "model"),
    ({"budget": None}, InvalidOption, "budget"),
    ({"budget": 0}, InvalidOption, "budget=0"),
    ({"budget": 100, "keep": 200}, InvalidOption, "keep=200"),
    ({"budget": 20, "messages": [{"role": "user", "content": "word " * 400}]}, BudgetExceeded, "budget of 20"),
    ({"strategy": "Economic"}, InvalidOption, "strategy"),
    ({"strategy": Summarised()}, InvalidOption, "Conversation"),
    ({"strategy": ServerCompaction()}, InvalidOption, "Conversation"),
    ({"now": "today"}, InvalidOption, "now='today': give unix seconds"),
    ({"now": float("nan")}, InvalidOption, "now=nan: give unix seconds"),
    ({"now": float("inf")}, InvalidOption, "now=inf: give unix seconds"),
    ({"usage": 5}, InvalidOption, "message.usage"),
    ({"state": {"version": 0}}, InvalidOption, "state"),
    ({"state": {"version": 1}}, InvalidOption, "hand in the `state`"),
    ({"temperature": 1}, InvalidOption, "temperature"),
    ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, InvalidContent, "tools"),
]


@pytest.mark.parametrize(("given", "error", "said"), BAD, ids=[said for _, _, said in BAD])
def test_what_cannot_be_fitted_is_named(given: dict[str, Any], error: type[Exception], said: str) -> None:
    """What is wrong is an error of ours, which names the message or the option, and the remedy."""
    told = {"messages": [ASK], "model": MODEL, "budget": 4_000, **given}
    with pytest.raises(error, match=said):
        sash.fit(**told)
