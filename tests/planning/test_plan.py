"""The plan of one request: cuts between exchanges, pins, markers in legal order, and a bill foretold."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sash import Conversation, Economic, Everything, Marks, SlidingWindow, SteppedWindow
from sash.errors import BudgetExceeded, InvalidOption
from sash.model.blocks import dumps
from sash.planning.plan import Plan
from sash.planning.situation import Decision, Situation
from sash.simulator import Simulator

Talk = Callable[..., Conversation]

LONG = "You keep the harbour books and answer for every crate. " * 80
WORDS = "The ledger lists crates, lamps and ropes, and who fetched them. " * 6
CALL = {"type": "tool_use", "name": "lookup", "input": {"word": "lamp"}}
LOOKUP = {"name": "lookup", "description": "Look a word up.", "input_schema": {"type": "object"}}


def marked(body: dict[str, Any]) -> list[str]:
    """The lifetimes of a body's markers, in the order in which they stand."""
    blocks = [
        *body.get("tools", []),
        *body.get("system", []),
        *(block for message in body["messages"] for block in message["content"]),
    ]
    return [block["cache_control"].get("ttl", "5m") for block in blocks if "cache_control" in block]


def questions(plan: Plan) -> list[int]:
    """First seqs of the exchanges in a plan."""
    return [turn.seq for turn in plan.turns if turn.plain]


# ---- where it is cut ------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [SlidingWindow(turns=2), SlidingWindow(tokens=300), SteppedWindow(), Economic()])
def test_a_view_begins_with_a_question_and_splits_no_tool_pair(talk: Talk, sim: Simulator, window: Any) -> None:
    """Whatever is cut, the first message is a plain user turn and each result follows its call."""
    chat = talk(strategy=window, budget=1_700, keep=400, tools=[LOOKUP])
    for number in range(8):
        sim.script([[CALL], None])
        reply = chat.send(f"Question {number}. {WORDS}")
        chat.send([{"type": "tool_result", "tool_use_id": reply.tool_calls[0]["id"], "content": "Light."}])
        plan = chat.plan("And then?")
        assert plan.turns[0].plain
        calls = [b["id"] for t in plan.turns for b in t.blocks if b["type"] == "tool_use"]
        results = [b["tool_use_id"] for t in plan.turns for b in t.blocks if b["type"] == "tool_result"]
        assert calls == results
    assert plan.turns[0].seq > 1


def test_the_newest_question_is_always_whole(talk: Talk) -> None:
    """However small the window."""
    chat = talk(strategy=SlidingWindow(tokens=1))
    chat.send("One.")
    plan = chat.plan("Two. " + WORDS)
    assert [turn.text for turn in plan.turns] == ["Two. " + WORDS]


def test_thinking_is_stripped_at_a_cut_and_kept_between_cuts(talk: Talk) -> None:
    """For the whole epoch: turns up to its base without, those behind it verbatim."""
    chat = talk(max_tokens=5_000)
    chat.send("One.")
    chat.send("Two.")
    plan = chat.plan("Three.")
    assert [m["content"][0]["type"] for m in plan.body["messages"] if m["role"] == "assistant"] == ["thinking"] * 2
    cut = chat.plan("Three.", system="Another.")
    assert cut.cut
    assert [m["content"][0]["type"] for m in cut.body["messages"] if m["role"] == "assistant"] == ["text"] * 2


def test_a_strategy_that_answers_nonsense_is_refused(talk: Talk) -> None:
    """An index that is no exchange is an error that names the strategy."""

    class Beyond:
        def decide(self, situation: Situation) -> Decision:
            return Decision(first_exchange=len(situation.exchanges), rule="first", reason="nonsense")

    with pytest.raises(InvalidOption, match="Beyond"):
        talk(strategy=Beyond()).plan("Hello.")


# ---- what does not fit ----------------------------------------------------------------------------


def test_what_does_not_fit_is_named_with_what_is_missing(talk: Talk) -> None:
    """The newest message, the preamble, or the window itself."""
    with pytest.raises(BudgetExceeded) as newest:
        talk(budget=1_000).plan("word " * 3_000)
    assert "newest" in newest.value.largest
    assert newest.value.needed - newest.value.budget == newest.value.missing
    with pytest.raises(BudgetExceeded) as preamble:
        talk(budget=1_000, system=LONG * 3).plan("Hello.")
    assert "preamble" in preamble.value.largest
    small = talk(model="claude-haiku-4-5", strategy=Everything(), id="b")
    with pytest.raises(BudgetExceeded, match="window"):
        small.plan("word " * 250_000)
    small.send("word " * 140_000)
    with pytest.raises(BudgetExceeded) as before:
        small.plan("word " * 80_000)
    assert before.value.largest == "the exchanges before the newest"


def test_what_stands_in_front_of_the_turns_is_not_called_the_preamble(talk: Talk) -> None:
    """Where a pinned exchange is in the way it is named, and not system and tools, which nobody need shorten."""
    chat = talk()
    chat.send("word " * 900)
    chat.pin(chat.history()[0])
    chat.send("And now?")
    chat.budget, chat.keep = 700, 100
    with pytest.raises(BudgetExceeded) as caught:
        chat.plan("Hello.")
    assert caught.value.largest == "what is sent in front (summary, pins, instructions)"


def test_what_may_be_too_large_is_named_by_its_largest_part(talk: Talk) -> None:
    """Where only the bound passes the budget, the part in the way is named, too: here the system prompt."""
    size = talk(system=LONG, count_online=False).plan("Hello.").prompt
    between = (size.tokens + size.upper) // 2
    chat = talk(system=LONG, count_online=False, budget=between, keep=100, id="b")
    with pytest.raises(BudgetExceeded, match="may need") as caught:
        chat.send("Hello.")
    assert caught.value.largest == "the preamble (system, tools)"


def test_the_reply_must_fit_the_window_too(talk: Talk) -> None:
    """The limit is the smaller of the budget and what the window leaves beside max_tokens."""
    plan = talk(model="claude-haiku-4-5", budget=199_000, max_tokens=50_000).plan("Hello.")
    assert plan.situation.limit == 150_000


# ---- pins -----------------------------------------------------------------------------------------


def test_pins_stand_in_front_in_order_whole_and_counted(talk: Talk) -> None:
    """They come before the start, and the prompt's size includes them."""
    chat = talk(strategy=SlidingWindow(turns=1))
    replies = [chat.send(f"Question {number}.") for number in range(4)]
    bare = chat.plan("And now?")
    chat.pin(replies[2].turn)  # type: ignore[arg-type]
    chat.pin(replies[0].turn)  # type: ignore[arg-type]
    plan = chat.plan("And now?")
    assert questions(plan) == [1, 5, 9]
    assert [turn.seq for turn in plan.turns] == [1, 2, 5, 6, 9]
    assert plan.prompt.tokens > bare.prompt.tokens
    assert plan.epoch.pinned_seqs == (1, 5)


def test_a_pin_out_of_view_waits_for_the_next_cut(talk: Talk) -> None:
    """Between cuts the view only grows at its end."""
    chat = talk(strategy=SteppedWindow(keep=50, high=700), budget=8_000)
    first = chat.send("My order is number 1138.")
    while chat.send(WORDS).plan.epoch.first_seq == 1:
        pass
    chat.pin(first.turn)  # type: ignore[arg-type]
    grown = chat.plan("Still?")
    assert not grown.cut
    assert 1 not in questions(grown)
    cut = chat.plan("And now?", system="Another.")
    assert questions(cut)[0] == 1


@pytest.mark.parametrize("pinned", [False, True])
def test_a_view_that_is_gone_back_to_has_what_was_pinned_since(talk: Talk, pinned: bool) -> None:
    """An edit behind which an older epoch would go on begins a new one where that one lacks a pin, and only there."""
    chat = talk(strategy=SteppedWindow(keep=50, high=700), budget=8_000)
    first = chat.send("My order is number 1138.")
    while chat.send(WORDS).plan.epoch.first_seq == 1:
        pass
    chat.send(WORDS)
    question = chat.history()[-2]
    while not chat.send(WORDS).plan.cut:
        pass
    if pinned:
        chat.pin(first.turn)  # type: ignore[arg-type]
    back = chat.edit(question, "And now?").plan
    assert back.cut == pinned and (1 in questions(back)) == pinned


# ---- markers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "marks",
    [Marks(), Marks(preamble="1h", tail="1h"), Marks(preamble="5m", tail="1h"), Marks(kept_marker="1h", tail="5m")],
)
@pytest.mark.parametrize("window", [SlidingWindow(turns=2), SteppedWindow(keep=100, high=1_600), Everything()])
def test_markers_are_four_at_most_and_the_longer_lives_first(talk: Talk, marks: Marks, window: Any) -> None:
    """Never more, never on thinking, and each 1 h before any 5 min."""
    chat = talk(system=LONG, cache=marks, strategy=window, tools=[LOOKUP])
    for number in range(6):
        chat.send(f"Question {number}. {WORDS}")
        lifetimes = marked(dict(chat.request(number + 1).body))
        assert 1 <= len(lifetimes) <= 4
        assert lifetimes == sorted(lifetimes)


def test_markers_by_hand_take_their_slots(talk: Talk) -> None:
    """Four by hand leave none for us; top-level cache_control takes one and the tail."""
    ephemeral = {"type": "ephemeral"}
    system = [{"type": "text", "text": LONG, "cache_control": ephemeral}] * 3
    plan = talk(system=system).plan([{"type": "text", "text": "Hello.", "cache_control": ephemeral}])
    assert len(marked(plan.body)) == 4
    automatic = talk(system=LONG, cache_control=ephemeral, id="b").plan("Hello.")
    assert all(marker.role != "new tail" for marker in automatic.sent.markers)


def test_nothing_below_the_minimum_is_marked(talk: Talk) -> None:
    """A prompt too small to be cached carries no marker; a preamble too small has none of its own."""
    assert marked(talk(system="Be brief.").plan("Hello.").body) == []
    roles = [m.role for m in talk(system="Be brief.", id="b").plan(WORDS * 12).sent.markers]
    assert roles == ["new tail"]


def test_the_previous_tail_is_marked_again(talk: Talk) -> None:
    """However many blocks a tool run adds, the entry written last is read."""
    chat = talk(system=LONG)
    chat.send("One.")
    plan = chat.send([{"type": "text", "text": f"Part {n}."} for n in range(40)]).plan
    assert [m.role for m in plan.sent.markers] == ["preamble", "previous tail", "new tail"]
    assert chat.send("Three.").usage.read > 900


# ---- the bill -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", ["5m", "1h"])
@pytest.mark.parametrize("window", [SteppedWindow(), SlidingWindow(turns=3), Economic(), Everything()])
def test_the_expected_bill_is_the_simulators(talk: Talk, sim: Simulator, window: Any, cache: Any) -> None:
    """Read and written tokens are foretold within a few, warm and cold, over cuts; dollars follow."""
    chat = talk(system=LONG, strategy=window, budget=4_000, keep=1_000, cache=cache)
    for number in range(14):
        sim.clock.advance((20, 200, 400, 4_000)[number % 4])
        plan = chat.plan(question := f"Question {number}. {WORDS * (1 + number % 3)}")
        reply = chat.send(question)
        # The simulator's tokenizer is another one: what is new is off by its share, what was billed before is not.
        new = plan.prompt.tokens if plan.cut else 80 * (1 + number % 3)
        assert plan.prompt.tokens == pytest.approx(reply.usage.prompt, abs=12 + 0.4 * new), number
        assert plan.expected.read == pytest.approx(reply.usage.read, abs=12, rel=0.15 if plan.cut else 0.0), number
        assert plan.expected.write == pytest.approx(reply.usage.write, abs=12 + 0.4 * new), number
        assert reply.cost is not None
        assert plan.expected.dollars == pytest.approx(reply.cost - reply.usage.output * 10e-6, rel=0.2), number


def test_a_plan_explains_itself_without_quoting(talk: Talk) -> None:
    """Tokens, dollars, rule and markers in words; no message text, there or in the record."""
    chat = talk(system=LONG)
    chat.send("My secret is 1138.")
    plan = chat.plan("My other secret is 7.")
    assert "secret" not in plan.explain() + str(plan.why)
    assert "$" in plan.explain()


def test_a_body_is_the_callers_own(talk: Talk, sim: Simulator) -> None:
    """Whatever is done to the body of a plan, neither a later plan nor what is sent is another for it."""
    chat = talk(system="You keep the books.", tools=[LOOKUP])
    for number in range(8):
        chat.send(f"Question {number}?")
    whole = dumps(chat.plan("And now?").body)
    spoilt = chat.plan("And now?").body
    for block in [*spoilt["tools"], *spoilt["system"], *(b for m in spoilt["messages"] for b in m["content"])]:
        block.clear()
    assert dumps(chat.plan("And now?").body) == whole
    chat.send("And now?")
    assert sim.messages[-1].body == json.loads(whole)
