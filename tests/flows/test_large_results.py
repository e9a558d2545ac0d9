"""Tool results too large together, or alone: those that do not fit are placeholders, and the record is whole."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from held import bare
from sash import ClearedTools, Conversation, Economic, Everything, SlidingWindow, SteppedWindow, check_request
from sash.errors import BudgetExceeded, RemoteError
from sash.planning.rules import has_thinking
from sash.simulator import RateLimited, Simulator

Talk = Callable[..., Conversation]

ASKED = "Please read some books. Remember the number 4711."
WORDS = "the harbour ledger of 1138 crates, seven lamps and a patient clerk named Oda "
TOOL = {"name": "read", "description": "Read.", "input_schema": {"type": "object"}}
BUDGET = 6_000
BINDS, FREE = "claude-sonnet-5-5", "claude-opus-4-8"
STRATEGIES = [Economic(), SteppedWindow(), SlidingWindow(), SlidingWindow(turns=1), ClearedTools()]


def book(tokens: int) -> str:
    """A text of about so many tokens."""
    return (WORDS * (1 + tokens // 20))[: tokens * 5 // 2]


def reading(chat: Conversation, sim: Simulator, *sizes: int) -> Any:
    """Ask, and submit results of these sizes at once."""
    sim.script([[{"type": "tool_use", "name": "read", "input": {"page": page}} for page, _ in enumerate(sizes)]])
    reply = chat.send(ASKED, tools=[TOOL])
    results = {call["id"]: book(tokens) for call, tokens in zip(reply.tool_calls, sizes, strict=True)}
    return chat.submit(results)


def results_of(body: Any) -> list[str]:
    """The contents of the tool results in a body."""
    return [b["content"] for m in body["messages"] for b in m["content"] if b["type"] == "tool_result"]


def cleared(body: Any) -> list[bool]:
    """Which results of a body are placeholders."""
    return [text.startswith("[Result of read, ") for text in results_of(body)]


def held(chat: Conversation, sim: Simulator, budget: int = BUDGET) -> None:
    """Legal, within the budget, and rebuilt byte for byte."""
    for number, attempt in enumerate(sim.messages, 1):
        assert attempt.status == 200
        assert check_request(attempt.body, betas=attempt.betas) == []
        assert attempt.usage is not None
        assert attempt.usage.prompt <= budget
        assert chat.request(number).intact


@pytest.mark.parametrize("model", [BINDS, FREE])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
def test_the_largest_of_parallel_results_gives_way(talk: Talk, sim: Simulator, strategy: Any, model: str) -> None:
    """Six results of which the largest is too much: it alone is a placeholder, and it stays one as the view grows."""
    chat = talk(budget=BUDGET, keep=1_000, model=model, strategy=strategy)
    reply = reading(chat, sim, 300, 500, 6_000, 400, 200, 900)
    assert cleared(sim.messages[-1].body) == [False, False, True, False, False, False]
    assert "placeholders for 1 tool results that are too large to send" in reply.plan.explain()
    assert [len(block["content"]) for block in chat.history()[2].blocks] == [750, 1250, 15000, 1000, 500, 2250]
    assert chat.tool_result(chat.history()[1].blocks[-4]["id"]) == book(6_000)
    before = sim.messages[-1].body["messages"]
    chat.close()
    again = talk(budget=BUDGET, keep=1_000, model=model, strategy=strategy)
    if not again.send("Well?").plan.cut:
        assert bare(sim.messages[-1].body["messages"][: len(before)]) == bare(before)
    held(again, sim)


@pytest.mark.parametrize("model", [BINDS, FREE])
def test_nothing_else_changes_where_that_is_enough(talk: Talk, sim: Simulator, model: str) -> None:
    """What was sent before stays as it was, its thinking with it, and is read from the cache."""
    chat = talk(budget=BUDGET, keep=1_000, model=model, thinking={"type": "adaptive"})
    for number in range(3):
        chat.send(f"Remember {number}. " + WORDS * 30)
    reply = reading(chat, sim, 9_000)
    before, now = sim.messages[-2:]
    assert bare(now.body["messages"][: len(before.body["messages"])]) == bare(before.body["messages"])
    assert has_thinking(now.body["messages"][-2]["content"])
    assert now.usage is not None
    assert now.usage.read > 1_000
    assert abs(reply.plan.expected.read - now.usage.read) <= 0.02 * now.usage.read
    held(chat, sim)


def test_a_result_too_large_alone_offers_to_be_recalled(talk: Talk, sim: Simulator) -> None:
    """The last resort is a placeholder that names tool, size and the way back, where that is offered."""
    chat = talk(budget=BUDGET, keep=1_000)

    def read(page: int) -> str:
        """Read a page."""
        return book(9_000 * page)

    sim.script([[{"type": "tool_use", "name": "read", "input": {"page": 1}}], "I see."])
    chat.run(ASKED, tools=[read, chat.result_tools()[0]])
    (said,) = results_of(sim.messages[-1].body)
    assert said.startswith(f"[Result of read, {len(book(9_000)):,} characters, cleared to save context. recall_result")
    held(chat, sim)


def test_one_result_stays_where_one_fits(talk: Talk, sim: Simulator) -> None:
    """Of two that fit alone and not together, one is sent."""
    chat = talk(budget=BUDGET, keep=1_000)
    reading(chat, sim, 3_500, 3_700)
    assert sorted(cleared(sim.messages[-1].body)) == [False, True]
    held(chat, sim)


LEAST = 2_500 if find_spec("ctok") else 6_000
"""Tokens that hold the calls and the question by their upper bound, which is wider without the exact counter."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(LEAST, 9_000),
    st.lists(st.sampled_from([50, 700, 2_000, 4_000]), min_size=1, max_size=5),
    st.sampled_from([BINDS, FREE]),
    st.booleans(),
)
def test_any_results_fit_any_budget_that_holds_the_calls(
    talk: Talk, budget: int, sizes: list[int], model: str, count: bool
) -> None:
    """Near the limit too, where only a bound or the endpoint tells: never BudgetExceeded, never beyond the budget."""
    sim = Simulator()
    with (
        sim.client(max_retries=0) as client,
        talk(id=f"{budget}-{sizes}-{model}-{count}", budget=budget, keep=500, model=model, client=client) as chat,
    ):
        chat.send("Remember 4711. " + WORDS * 20)
        if not count:
            chat._chat().quiet_until[0] = sim.clock.now() + 10_000
        reading(chat, sim, *sizes)
        reading(chat, sim, *sizes[::-1])
        held(chat, sim, budget)


def test_a_retry_sends_the_same(talk: Talk, sim: Simulator) -> None:
    """What gave way before a failure gives way again, byte for byte."""
    chat = talk(budget=BUDGET, keep=1_000)
    sim.script([[{"type": "tool_use", "name": "read", "input": {"page": page}} for page in range(2)]])
    calls = chat.send(ASKED, tools=[TOOL]).tool_calls
    sim.fail_next(RateLimited())
    with pytest.raises(RemoteError):
        chat.submit({call["id"]: book(4_000) for call in calls})
    chat.retry()
    first, second = sim.messages[-2:]
    assert bare(first.body["messages"]) == bare(second.body["messages"])
    assert True in cleared(second.body)


def test_what_cannot_give_way_is_named(talk: Talk, sim: Simulator) -> None:
    """Text beside the results is the caller's own: too large, it is the caller's to shorten, and nothing is lost."""
    chat = talk(budget=BUDGET, keep=1_000)
    sim.script([[{"type": "tool_use", "name": "read", "input": {}}]])
    (call,) = chat.send(ASKED, tools=[TOOL]).tool_calls
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "a short book"}
    with pytest.raises(BudgetExceeded) as caught:
        chat.send([result, {"type": "text", "text": book(9_000)}])
    assert caught.value.largest == "the newest turn"
    assert chat.send([result]).stop_reason == "end_turn"


def test_a_plain_question_never_gives_way(talk: Talk) -> None:
    """What the user says is sent as it was said, or not at all."""
    chat = talk(budget=BUDGET, keep=1_000)
    with pytest.raises(BudgetExceeded):
        chat.send(book(9_000))


def test_everything_keeps_results_whole(talk: Talk, sim: Simulator) -> None:
    """The yardstick sends what was said, up to the window."""
    chat = talk(budget=BUDGET, strategy=Everything())
    reading(chat, sim, 9_000, 9_000)
    assert cleared(sim.messages[-1].body) == [False, False]
