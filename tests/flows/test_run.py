"""Tool runs: functions called, results answered and recorded, whatever breaks on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from anthropic.lib.tools import ToolError

from sash import AsyncConversation, Conversation, check_request
from sash.errors import InvalidContent, InvalidOption, NothingToRetry, Unavailable
from sash.flows.tools.open_calls import taken_along
from sash.model.blocks import dumps
from sash.model.turns import Draft, as_turns
from sash.simulator import Overloaded, RateLimited, Simulator

Talk = Callable[..., Conversation]


def call(id: str, name: str = "look", **given: Any) -> dict[str, Any]:
    """A tool call as Claude makes it."""
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def look(word: str) -> str:
    """Look a word up."""
    return f"{word} means light"


def results(turn: Any) -> list[tuple[str, Any, bool]]:
    """The results in a turn: id, content, whether an error."""
    return [(b["tool_use_id"], b.get("content"), b.get("is_error", False)) for b in turn.blocks]


LOOK = {
    "name": "look",
    "description": "Look a word up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


def test_run_calls_functions_until_claude_is_done(talk: Talk, sim: Simulator) -> None:
    """Each call is answered in one user turn, in order; the last reply sums up the steps."""
    sim.script([[call("t1", word="lamp"), call("t2", word="moon")], [call("t3", word="star")], "All light."])
    reply = talk().run("What do they mean?", tools=[look])
    assert reply.text == "All light."
    assert [step.stop_reason for step in reply.steps] == ["tool_use", "tool_use", "end_turn"]
    assert reply.usage.output == sum(step.usage.output for step in reply.steps)
    assert reply.cost == pytest.approx(sum(attempt.cost for attempt in sim.messages))
    turns = talk().history()
    assert [t.role for t in turns] == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert results(turns[2]) == [("t1", "lamp means light", False), ("t2", "moon means light", False)]
    assert all(check_request(attempt.body) == [] for attempt in sim.messages)


def test_functions_of_the_sdk_and_values_of_any_kind(talk: Talk, sim: Simulator) -> None:
    """SDK tools work as they are; JSON values go as JSON, blocks as blocks, nothing as an empty result."""

    @anthropic.beta_tool  # type: ignore[type-var]
    def count(word: str) -> dict[str, int]:
        """Count."""
        return {"letters": len(word)}

    def show() -> list[dict[str, Any]]:
        """Show."""
        return [{"type": "text", "text": "seen"}, {"type": "text", "text": ""}]

    def act() -> None:
        """Act."""

    sim.script([[call("t1", "count", word="lamp"), call("t2", "show"), call("t3", "act")]])
    talk().run("Do it.", tools=[count, show, act])
    assert results(talk().history()[2]) == [
        ("t1", '{"letters":4}', False),
        ("t2", [{"type": "text", "text": "seen"}], False),
        ("t3", None, False),
    ]


def test_what_a_function_raises_goes_to_claude(talk: Talk, sim: Simulator) -> None:
    """Failures, wrong arguments and unknown tools are error results; the run goes on."""

    def fail(word: str) -> str:
        """Fail."""
        raise LookupError(f"no {word}")

    def explain() -> str:
        """Explain."""
        raise ToolError([{"type": "text", "text": "the shelf is empty"}])

    sim.script([[call("t1", "fail", word="x"), call("t2", "explain"), call("t3", "fail"), call("t4", "gone")], "Oh."])
    assert talk().run("Try.", tools=[fail, explain]).text == "Oh."
    found = results(talk().history()[2])
    assert [error for _, _, error in found] == [True] * 4
    assert found[0][1] == "LookupError: no x"
    assert found[1][1] == [{"type": "text", "text": "the shelf is empty"}]
    assert "word" in found[2][1]
    assert "gone" in found[3][1]


def test_step_limit_stops_a_run_that_can_go_on(talk: Talk, sim: Simulator) -> None:
    """After `max_steps` requests the run ends with its calls open; without content it goes on from there."""
    sim.script([[call("t1", word="a")], [call("t2", word="b")], "Done."])
    chat = talk()
    reply = chat.run("Go.", tools=[look], max_steps=2)
    assert (reply.stop_reason, len(sim.messages), len(reply.notes)) == ("tool_use", 2, 1)
    assert chat.run().text == "Done."
    assert [t.role for t in chat.history()] == ["user", "assistant"] * 3
    with pytest.raises(InvalidOption):
        chat.run("Go.", max_steps=0)


def test_a_tool_left_to_the_caller_ends_the_run(talk: Talk, sim: Simulator) -> None:
    """A definition without a function is answered by submit, with all calls of that reply."""
    ask = {**LOOK, "name": "ask_a_person"}
    sim.script([[call("t1", word="a"), call("t2", "ask_a_person", word="b")], "Fine."])
    chat = talk()
    reply = chat.run("Go.", tools=[look, ask])
    assert [c["id"] for c in reply.tool_calls] == ["t1", "t2"]
    assert chat.submit({"t1": "light", "t2": "yes"}).text == "Fine."


def test_a_crash_between_call_and_result_loses_no_result(talk: Talk, sim: Simulator) -> None:
    """Results are on disk as they come: a later run calls what was not called, nothing twice."""
    called = []

    def act(word: str) -> str:
        """Act."""
        called.append(word)
        if word == "b" and called.count("b") == 1:
            raise KeyboardInterrupt
        return f"did {word}"

    sim.script([[call("t1", "act", word="a"), call("t2", "act", word="b")], "Done."])
    with pytest.raises(KeyboardInterrupt):
        talk().run("Go.", tools=[act])
    assert [t.role for t in talk().history()] == ["user", "assistant"]
    again = talk(tools=[act])
    assert again.run().text == "Done."
    assert called == ["a", "b", "b"]
    assert results(again.history()[2]) == [("t1", "did a", False), ("t2", "did b", False)]


def test_after_a_crash_the_next_question_is_a_plain_turn(talk: Talk, sim: Simulator) -> None:
    """Dangling calls are answered in a turn of their own, with what was kept; the question stays plain, and legal."""

    def act(word: str) -> str:
        """Act."""
        if word == "b":
            raise KeyboardInterrupt
        return f"did {word}"

    sim.script([[call("t1", "act", word="a"), call("t2", "act", word="b")], "I see."])
    with pytest.raises(KeyboardInterrupt):
        talk().run("Go.", tools=[act])
    chat = talk()
    assert chat.send("Never mind. What happened?").text == "I see."
    dangling, question = chat.history()[2:4]
    assert results(dangling) == [("t1", "did a", False), ("t2", "[interrupted: no result was recorded]", True)]
    assert (dangling.plain, question.plain) == (False, True)
    assert check_request(sim.messages[-1].body) == []
    past = chat.request(2)
    assert past.intact


def test_a_run_resumes_behind_a_failed_request(talk: Talk, sim: Simulator) -> None:
    """Results that met a 429 are pending; the run goes on with them and calls nothing again."""
    called: list[str] = []

    def act(word: str) -> str:
        """Act."""
        called.append(word)
        return word

    sim.script([[call("t1", "act", word="a")], "Done."])
    sim.fail_at(2, RateLimited())
    chat = talk()
    with pytest.raises(Unavailable):
        chat.run("Go.", tools=[act])
    assert chat.history()[-1].state == "pending"
    assert chat.run().text == "Done."
    assert called == ["a"]


def test_events_of_all_steps(talk: Talk, sim: Simulator) -> None:
    """`on_event` hears the SDK's events of every reply, each recorded reply and each result."""
    sim.script([[call("t1", word="a")], "Done."])
    events: list[Any] = []
    talk().run("Go.", tools=[look], on_event=events.append)
    kinds = [event.type for event in events]
    assert kinds.count("message_stop") == 2
    assert [kind for kind in kinds if kind in ("reply", "tool_result")] == ["reply", "tool_result", "reply"]
    assert "".join(event.text for event in events if event.type == "text") == "Done."


def test_a_listener_that_raises_ends_the_run(talk: Talk, sim: Simulator) -> None:
    """What came is recorded, no function is called, and the next request is legal."""
    sim.script([[call("t1", word="a")], "Done."])

    def stop(event: Any) -> None:
        if event.type == "message_stop":
            raise TimeoutError("enough")

    chat = talk()
    with pytest.raises(TimeoutError):
        chat.run("Go.", tools=[look], on_event=stop)
    assert [t.state for t in chat.history()] == ["answered", "answered"]
    assert len(sim.messages) == 1
    assert chat.send("And now?").text == "Done."


def test_a_forced_choice_holds_for_the_first_step(talk: Talk, sim: Simulator) -> None:
    """A forced tool is called once; else the run could not end."""
    reply = talk(model="claude-haiku-4-5").run(
        "Look up lamp.", tools=[look], tool_choice={"type": "tool", "name": "look"}, thinking={"type": "disabled"}
    )
    assert reply.stop_reason == "end_turn"
    assert ["tool_choice" in attempt.body for attempt in sim.messages] == [True, False]


def test_async_run_awaits_coroutines_and_threads_functions(sim: Simulator) -> None:
    """Both kinds of function work in an async run, and a coroutine listener is awaited."""
    heard = []

    async def fetch(word: str) -> str:
        """Fetch."""
        await asyncio.sleep(0)
        return f"fetched {word}"

    async def listen(event: Any) -> None:
        await asyncio.sleep(0)
        heard.append(event.type)

    async def main() -> list[Any]:
        sim.script([[call("t1", "fetch", word="a"), call("t2", word="b")], "Done."])
        client = sim.async_client(max_retries=0)
        async with AsyncConversation(None, client=client, tools=[fetch, look]) as chat:
            reply = await chat.run("Go.", on_event=listen)
            assert reply.text == "Done."
            return await chat.history()

    turns = asyncio.run(main())
    assert [content for _, content, _ in results(turns[2])] == ["fetched a", "b means light"]
    assert heard.count("reply") == 2


def test_a_cancelled_async_run_can_go_on(sim: Simulator) -> None:
    """Cancelling while a function waits leaves a legal record."""

    async def wait(word: str) -> str:
        """Wait."""
        raise asyncio.CancelledError(word)

    async def main() -> str:
        sim.script([[call("t1", "wait", word="a")], "I see."])
        async with AsyncConversation(None, client=sim.async_client(max_retries=0)) as chat:
            with pytest.raises(asyncio.CancelledError):
                await chat.run("Go.", tools=[wait])
            return (await chat.send("What now?")).text

    assert asyncio.run(main()) == "I see."


def test_run_needs_something_to_call(talk: Talk) -> None:
    """No functions, coroutines in a sync run and things that are no tools are the caller's mistakes."""

    async def fetch(word: str) -> str:
        """Fetch."""
        return word

    chat = talk()
    for tools in ([], [fetch], [LOOK], ["look"]):
        with pytest.raises(InvalidOption):
            chat.run("Go.", tools=tools)
    with pytest.raises(NothingToRetry):
        chat.run(tools=[look])
    assert chat.history() == []


@pytest.fixture
def open_calls(talk: Talk, sim: Simulator) -> Conversation:
    """A conversation that waits for two results."""
    sim.script([[call("t1", word="a"), call("t2", word="b")]])
    chat = talk()
    chat.send("Look them up.", tools=[LOOK])
    return chat


def test_submit_takes_blocks_in_any_order(open_calls: Conversation) -> None:
    """Results go out in the order of the calls, all in one user turn."""
    given = [{"type": "tool_result", "tool_use_id": key, "content": key} for key in ("t2", "t1")]
    open_calls.submit(given)
    assert results(open_calls.history()[2]) == [("t1", "t1", False), ("t2", "t2", False)]


def test_submit_answers_what_is_missing_with_an_error(open_calls: Conversation) -> None:
    """Exceptions and calls without a result are error results."""
    open_calls.submit({"t1": ValueError("no such word")})
    assert results(open_calls.history()[2]) == [
        ("t1", "ValueError: no such word", True),
        ("t2", "[no result was given for this call]", True),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"t3": "x"},
        [{"type": "tool_result", "tool_use_id": "t3"}],
        [{"type": "tool_result", "tool_use_id": "t1"}, {"type": "tool_result", "tool_use_id": "t1"}],
        [{"type": "text", "text": "x"}],
        {"type": "tool_result", "tool_use_id": "t1"},
        "light",
    ],
)
def test_submit_of_anything_else_writes_nothing(open_calls: Conversation, sim: Simulator, given: Any) -> None:
    """Unknown ids, doubles and things that are no results are errors before anything is written or sent."""
    with pytest.raises(InvalidContent):
        open_calls.submit(given)
    assert len(open_calls.history()) == 2
    assert len(sim.messages) == 1


def test_submit_without_open_calls_is_an_error(talk: Talk) -> None:
    """Nothing waits for a result: not in an empty conversation, not after a plain reply."""
    chat = talk()
    with pytest.raises(InvalidContent):
        chat.submit({"t1": "x"})
    chat.send("Hello.")
    with pytest.raises(InvalidContent):
        chat.submit({"t1": "x"})


def test_async_submit(sim: Simulator) -> None:
    """The async twin does the same."""

    async def main() -> list[Any]:
        sim.script([[call("t1", word="a")]])
        async with AsyncConversation(None, client=sim.async_client(max_retries=0)) as chat:
            await chat.send("Look.", tools=[LOOK])
            await chat.submit({"t1": {"found": True}})
            return await chat.history()

    assert results(asyncio.run(main())[2]) == [("t1", '{"found":true}', False)]


def test_calls_whose_answer_is_withdrawn_in_the_middle_go_with_it(talk: Talk, sim: Simulator) -> None:
    """Nobody can answer them once something was said behind: the reply leaves the view, and the next send works."""
    chat = talk()
    sim.script([[call("t1", word="lamp")], "Light."])
    chat.send("Look, please.", tools=[LOOK])
    sim.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.submit({"t1": "lamp means light"})
    chat.extend([{"role": "user", "content": "Never mind."}])
    assert chat.withdraw() == 1
    assert [turn.state for turn in chat.history()][:3] == ["answered", "withdrawn", "withdrawn"]
    assert chat.send("Are you there?").stop_reason == "end_turn"
    assert check_request(chat.plan("And now?").body) == []


def test_calls_at_the_end_stand_open_again_when_their_answer_is_withdrawn(talk: Talk, sim: Simulator) -> None:
    """They can still be answered, so the reply that made them stays."""
    chat = talk()
    sim.script([[call("t1", word="lamp")]])
    chat.send("Look, please.", tools=[LOOK])
    sim.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.submit({"t1": "lamp means light"})
    chat.withdraw()
    assert [turn.state for turn in chat.history()] == ["answered", "answered", "withdrawn"]
    assert chat.submit({"t1": "light it is"}).stop_reason == "end_turn"


def test_what_goes_along_takes_the_pauses_before_it() -> None:
    """Of a reply in pieces, none can stay without the last; calls that another turn answered stay."""
    pieces = [
        ("user", [{"type": "text", "text": "a"}]),
        ("assistant", [call("t0")]),
        ("user", [{"type": "tool_result", "tool_use_id": "t0"}]),
        ("assistant", [{"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}]),
        ("assistant", [{"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}, call("t1")]),
        ("user", [{"type": "tool_result", "tool_use_id": "t1"}]),
        ("user", [{"type": "text", "text": "b"}]),
    ]
    turns = [
        replace(turn, id=turn.seq)
        for turn in as_turns([Draft(role=role, content=dumps(blocks)) for role, blocks in pieces], 0, 0.0)  # type: ignore[arg-type]
    ]
    assert [turn.seq for turn in taken_along(turns, {6})] == [5, 4]
    assert taken_along(turns[:-1], {6}) == [] == taken_along(turns, {7})
