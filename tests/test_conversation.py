"""`Conversation`, as its users see it, over the simulator."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import anthropic
import pytest
from anthropic.types import TextBlock

from lines import lose_places
from sash import Conversation, Everything, Marks, MemoryStore, SlidingWindow, SqliteStore
from sash.errors import (
    AccessDenied,
    BudgetExceeded,
    Conflict,
    ConversationBusy,
    ConversationClosed,
    InvalidContent,
    InvalidOption,
    NotFound,
    NothingToRetry,
    RemoteError,
    ReplyInterrupted,
    RequestRejected,
    Unavailable,
    UnknownModel,
)
from sash.simulator import (
    BillingError,
    CutStream,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Refusal,
    Reply,
    Simulator,
    Timeout,
)

Talk = Callable[..., Conversation]

LOOKUP: Any = {"name": "lookup", "description": "Look a word up.", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"word": "lamp"}}
LONG = "You keep the harbour books and answer for every crate. " * 80


def body(sim: Simulator) -> Any:
    """The newest request's body."""
    return sim.messages[-1].body


def result(words: str, call: str = "toolu_1") -> list[dict[str, Any]]:
    """A tool's result."""
    return [{"type": "tool_result", "tool_use_id": call, "content": words}]


# ---- send, plan, look back ------------------------------------------------------------------------


def test_a_send_is_a_recorded_exchange_with_its_cost(talk: Talk) -> None:
    """Text, turn, usage, dollars, number and plan come back; both turns are in the record."""
    chat = talk()
    reply = chat.send("My order is number 1138.")
    assert reply.text
    assert reply.turn == chat.history()[-1]
    assert reply.cost == pytest.approx(chat.usage().dollars)
    assert reply.number == 1
    assert reply.plan.prompt.tokens > 0
    assert [turn.state for turn in chat.history()] == ["answered", "answered"]


def test_a_conversation_remembers_across_restarts(talk: Talk) -> None:
    """What was said before the file was closed is in the next request; system and model come from the record."""
    with talk(system="Be brief.", model="claude-opus-5-5") as chat:
        chat.send("My order is number 1138.")
    again = talk(model=None)
    assert "1138" in again.send("What is the number of my order?").text
    assert again.model == "claude-opus-5-5"
    assert again.request(2).body["system"][0]["text"] == "Be brief."


def test_a_plan_asks_nothing_and_writes_nothing(talk: Talk, sim: Simulator, path: Path) -> None:
    """Database and request log are the same before and after, byte for byte."""
    chat = talk()
    chat.send("Hello.")
    chat.wait_for_background()  # what is said gets its vectors there
    before = (path.read_bytes(), path.with_name("record.db-wal").read_bytes(), len(sim.log))
    plan = chat.plan("What would it be?")
    assert (path.read_bytes(), path.with_name("record.db-wal").read_bytes(), len(sim.log)) == before
    assert plan.body["messages"][-1]["content"][0]["text"] == "What would it be?"
    assert "tokens" in plan.explain()
    assert chat.send("What would it be?").plan.body == plan.body


def test_history_is_paged_from_its_end(talk: Talk) -> None:
    """`limit` takes the newest, `after` those behind a number."""
    chat = talk()
    for number in range(3):
        chat.send(f"Question {number}")
    assert [turn.seq for turn in chat.history(limit=2)] == [5, 6]
    assert [turn.seq for turn in chat.history(after=4)] == [5, 6]


def test_a_past_request_is_rebuilt_with_its_options(talk: Talk, sim: Simulator) -> None:
    """Markers, options and beta headers included; a number that never was is not found."""
    chat = talk(system=LONG)
    chat.send("One.", stop_sequences=["STOP"], betas=["some-beta-2026-01-01"], metadata={"user_id": "u"})
    past = chat.request(1)
    assert past.intact
    assert past.body == body(sim)
    assert past.request.sent.betas == ("some-beta-2026-01-01",)
    assert sim.messages[-1].betas == ("some-beta-2026-01-01",)
    with pytest.raises(NotFound):
        chat.request(2)


def test_sdk_objects_go_in_as_they_come_out(talk: Talk, sim: Simulator) -> None:
    """Blocks of the SDK, whole user messages and plain dicts are all content."""
    chat = talk()
    chat.send([TextBlock(type="text", text="one")])
    chat.send({"role": "user", "content": "two"})
    chat.send([{"type": "text", "text": "three"}])
    said = [m["content"][0]["text"] for m in body(sim)["messages"] if m["role"] == "user"]
    assert said == ["one", "two", "three"]
    assert all("citations" not in b for turn in chat.history() for b in turn.blocks)


def test_usage_adds_up(talk: Talk, sim: Simulator) -> None:
    """What the conversation says it cost is what the simulator billed."""
    chat = talk(system=LONG)
    for number in range(4):
        chat.send(f"Question {number}")
    assert chat.usage().dollars == pytest.approx(sim.cost)
    assert chat.usage().requests == 4
    assert chat.usage().cached_share > 0.5


def test_a_title_is_kept(talk: Talk, path: Path) -> None:
    """`describe` reaches the listing."""
    talk().describe(title="Crates", metadata={"user": 7})
    with closing(SqliteStore(path)) as store:
        (info,) = store.conversations()
    assert (info.title, info.metadata) == ("Crates", {"user": 7})


# ---- other roads ----------------------------------------------------------------------------------


def test_a_fork_goes_its_own_way(talk: Talk) -> None:
    """It shares the past up to the reply; neither sees what the other says later."""
    chat = talk()
    first = chat.send("My order is number 1138.")
    chat.send("And the lamp is red.")
    with chat.fork(first.turn) as other:
        assert "1138" in other.send("What is the number of my order?").text
        assert "lamp" not in str(other.request(1).body)
    assert len(chat.history()) == 4


def test_a_fork_begins_after_a_reply(talk: Talk) -> None:
    """Not after a question."""
    chat = talk()
    chat.send("One.")
    with pytest.raises(InvalidOption):
        chat.fork(chat.history()[0])


def test_an_edit_takes_the_place_of_a_question(talk: Talk) -> None:
    """What followed stays in the record, off the branch; only plain user turns are edited."""
    chat = talk()
    chat.send("My order is number 1138.")
    chat.send("Thank you.")
    question = chat.history()[0]
    chat.edit(question, "My order is number 7.")
    assert chat.history()[0].text == "My order is number 7."
    assert len(chat.history()) == 2
    with pytest.raises(InvalidOption):
        chat.edit(chat.history()[1], "An answer of mine.")
    with pytest.raises(NotFound):
        chat.edit(question, "It is not on this branch.")


def test_an_edit_that_cannot_be_planned_changes_nothing(talk: Talk) -> None:
    """Back on the branch where we were."""
    chat = talk(budget=1_500)
    chat.send("One.")
    before = chat.history()
    with pytest.raises(BudgetExceeded):
        chat.edit(before[0], "word " * 5_000)
    assert chat.history() == before


def test_regenerate_asks_again_beside_the_first_answer(talk: Talk, sim: Simulator) -> None:
    """The same question, another reply; the first one stays in the record."""
    chat = talk()
    sim.script(["First answer.", "Second answer."])
    first = chat.send("Tell me something.")
    assert chat.regenerate().text == "Second answer."
    assert [turn.text for turn in chat.history()] == ["Tell me something.", "Second answer."]
    assert chat.history()[0].origin == chat.request(1).request.turn
    assert first.turn not in chat.history()


@pytest.mark.parametrize("road", ["retry", "regenerate"])
def test_there_must_be_something_to_ask_again(talk: Talk, road: str) -> None:
    """NothingToRetry on an empty conversation."""
    with pytest.raises(NothingToRetry):
        getattr(talk(), road)()


# ---- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "state"),
    [
        (RateLimited(retry_after=7.0), Unavailable, "pending"),
        (Overloaded(), Unavailable, "pending"),
        (Timeout(), Unavailable, "pending"),
        (BillingError(), AccessDenied, "pending"),
        (PromptTooLong(), RequestRejected, "withdrawn"),
    ],
)
def test_a_failed_send_says_what_became_of_the_turn(
    talk: Talk, sim: Simulator, fault: Any, error: type[RemoteError], state: str
) -> None:
    """The error names turn, state, status and request id; the next send is accepted."""
    chat = talk()
    chat.send("One.")
    sim.fail_next(fault)
    with pytest.raises(error) as caught:
        chat.send("Two.")
    turn = chat.history()[-1]
    assert (caught.value.turn, caught.value.state, turn.state) == (turn.id, state, state)
    assert getattr(caught.value, "status", None) == getattr(fault, "status", None)
    chat.send("Three.")
    said = [m["content"][0]["text"] for m in body(sim)["messages"] if m["role"] == "user"]
    assert said == (["One.", "Two.", "Three."] if state == "pending" else ["One.", "Three."])
    assert {turn.state for turn in chat.history()} <= {"answered", "withdrawn"}


def test_the_wait_that_the_api_asks_for_is_passed_on(talk: Talk, sim: Simulator) -> None:
    """`retry_after` in seconds."""
    sim.fail_next(RateLimited(retry_after=7.0))
    with pytest.raises(Unavailable) as caught:
        talk().send("One.")
    assert caught.value.retry_after == 7.0


def test_retry_sends_what_is_pending(talk: Talk, sim: Simulator) -> None:
    """The same turn, not a second one."""
    chat = talk()
    sim.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("One.")
    chat.retry()
    assert [turn.state for turn in chat.history()] == ["answered", "answered"]
    with pytest.raises(NothingToRetry):
        chat.retry()


BEHIND_PENDING = {
    "plain": [{"role": "user", "content": "Two."}],
    "results": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
    ],
}


@pytest.mark.parametrize("behind", BEHIND_PENDING.values(), ids=BEHIND_PENDING)
def test_retry_sends_what_was_recorded_behind_a_pending_turn(
    talk: Talk, sim: Simulator, behind: list[dict[str, Any]]
) -> None:
    """Where the user spoke last, the view goes out as it stands, as with a send; then nothing is pending."""
    chat = talk()
    sim.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("One.")
    chat.extend(behind)
    chat.instruct("Be brief.")
    chat.retry()
    sent = [message for message in body(sim)["messages"] if message["role"] != "system"]
    assert [message["role"] for message in sent] == ["user", *(message["role"] for message in behind)]
    assert {turn.state for turn in chat.history()} == {"answered"}
    with pytest.raises(NothingToRetry):
        chat.retry()


def test_a_reply_recorded_behind_a_pending_turn_leaves_nothing_to_retry(talk: Talk, sim: Simulator) -> None:
    """What another program had answered is not asked again."""
    chat = talk()
    sim.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("One.")
    chat.extend([{"role": "assistant", "content": "Said elsewhere."}])
    with pytest.raises(NothingToRetry):
        chat.retry()


def test_a_pending_turn_may_be_taken_back(talk: Talk, sim: Simulator) -> None:
    """It stays in the record and leaves the view."""
    chat = talk()
    sim.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("One.")
    assert chat.withdraw() == 1
    chat.send("Two.")
    assert "One." not in str(body(sim)["messages"])


def test_a_refusal_comes_as_a_reply_and_leaves_the_view(talk: Talk, sim: Simulator) -> None:
    """Question and refusal are withdrawn; the conversation goes on without them."""
    chat = talk()
    sim.fail_next(Refusal(partial="I would"))
    assert chat.send("Do something bad.").stop_reason == "refusal"
    assert [turn.state for turn in chat.history()] == ["withdrawn", "withdrawn"]
    chat.send("Do something good.")
    assert "bad" not in str(body(sim)["messages"])


def test_a_reply_cut_by_max_tokens_in_a_tool_call_is_interrupted(talk: Talk, sim: Simulator) -> None:
    """The half call is recorded and never sent; retry asks again on a branch."""
    chat = talk(tools=[LOOKUP])
    sim.script([Reply(content=[{"type": "text", "text": "Let me see."}, CALL], stop_reason="max_tokens")])
    assert chat.send("Look it up.").turn.state == "interrupted"  # type: ignore[union-attr]
    chat.send("Never mind.")
    assert "tool_use" not in str(body(sim)["messages"])


# ---- streams --------------------------------------------------------------------------------------


def test_a_stream_gives_text_then_the_reply(talk: Talk) -> None:
    """The pieces make up the recorded text; before the end there is no reply."""
    chat = talk()
    with chat.stream("My order is number 1138.") as stream:
        with pytest.raises(InvalidOption):
            _ = stream.reply
        text = "".join(stream)
    assert text == stream.reply.text == chat.history()[-1].text
    assert stream.reply.usage.prompt > 0


def test_what_is_asked_again_or_otherwise_streams_as_well(talk: Talk, sim: Simulator) -> None:
    """`stream_retry`, `stream_regenerate` and `stream_edit` give in pieces what `retry` and the others give whole."""
    chat = talk()
    sim.fail_next(CutStream(events=1))
    with pytest.raises(Unavailable), chat.stream("My order is number 1138.") as stream:
        stream.until_done()
    for what in ("stream_retry", "stream_regenerate", "stream_edit"):
        edited = (chat.history()[0], "Order 12?") if what == "stream_edit" else ()
        with getattr(chat, what)(*edited) as stream:
            text = "".join(stream)
        assert text == stream.reply.text == chat.history()[-1].text != ""
    assert chat.history()[0].text == "Order 12?"


def test_a_streams_events_are_the_sdks(talk: Talk) -> None:
    """As the stream helper gives them, from message_start to message_stop."""
    with talk().stream("Hello.") as stream:
        kinds = [event.type for event in stream.events()]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert "text" in kinds


def test_a_stream_left_early_is_recorded_as_interrupted(talk: Talk, sim: Simulator) -> None:
    """What had come is in the record; the next request is legal."""
    sim.script(["One two three four five six seven eight nine ten. " * 3])
    chat = talk()
    with chat.stream("Count.") as stream:
        for _ in stream:
            break
    assert chat.history()[-1].state == "interrupted"
    chat.send("Go on.")
    assert sim.messages[-1].status == 200


@pytest.mark.parametrize("how", ["silent", "error", "lost"])
def test_a_stream_cut_by_the_far_side_raises_and_keeps_what_came(talk: Talk, sim: Simulator, how: Any) -> None:
    """ReplyInterrupted carries the partial text, which is in the record; the next send is accepted."""
    sim.script(["One two three four five six seven eight nine ten. " * 3])
    sim.fail_next(CutStream(events=12, how=how))
    chat = talk(thinking={"type": "between_tools"})
    with pytest.raises(ReplyInterrupted) as caught, chat.stream("Count.") as stream:
        stream.until_done()
    assert caught.value.partial
    assert chat.history()[-1].text == caught.value.partial
    chat.send("Go on.")
    assert sim.messages[-1].status == 200


@pytest.mark.parametrize("how", ["silent", "error", "lost"])
def test_a_stream_cut_before_anything_came_leaves_the_turn_pending(talk: Talk, sim: Simulator, how: Any) -> None:
    """Unavailable; retry sends it."""
    sim.fail_next(CutStream(events=1, how=how))
    chat = talk()
    with pytest.raises(Unavailable), chat.stream("Count.") as stream:
        stream.until_done()
    assert [turn.state for turn in chat.history()] == ["pending"]
    chat.retry()


def test_a_stream_that_is_never_entered_sends_nothing(talk: Talk, sim: Simulator) -> None:
    """It begins with its with block."""
    chat = talk()
    stream = chat.stream("Hello.")
    with pytest.raises(InvalidOption):
        next(iter(stream))
    assert sim.log == []
    assert chat.history() == []


def test_a_long_reply_streams_inside(talk: Talk, sim: Simulator) -> None:
    """max_tokens above what the SDK allows without streaming is no error of a send."""
    talk().send("Hello.", max_tokens=64_000)
    assert body(sim)["stream"] is True


# ---- one at a time --------------------------------------------------------------------------------


def test_sends_of_several_threads_wait_in_order(talk: Talk) -> None:
    """Every exchange is whole; none is lost or doubled."""
    chat = talk()
    threads = [threading.Thread(target=chat.send, args=(f"Question {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns = chat.history()
    assert [turn.role for turn in turns] == ["user", "assistant"] * 6
    assert sorted(turn.text for turn in turns[::2]) == [f"Question {n}" for n in range(6)]


def test_a_send_inside_a_stream_is_refused(talk: Talk) -> None:
    """One would wait for oneself for ever: ConversationBusy, and the stream goes on."""
    chat = talk()
    with chat.stream("Hello.") as stream:
        with pytest.raises(ConversationBusy):
            chat.send("In between.")
        stream.until_done()
    chat.send("Afterwards.")


def test_busy_error_refuses_instead_of_waiting(talk: Talk) -> None:
    """Another thread's send meets ConversationBusy too."""
    chat = talk(busy="error")
    caught: list[Exception] = []

    def other() -> None:
        try:
            chat.send("Meanwhile.")
        except ConversationBusy as error:
            caught.append(error)

    with chat.stream("Hello.") as stream:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        stream.until_done()
    assert len(caught) == 1


def test_two_objects_of_which_one_lost_its_place_conflict(talk: Talk) -> None:
    """Who is late gets Conflict with the paid reply, and goes on from the newer turn."""
    one, two = talk(), talk()
    one.send("Hello.")
    with pytest.raises(Conflict) as caught, one.stream("Slowly.") as stream:
        lose_places(one._store)
        two.send("Quickly.")
        stream.until_done()
    assert caught.value.reply.text == caught.value.answer.message.content[-1].text
    assert one.send("And now?").text
    assert one.history() == two.history()


# ---- options --------------------------------------------------------------------------------------


def test_any_option_of_the_sdk_passes_through(talk: Talk, sim: Simulator) -> None:
    """Given to the conversation or to one send, it is in the body."""
    chat = talk(metadata={"user_id": "u1"})
    chat.send("One.", stop_sequences=["STOP"], service_tier="auto", extra_body={"speed": "standard"})
    sent = body(sim)
    assert sent["metadata"] == {"user_id": "u1"}
    assert sent["stop_sequences"] == ["STOP"]
    assert sent["speed"] == "standard"
    chat.send("Two.")
    assert "stop_sequences" not in body(sim)


def test_thinking_effort_system_and_tools_stay_in_force(talk: Talk, sim: Simulator) -> None:
    """Given once, they are in the next request too."""
    chat = talk()
    chat.send(
        "One.", thinking={"type": "adaptive"}, output_config={"effort": "low"}, system="Be brief.", tools=[LOOKUP]
    )
    chat.send("Two.")
    sent = body(sim)
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent["output_config"] == {"effort": "low"}
    assert sent["system"][0]["text"] == "Be brief."
    assert sent["tools"][0]["name"] == "lookup"


def test_no_tools_for_once_keeps_them_in_the_prefix(talk: Talk, sim: Simulator) -> None:
    """`tools=[]` sends tool_choice none, for this request alone."""
    chat = talk(tools=[LOOKUP])
    chat.send("One.", tools=[])
    assert body(sim)["tool_choice"] == {"type": "none"}
    assert body(sim)["tools"]
    chat.send("Two.")
    assert "tool_choice" not in body(sim)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"temprature": 1}, InvalidOption),
        ({"metdata": {}}, InvalidOption),
        ({"temperature": 1.0}, InvalidOption),
        ({"stream": True}, InvalidOption),
        ({"messages": []}, InvalidOption),
        ({"model": "claude-sonet-5-5"}, UnknownModel),
        ({"max_tokens": 0}, InvalidOption),
        ({"max_tokens": "many"}, InvalidOption),
        ({"context_management": {"edits": []}}, InvalidOption),
        ({"system": [{"type": "text", "text": " "}]}, InvalidOption),
        ({"tools": ["lookup"]}, InvalidOption),
        ({"tool_choice": {"type": "tool", "name": "lookup"}}, InvalidContent),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_written(
    talk: Talk, sim: Simulator, options: dict[str, Any], error: type[Exception]
) -> None:
    """A misspelt or impossible option is an error of ours: nothing sent, nothing recorded, nothing in force."""
    chat = talk()
    with pytest.raises(error):
        chat.send("Hello.", **options)
    assert sim.log == []
    assert chat.history() == []
    chat.send("Hello.")


@pytest.mark.parametrize(
    "content",
    ["", "  \n", [], [{"type": "text"}], [{"text": "no type"}], 7, None, {"role": "assistant", "content": "mine"},
     {"role": "system", "content": "two systems"}, "half \ud800 pair", result("orphan", "toolu_9"),
     [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5],
)  # fmt: skip
def test_content_that_cannot_be_sent_is_refused_before_anything_is_written(
    talk: Talk, sim: Simulator, content: Any
) -> None:
    """Empty, malformed, orphaned, five markers: InvalidContent or InvalidOption, and nothing happened."""
    chat = talk()
    with pytest.raises((InvalidContent, InvalidOption)):
        chat.send(content)
    assert sim.log == []
    assert chat.history() == []


@pytest.mark.parametrize(
    "settings",
    [{"budget": 0}, {"budget": 10.5}, {"keep": 99_999}, {"busy": "maybe"}, {"cache": "2h"}, {"id": ""}, {"modle": "x"}],
)
def test_settings_that_make_no_sense_are_refused(path: Path, settings: dict[str, Any]) -> None:
    """InvalidOption, before the file is made."""
    with pytest.raises(InvalidOption):
        Conversation(path, **settings)
    assert not path.exists()


def test_a_budget_below_the_preamble_names_it(talk: Talk, sim: Simulator) -> None:
    """BudgetExceeded says what is too large and how many tokens are missing."""
    chat = talk(system=LONG, budget=300, keep=100)
    with pytest.raises(BudgetExceeded) as caught:
        chat.send("Hello.")
    assert "preamble" in caught.value.largest
    assert caught.value.missing == caught.value.needed - caught.value.budget > 0
    assert sim.messages == []
    assert chat.history() == []


def test_settings_of_a_send_that_never_was_are_not_in_force(talk: Talk, sim: Simulator) -> None:
    """A system prompt too large for the budget is refused, and the next send goes on without it."""
    chat = talk(system="Be brief.", budget=1_500)
    chat.send("One.")
    with pytest.raises(BudgetExceeded):
        chat.send("Two.", system="word " * 5_000, model="claude-opus-5-5")
    chat.send("Three.")
    assert body(sim)["system"][0]["text"] == "Be brief."
    assert chat.model == "claude-sonnet-5-5"


def test_a_closed_conversation_says_so(talk: Talk) -> None:
    """Whatever is asked; closing twice is fine."""
    chat = talk()
    chat.close()
    chat.close()
    for ask in (lambda: chat.send("Hello."), chat.history, chat.usage, chat.fork, lambda: chat.plan("Hello.")):
        with pytest.raises(ConversationClosed):
            ask()
    with pytest.raises(ConversationClosed), chat.stream("Hello."):
        pass


def test_a_store_of_the_callers_stays_open(talk: Talk) -> None:
    """It serves many conversations; only its owner closes it."""
    store = MemoryStore()
    with talk(store=store, id="a") as one, talk(store=store, id="b") as two:
        one.send("Hello.")
        two.send("Hello.")
    assert len(store.conversations()) == 2
    store.close()


# ---- tools ----------------------------------------------------------------------------------------


def test_a_tool_call_and_its_result(talk: Talk, sim: Simulator) -> None:
    """Calls come out as blocks, results go in as content; the exchange stays one."""
    chat = talk(tools=[cast(anthropic.types.ToolParam, LOOKUP)])
    sim.script([[CALL]])
    reply = chat.send("Look lamp up.")
    assert reply.tool_calls[0]["id"] == "toolu_1"
    chat.send(result("A lamp gives light."))
    assert [turn.plain for turn in chat.history()] == [True, False, False, False]


def test_a_call_that_was_never_answered_is_answered_for_the_caller(talk: Talk, sim: Simulator) -> None:
    """Saying something else records error results, as a turn of their own, and stays legal."""
    chat = talk(tools=[LOOKUP])
    sim.script([[CALL, {**CALL, "id": "toolu_2"}]])
    chat.send("Look lamp up.")
    chat.send("Never mind. What else?")
    results = chat.history()[2].blocks
    assert [(b["tool_use_id"], b["is_error"]) for b in results] == [("toolu_1", True), ("toolu_2", True)]
    assert chat.history()[3].plain


def test_a_result_for_one_of_two_calls_is_refused(talk: Talk, sim: Simulator) -> None:
    """The API wants all of them at once; nothing is sent or written."""
    chat = talk(tools=[LOOKUP])
    sim.script([[CALL, {**CALL, "id": "toolu_2"}]])
    chat.send("Look lamp up.")
    before = chat.history()
    with pytest.raises(InvalidContent):
        chat.send(result("one of two"))
    assert chat.history() == before


# ---- epochs ---------------------------------------------------------------------------------------


def test_another_system_prompt_begins_an_epoch(talk: Talk) -> None:
    """And says why; the same one again does not."""
    chat = talk(system="Be brief.")
    chat.send("One.")
    assert chat.send("Two.", system="Be brief.").plan.cut is False
    plan = chat.send("Three.", system="Be long.").plan
    assert plan.cut
    assert "system" in plan.epoch.reason
    assert chat.send("Four.").plan.cut is False


def test_another_model_begins_an_epoch_without_thinking(talk: Talk, sim: Simulator) -> None:
    """Foreign thinking is left out of the view, not of the record."""
    chat = talk(max_tokens=5_000)
    chat.send("One.")
    assert chat.history()[1].blocks[0]["type"] == "thinking"
    plan = chat.send("Two.", model="claude-opus-5-5").plan
    assert plan.cut
    assert "thinking" not in [b["type"] for m in body(sim)["messages"] for b in m["content"]]
    assert chat.model == "claude-opus-5-5"


def test_a_pin_stays_when_its_exchange_slides_out(talk: Talk) -> None:
    """It stands in front, whole; unpinned, it leaves at the next cut."""
    chat = talk(strategy=SlidingWindow(turns=1))
    first = chat.send("My order is number 1138.")
    chat.pin(first.turn)  # type: ignore[arg-type]
    for number in range(3):
        chat.send(f"Question {number}")
    assert "1138" in str(chat.request(4).body["messages"])
    chat.pin(first.turn, pinned=False)  # type: ignore[arg-type]
    chat.send("Another.")
    assert "1138" not in str(chat.request(5).body["messages"])


def test_markers_by_hand_belong_to_one_request(talk: Talk, sim: Simulator) -> None:
    """They are sent, rebuilt, and not recorded in the turn; ours make room."""
    chat = talk(system=LONG)
    chat.send([{"type": "text", "text": "One.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
    assert body(sim)["messages"][-1]["content"][0]["cache_control"]["ttl"] == "1h"
    assert chat.request(1).intact
    assert "cache_control" not in chat.history()[0].content
    chat.send("Two.")
    assert sim.messages[-1].status == 200


@pytest.mark.parametrize("cache", ["5m", "1h", None, Marks(preamble="1h", tail="5m")])
def test_the_marks_asked_for_are_sent(talk: Talk, sim: Simulator, cache: Any) -> None:
    """Lifetimes as given, at most four, the longer first; None marks nothing."""
    chat = talk(system=LONG, cache=cache, strategy=Everything())
    chat.send("One.")
    chat.send("Two.")
    sent = body(sim)
    blocks = [*sent["system"], *(b for m in sent["messages"] for b in m["content"])]
    lifetimes = [b["cache_control"]["ttl"] for b in blocks if "cache_control" in b]
    wanted = {"5m": {"5m"}, "1h": {"1h"}, None: set()}.get(cache) if not isinstance(cache, Marks) else {"1h", "5m"}
    assert set(lifetimes) == wanted
    assert len(lifetimes) <= 4
    assert lifetimes == sorted(lifetimes)


# ---- clients --------------------------------------------------------------------------------------


def test_without_a_key_the_simulator_talks() -> None:
    """client="simulator" needs nothing else, not even a file."""
    with Conversation(client="simulator") as chat:
        assert chat.send("Hello.").text


def test_a_client_from_the_environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and address from the environment, over a real socket; closed with the conversation; a fork has its own."""
    with sim.serve() as url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        store = MemoryStore()
        with Conversation(store) as chat:
            assert chat.send("Hello.").text
            fork = chat.fork()
        with fork:
            assert fork.send("Hello again.").text
        assert chat._client.is_closed()
        store.close()


def test_without_any_key_it_says_so_before_anything_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Looking needs no key; sending does, and says what to do."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "none"))
    with Conversation(path) as chat:
        with pytest.raises(InvalidOption, match="ANTHROPIC_API_KEY"):
            chat.send("Hello.")
        assert chat.history() == []
        assert chat.plan("Hello.").prompt.tokens > 0


def test_a_client_of_the_wrong_kind_is_refused(path: Path, sim: Simulator) -> None:
    """An asynchronous client, or none at all, before there is a file."""
    for client in (sim.async_client(), object()):
        with pytest.raises(InvalidOption):
            Conversation(path, client=client)
    assert not path.exists()


@pytest.mark.parametrize("options", [{}, {"fallback": ["claude-haiku-5-5"]}], ids=["alone", "with a fallback"])
def test_a_conversation_that_nobody_holds_is_gone_at_once(sim: Simulator, options: Any) -> None:
    """What it remembers is let go with it, and does not wait for Python to look for circles."""
    chat = Conversation(MemoryStore(), client=sim.client(), **options)
    chat.send("Hello.")
    chat.send("And again.")
    chat.wait_for_background()
    kept = [weakref.ref(one) for one in (chat._session, chat._session._shortcuts, chat._store)]
    gc.disable()
    try:
        chat.close()
        del chat
        assert [one() for one in kept] == [None] * 3
    finally:
        gc.enable()


def test_what_the_record_holds_takes_no_room_beside_it(sim: Simulator) -> None:
    """Sizes that were estimated for a first request are kept until it is recorded, and no longer."""
    with Conversation(MemoryStore(), client=sim.client()) as chat:
        chat.extend({"role": ("user", "assistant")[i % 2], "content": f"Crate {i}."} for i in range(100))
        chat.plan("Which crates?")
        estimated = sys.getsizeof(chat._session._sizes)
        chat.send("Which crates?")
        assert sys.getsizeof(chat._session._sizes) == sys.getsizeof({}) < estimated
