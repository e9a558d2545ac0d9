"""Tool runs that outgrow the budget: nothing is refused, the question stays, the record keeps everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from held import bare
from sash import ClearedTools, Conversation, Everything, SlidingWindow, SteppedWindow, check_request
from sash.errors import BudgetExceeded, InvalidOption, NotFound
from sash.model.cards import card
from sash.planning.rules import has_thinking
from sash.planning.strategies import Economic
from sash.simulator import Simulator

Talk = Callable[..., Conversation]

ASKED = "Please look up many words. Remember the number 4711."
WORDS = "the harbour ledger of 1138 crates, seven lamps and a patient clerk named Oda "
BUDGET = 4_500
STRATEGIES = [SteppedWindow(), SlidingWindow(), SlidingWindow(turns=1), Economic(), ClearedTools(keep=4)]


def look(word: str) -> str:
    """Look a word up."""
    return f"{word}: {WORDS * 12}"


def looking(calls: int, at_once: int = 1) -> Callable[[Any], Any]:
    """A Claude that makes so many calls, some at once, and then is done."""
    made = iter(range(1, calls + 1))

    def reply(_: Any) -> Any:
        numbers = [number for _, number in zip(range(at_once), made, strict=False)]
        return [{"type": "tool_use", "name": "look", "input": {"word": f"w{n}"}} for n in numbers] or "All done."

    return reply


def check(chat: Conversation, sim: Simulator, budget: int = BUDGET) -> None:
    """What must hold whatever was sent: legal, rebuilt byte for byte, within budget, the question in front."""
    assert {attempt.status for attempt in sim.messages} == {200}
    for number, attempt in enumerate(sim.messages, 1):
        assert check_request(attempt.body, betas=attempt.betas) == []
        assert number % 5 or chat.request(number).intact
        assert attempt.usage is not None
        assert attempt.usage.prompt <= budget
    first = sim.messages[-1].body["messages"][0]["content"]
    assert [block["text"] for block in first] == [ASKED]


def sent_results(body: Any) -> list[str]:
    """The contents of the tool results in a body."""
    return [b["content"] for m in body["messages"] for b in m["content"] if b["type"] == "tool_result"]


@pytest.mark.parametrize(
    ("strategy", "model"),
    [
        *((strategy, "claude-sonnet-5-5") for strategy in STRATEGIES),
        (SteppedWindow(), "claude-opus-4-8"),
        (Economic(), "claude-opus-4-5"),
        (ClearedTools(keep=4, inputs=True), "claude-fable-5-2"),
    ],
    ids=repr,
)
def test_a_run_that_outgrows_the_budget_goes_on(talk: Talk, sim: Simulator, strategy: Any, model: str) -> None:
    """One exchange of 30 calls on a budget for 10, under any strategy, on models that bind thinking and that do not."""
    sim.script(looking(30))
    chat = talk(strategy=strategy, model=model, budget=BUDGET, keep=1_000)
    reply = chat.run(ASKED, tools=[look], max_steps=40)
    assert reply.text == "All done."
    check(chat, sim)
    assert sum(step.plan.cut for step in reply.steps) <= 12
    assert len(chat.history()) == 62


@pytest.mark.parametrize("model", ["claude-opus-4-5", "claude-opus-4-8", "claude-sonnet-5-5"])
def test_a_run_goes_on_however_wide_the_bounds_are(talk: Talk, sim: Simulator, model: str) -> None:
    """Where nothing but features of the texts is counted, calls leave by their estimate: the endpoint has the last
    word, and no newest result gives way that has room."""
    sim.script(looking(30))
    chat = talk(strategy=Economic(), model=model, budget=BUDGET, keep=1_000, counter="features")
    reply = chat.run(ASKED, tools=[look], max_steps=40)
    assert reply.text == "All done."
    check(chat, sim)
    newest = [sent_results(attempt.body)[-1] for attempt in sim.messages[1:]]
    assert newest == [look(f"w{number}") for number in range(1, 31)]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-4-6"])
def test_three_hundred_calls_six_at_once(talk: Talk, sim: Simulator, model: str) -> None:
    """The oldest calls leave with their results, pairs stay whole, and every result can be had from the record."""
    sim.script(looking(300, at_once=6))
    chat = talk(strategy=ClearedTools(keep=8, inputs=True), model=model, budget=12_000, keep=3_000)
    reply = chat.run(ASKED, tools=[look], max_steps=90)
    assert reply.text == "All done."
    check(chat, sim, 12_000)
    oldest = chat.history()[1].blocks[-6]
    assert chat.tool_result(oldest["id"]) == look("w1")


def test_the_api_clears_first_where_thinking_is_bound(talk: Talk, sim: Simulator) -> None:
    """No edit of ours while it helps: the view stays, its thinking with it, and the prefix stays within the epoch."""
    sim.script(looking(14))
    chat = talk(budget=BUDGET, keep=1_000)
    chat.run(ASKED, tools=[look], max_steps=40)
    served = [attempt for attempt in sim.messages if "context_management" in attempt.body]
    assert served
    assert all("context-management-2025-06-27" in attempt.betas for attempt in served)
    assert all(len(attempt.body["messages"]) > 10 for attempt in served)
    assert has_thinking(served[-1].body["messages"][1]["content"])
    later = [attempt.usage.read for attempt in served if attempt.usage is not None]
    assert sum(read > 0 for read in later) >= len(later) - 3
    assert "cleared by the API" in chat.plan("And?").explain() or chat.plan("And?").cut


def test_without_betas_results_are_cleared_by_us(talk: Talk, sim: Simulator) -> None:
    """A client without beta features gets no beta fields: thinking goes where the card allows, placeholders come."""
    lenient = replace(card("claude-sonnet-5-5"), open_tools_without_thinking=True)
    sim.cards = {lenient.id: lenient}

    class Bare:
        """A client of a platform without betas."""

        def __init__(self, client: Any) -> None:
            self.messages = client.messages

    sim.script(looking(20))
    with sim.client(max_retries=0) as client:
        quiet = talk(budget=BUDGET, keep=1_000, client=Bare(client), card=lenient)
        quiet.run(ASKED, tools=[look], max_steps=50)
    assert not any(attempt.betas for attempt in sim.messages)
    assert any("cleared to save context" in content for content in sent_results(sim.messages[-1].body))


def test_a_model_that_binds_is_left_to_drop_what_it_cannot_keep(talk: Talk, sim: Simulator) -> None:
    """Where the API's clearing is not enough, the open exchange goes with drop_block, not stripped."""
    sim.script(looking(40))
    chat = talk(budget=3_000, keep=1_000)
    reply = chat.run(ASKED, tools=[look], max_steps=70)
    check(chat, sim, 3_000)
    assert not any("Another thinking" in note for step in reply.steps for note in step.plan.notes)
    dropping = [a for a in sim.messages if "block_binding" in (a.body.get("thinking") or {})]
    assert dropping
    assert all("thinking-binding-controls-2026-08-01" in attempt.betas for attempt in dropping)


def test_a_model_that_does_not_bind_keeps_the_thinking_of_an_open_exchange(talk: Talk, sim: Simulator) -> None:
    """At a forced cut inside a run, older thinking goes and that of the run stays, as one run of blocks."""
    chat = talk(model="claude-sonnet-4-6", budget=4_000, keep=1_000, thinking={"type": "adaptive"})
    for word in ("one", "two", "three"):
        chat.send(f"Remember {word}. " + WORDS * 40)
    sim.script(looking(8))
    reply = chat.run(ASKED, tools=[look], max_steps=20)
    cut = next(step for step in reply.steps[1:] if step.plan.cut)
    body = sim.messages[cut.number - 1].body
    thought = [has_thinking(m["content"]) for m in body["messages"] if m["role"] == "assistant"]
    assert True in thought
    assert thought == sorted(thought)
    assert {attempt.status for attempt in sim.messages} == {200}


def test_no_cut_falls_inside_a_run_that_fits(talk: Talk, sim: Simulator) -> None:
    """Watermarks wait until the exchange is closed; only the budget does not."""
    chat = talk(strategy=SteppedWindow(keep=200, high=1_500), budget=30_000, model="claude-opus-4-8")
    chat.send("Remember one. " + WORDS * 20)
    sim.script(looking(8))
    reply = chat.run(ASKED, tools=[look], max_steps=20)
    assert reply.steps[-1].usage.prompt > 1_500
    assert [step.plan.cut for step in reply.steps[1:]] == [False] * 8
    assert chat.send("And now?").plan.cut


def questions(body: dict[str, Any]) -> int:
    """How many plain user messages a request holds."""
    return sum(m["role"] == "user" and m["content"][0]["type"] == "text" for m in body["messages"])


def test_cleared_tools_clears_before_exchanges_leave(talk: Talk, sim: Simulator) -> None:
    """At a cut, old results become placeholders with tool and size; the newest `keep` and all questions stay."""
    chat = talk(strategy=ClearedTools(keep=2), budget=BUDGET, keep=3_000, model="claude-opus-4-8")
    for _ in range(6):
        sim.script(looking(4))
        chat.run(ASKED, tools=[look], max_steps=9)
    cut = next(attempt for attempt in sim.messages if any("cleared" in text for text in sent_results(attempt.body)))
    results = sent_results(cut.body)
    assert f"[Result of look, {len(look('w1')):,} characters, cleared to save context.]" in results
    assert [look("w")[2:] in text for text in results][-2:] == [True, True]
    before = sim.messages[sim.messages.index(cut) - 1]
    assert questions(cut.body) >= questions(before.body) >= 1
    assert all(chat.request(number).intact for number in range(1, len(sim.messages) + 1))


def test_cleared_inputs_leave_the_call(talk: Talk, sim: Simulator) -> None:
    """With inputs=True a cleared call keeps its name and id, and an empty input."""
    sim.script(looking(14))
    chat = talk(strategy=ClearedTools(keep=2, inputs=True), budget=BUDGET, keep=2_000, model="claude-opus-4-8")
    chat.run(ASKED, tools=[look], max_steps=50)
    calls = [b for m in sim.messages[-1].body["messages"] for b in m["content"] if b["type"] == "tool_use"]
    assert calls[0]["input"] == {}
    assert calls[-1]["input"] == {"word": "w14"}
    check(chat, sim)


def test_pinned_exchanges_keep_their_results(talk: Talk, sim: Simulator) -> None:
    """What is pinned is not cleared by a strategy."""
    chat = talk(strategy=ClearedTools(keep=1), budget=BUDGET, keep=2_000, model="claude-opus-4-8")
    sim.script(looking(2))
    chat.run(ASKED, tools=[look])
    chat.pin(chat.history()[0])
    for _ in range(3):
        sim.script(looking(4))
        chat.run("More words, please.", tools=[look], max_steps=9)
    results = sent_results(sim.messages[-1].body)
    assert any("cleared" in text for text in results)
    assert results[:2] == [look("w1"), look("w2")]


def test_a_cleared_result_can_be_read_again(talk: Talk, sim: Simulator) -> None:
    """Placeholders name the recall tool and the call where the tool is offered; it returns what was recorded."""
    chat = talk(budget=BUDGET, keep=2_000, model="claude-opus-4-8")
    again, _ = chat.result_tools()
    sim.script(looking(16))
    chat.run(ASKED, tools=[look, again], max_steps=50)
    placeholder = next(text for text in sent_results(sim.messages[-1].body) if "cleared" in text)
    assert "recall_result with tool_use_id toolu_" in placeholder
    call = placeholder.split("tool_use_id ")[1].split()[0]
    sim.script([[{"type": "tool_use", "name": "recall_result", "input": {"tool_use_id": call}}], "I see."])
    chat.run("What was the first one again?", tools=[look, again])
    assert chat.history()[-2].blocks[0]["content"] == chat.tool_result(call)
    with pytest.raises(NotFound):
        chat.tool_result("toolu_none")


def test_everything_still_raises_beyond_the_window(talk: Talk) -> None:
    """The yardstick ignores the budget, and beyond the window nothing of it gives way."""
    small = replace(card("claude-opus-4-5"), window=3_500)
    chat = talk(model="claude-opus-4-5", strategy=Everything(), card=small)
    chat.send("Remember one. " + WORDS * 60)
    with pytest.raises(BudgetExceeded):
        chat.send("Remember two. " + WORDS * 90)


def test_a_relieved_run_comes_back_from_disk(talk: Talk, sim: Simulator) -> None:
    """What was cleared or left out stays so after a restart, byte for byte."""
    sim.script(looking(28))
    chat = talk(budget=BUDGET, keep=1_000, model="claude-opus-4-8")
    chat.run(ASKED, tools=[look], max_steps=70)
    before = sim.messages[-1].body["messages"]
    chat.close()
    again = talk(budget=BUDGET, keep=1_000, model="claude-opus-4-8")
    assert again.send("Well?").plan.cut is False
    after = sim.messages[-1].body["messages"]
    assert bare(after[: len(before)]) == bare(before)


def test_cleared_tools_keeps_one_at_least() -> None:
    """The newest result is what Claude waits for."""
    with pytest.raises(InvalidOption):
        ClearedTools(keep=0)
