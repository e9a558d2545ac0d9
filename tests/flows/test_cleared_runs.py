"""Long tool runs whose old results leave because that pays: what is sent, what it costs, what is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation, Economic, check_request, tool
from sash.errors import InvalidOption
from sash.model.answers import RunEvent
from sash.planning.rules import has_thinking
from sash.planning.situation import Strategy
from sash.simulator import Simulator
from sash.simulator.editing import edit

Talk = Callable[..., Conversation]
BINDING, FREE = "claude-sonnet-5-5", "claude-sonnet-5"
CALLS = 40


def look(word: str) -> str:
    """Look a word up."""
    shelves = (f"Shelf {n} of {word} holds {n * 37 % 101} lamps and {n * 53 % 89} jars of oil." for n in range(75))
    return "\n".join(shelves)


def looking(calls: int) -> Callable[[Any], Any]:
    """A Claude that makes so many calls, one by one, and then is done."""
    made = iter(range(1, calls + 1))

    def reply(_: Any) -> Any:
        number = next(made, None)
        return (
            "All done." if number is None else [{"type": "tool_use", "name": "look", "input": {"word": f"w{number}"}}]
        )

    return reply


def run(chat: Conversation, sim: Simulator, calls: int = CALLS, pause: float = 0.0) -> tuple[Any, list[RunEvent]]:
    """One question and its calls; each of the events. `pause`: seconds that the tenth call takes."""
    events: list[RunEvent] = []

    def told(event: Any) -> None:
        if isinstance(event, RunEvent):
            events.append(event)
            if event.type == "tool_result" and event.call and event.call["input"] == {"word": "w25"}:
                sim.clock.advance(pause)

    sim.script(looking(calls))
    return chat.run("Look up many words.", tools=[look], max_steps=calls + 5, on_event=told), events


def opened(talk: Talk, model: str, strategy: Strategy | None = None, **settings: Any) -> Conversation:
    """A conversation with room for all of it, little afraid of reading something again.

    It counts by what it learns from replies, wherever it runs: no vocabulary is the simulator's.
    """
    chosen = {
        "counter": "features",
        "strategy": strategy or Economic(caution=0.3),
        "budget": 150_000,
        "keep": 3_000,
        "memory": "none",
        **settings,
    }
    return talk(model=model, **chosen)


def clearings(reply: Any) -> list[int]:
    """Numbers of the requests with which results left, from 0."""
    return [number for number, step in enumerate(reply.steps) if step.plan.decision.clearing]


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_old_results_leave_a_running_exchange(talk: Talk, sim: Simulator, model: str) -> None:
    """None is refused, each is rebuilt byte for byte; calls and thinking stay, what stands before stays cached."""
    chat = opened(talk, model)
    reply, _ = run(chat, sim)
    assert {attempt.status for attempt in sim.messages} == {200}
    assert clearings(reply)
    for number in (*clearings(reply), CALLS):
        attempt = sim.messages[number]
        assert check_request(attempt.body, betas=attempt.betas) == []
        assert chat.request(number + 1).intact
        replies = [message for message in attempt.body["messages"] if message["role"] == "assistant"]
        thought = [turn for turn in chat.history()[: 2 * number + 1] if has_thinking(turn.blocks)]
        assert len(replies) == number
        assert sum(has_thinking(message["content"]) for message in replies) == len(thought) > 0
    assert ("context_management" in sim.messages[-1].body) == (model == BINDING)


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_the_bill_of_a_clearing_is_foretold(talk: Talk, sim: Simulator, model: str) -> None:
    """Reads are as expected within 2% of the prompt, at a clearing within 10%; it costs less than never to clear.

    From the second one on, a clearing reads what stands before its results: the one before wrote up to there.
    """
    reply, _ = run(opened(talk, model), sim)
    for number in range(1, CALLS + 1):
        usage, plan = sim.messages[number].usage, reply.steps[number].plan
        assert usage is not None
        assert abs(usage.read - plan.expected.read) <= (0.1 if plan.decision.clearing else 0.02) * usage.prompt
    bills = [sim.messages[number].usage for number in clearings(reply)]
    assert all(bill is not None and bill.read > 1_000 for bill in bills[1:])
    other = Simulator()
    with other.client(max_retries=0) as client:
        run(opened(talk, model, Economic(clear_results=False), id="b", client=client), other)
    assert sim.cost < other.cost


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_a_pause_in_a_run_is_the_time_to_clear(talk: Talk, sim: Simulator, model: str) -> None:
    """The tool that took ten minutes let the cache expire: what is old leaves with the request that follows."""
    reply, _ = run(opened(talk, model), sim, pause=600.0)
    plan = reply.steps[25].plan
    assert plan.decision.rule == "free"
    assert plan.decision.clearing
    assert "expired" in plan.explain()


def test_a_run_tells_what_left(talk: Talk, sim: Simulator) -> None:
    """An event before that of the reply names the calls; the plan says which, why, what it saves, what it may cost."""
    reply, events = run(opened(talk, FREE), sim)
    first = clearings(reply)[0]
    told = next(event for event in events if event.type == "cleared")
    plan = told.reply.plan
    assert plan is reply.steps[first].plan
    assert len(told.calls) == len(plan.decision.clearing.turns) > 1
    sent = {b["tool_use_id"]: b["content"] for m in plan.body["messages"] for b in m["content"] if "tool_use_id" in b}
    assert all("cleared to save context" in sent[call] for call in told.calls)
    text = plan.explain()
    assert f"{plan.decision.clearing.tokens:,} tokens (turn {min(plan.decision.cleared)}, look: " in text
    assert f"${plan.decision.clearing.saves:.4f}" in text
    assert f"${plan.decision.clearing.once:.4f}" in text


def ask(word: str) -> str:
    """Ask the customer about a word."""
    return f"The customer says {word} is fine. " * 60


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_what_one_tool_said_stays_while_the_rest_leaves(talk: Talk, sim: Simulator, model: str) -> None:
    """Claude still sees the results of the excluded tool, and those of the other no more, whoever clears."""
    names = iter(["ask", *["look"] * 9] * 4)
    replies = ([{"type": "tool_use", "name": name, "input": {"word": f"w{n}"}}] for n, name in enumerate(names))
    sim.script(lambda _: next(replies, "All done."))
    chat = opened(talk, model, Economic(caution=0.3, exclude=("ask",)))
    reply = chat.run("Look up many words.", tools=[look, ask], max_steps=CALLS + 5)
    assert {attempt.status for attempt in sim.messages} == {200}
    assert clearings(reply)
    seen = edit(sim.messages[-1].body, lambda body: len(str(body))).body
    said = [str(block["content"]) for m in seen["messages"] for block in m["content"] if "tool_use_id" in block]
    assert sum("The customer says" in text for text in said) == 4
    assert sum("cleared to save context" in text for text in said) > 9
    assert chat.request(CALLS + 1).intact


def test_results_of_excluded_tools_stay(talk: Talk, sim: Simulator) -> None:
    """Whatever it costs."""
    for model in (BINDING, FREE):
        reply, events = run(opened(talk, model, Economic(exclude=("look",)), id=model), sim)
        assert not clearings(reply)
        assert not [event for event in events if event.type == "cleared"]


@pytest.mark.parametrize("strategy", [Economic(exclude=("lok",)), Economic(cheap=("lok",))])
def test_an_unknown_tool_is_named(talk: Talk, sim: Simulator, strategy: Strategy) -> None:
    """Before anything is sent, with the nearest one that is known."""
    chat = opened(talk, FREE, strategy)
    with pytest.raises(InvalidOption, match=r"'lok'.*look"):
        chat.run("Look up.", tools=[look])
    assert not sim.messages
    assert chat.history() == []


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_thinking_that_a_cut_left_out_stands_nowhere(talk: Talk, sim: Simulator, model: str) -> None:
    """What a clearing reads is foretold within 1.5% of the prompt, however many replies before it lost thinking."""
    chat = opened(talk, model)
    for number in range(60):
        chat.send(f"Short question {number} about the lamp on shelf {number}?")
    sim.clock.advance(90_000)  # what was cached is gone, so the run begins with a cut
    reply, _ = run(chat, sim)
    assert reply.steps[0].plan.epoch.thinking_stripped_to > 0
    first = clearings(reply)[0]
    plan, usage = reply.steps[first].plan, sim.messages[60 + first].usage
    assert usage is not None
    assert abs(usage.read - plan.expected.read) <= 0.015 * usage.prompt


def named(given: Callable[..., str]) -> Callable[..., str]:
    """A copy of `look` by that name: marks stay with their own function."""

    def look(word: str) -> str:
        """Look a word up."""
        return given(word)

    return look


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_a_tool_says_itself_that_it_is_cheap(talk: Talk, tmp_path: Path, model: str) -> None:
    """`tool(cheap=True)` clears as the strategy's `cheap=` does, sooner than without; Claude is sent the same tools."""
    ways = {
        "named": (look, Economic(caution=4.0, cheap=("look",))),
        "marked": (tool(named(look), cheap=True), Economic(caution=4.0)),
        "neither": (look, Economic(caution=4.0)),
    }
    left, sent = {}, {}
    for way, (function, strategy) in ways.items():
        sim = Simulator()
        with sim.client(max_retries=0) as client:  # in a file of its own: what one learns of sizes the next would know
            chat = opened(talk, model, strategy, client=client, store=tmp_path / f"{way}.db")
            sim.script(looking(CALLS))
            reply = chat.run("Look up many words.", tools=[function], max_steps=CALLS + 5)
        left[way] = [step.plan.decision.cleared for step in reply.steps]
        sent[way] = sim.messages[-1].body["tools"]
    assert left["named"] == left["marked"] != left["neither"]
    assert sum(map(len, left["marked"])) > sum(map(len, left["neither"]))
    assert sent["named"] == sent["marked"]


def test_what_is_cheap_to_call_again_is_recorded(talk: Talk, sim: Simulator) -> None:
    """Opened again or forked without its tools, a conversation knows the mark; tools given anew say their own."""
    chat = opened(talk, FREE, id="marked")
    sim.script(looking(2))
    chat.run("Look up many words.", tools=[tool(named(look), cheap=True)], max_steps=5)
    assert chat.plan("And now?").situation.cheap == {"look"}
    with opened(talk, FREE, id="marked") as again, again.fork(id="other") as fork:
        again.send("On we go.")
        assert again.plan("And now?").situation.cheap == fork.plan("And now?").situation.cheap == {"look"}
        assert again.plan("And now?", tools=[look]).situation.cheap == frozenset()
    with opened(talk, FREE, id="plain") as plain:
        plan = plain.plan("Hello.")
        assert plan.situation.cheap == frozenset() and "cheap" not in plan.why


class Bare:
    """A client of a platform without betas."""

    def __init__(self, client: Any) -> None:
        self.messages = client.messages


@pytest.mark.parametrize("model", [BINDING, FREE])
def test_what_a_client_without_betas_cannot_have_is_said_once(talk: Talk, sim: Simulator, model: str) -> None:
    """Where thinking is bound nothing leaves, and one plan of the conversation says why; elsewhere results leave."""
    with sim.client(max_retries=0) as client:
        first, _ = run(opened(talk, model, id="bare", client=Bare(client)), sim)
        later, _ = run(opened(talk, model, id="bare", client=Bare(client)), sim)
    assert {attempt.status for attempt in sim.messages} == {200}
    assert not any(attempt.betas for attempt in sim.messages)
    steps = [*first.steps, *later.steps]
    said = [step.plan for step in steps if any("beta feature" in note for note in step.plan.notes)]
    assert len(said) == (model == BINDING)
    assert all(f"{BINDING} binds thinking" in plan.explain() for plan in said)
    assert bool(clearings(first)) == (model == FREE)
