"""Replies of any content: recorded, paid for, in view, and never in the way of the next send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, MemoryStore, SlidingWindow, check_request
from sash.errors import BudgetExceeded, RemoteError, ReplyInterrupted, Unavailable
from sash.model.counts import Count
from sash.simulator import OddBody, Simulator, SpoiltInput
from sash.simulator import Reply as Scripted
from sash.stores.around import around

Talk = Callable[..., Conversation]


def call(id: Any, given: Any = None, name: Any = "look") -> dict[str, Any]:
    """A tool call as it may come."""
    return {"type": "tool_use", "id": id, "name": name, "input": {} if given is None else given}


def text(said: str = "Look:") -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said}


def look(word: str = "") -> str:
    """Look a word up."""
    return f"{word or 'it'} means light"


def raw(*content: Any) -> Scripted:
    """A reply that goes out as it is."""
    return Scripted(content=content, raw=True)


ODD: list[tuple[str, list[Any]]] = [
    ("ids twice", [text(), call("t1"), call("t1")]),
    ("illegal ids", [text(), call("run:0"), call(""), call(None)]),
    ("list as input", [text(), call("t1", ["a"])]),
    ("text as input", [text(), call("t1", "lamp")]),
    ("no name", [text(), call("t1", name="")]),
    ("illegal name", [text(), call("t1", name="files.read")]),
    ("half a character in a name", [text(), call("t1", name="loo\ud83dk")]),
    ("endless name", [text(), call("t1", name="look" * 50)]),
    ("unsigned thought", [{"type": "thinking", "thinking": "Hm."}, text()]),
    ("unsigned thought and call", [{"type": "thinking", "thinking": "Hm.", "signature": ""}, text(), call("t1")]),
    ("redacted without data", [{"type": "redacted_thinking"}, text()]),
    ("surrogate", [text("Look: \ud83d")]),
    ("result nobody asked for", [text(), {"type": "web_search_tool_result", "tool_use_id": "x", "content": []}]),
    ("document", [text(), {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}]),
    ("tool result", [text(), {"type": "tool_result", "tool_use_id": "x", "content": "a"}]),
    ("empty text", [text(""), text()]),
    ("nothing", []),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("content", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_no_reply_blocks_a_conversation(talk: Talk, sim: Simulator, content: list[Any], streamed: bool) -> None:
    """Its text stays in view, its cost is recorded, calls are answered under their ids, and every body is legal."""
    sim.script([raw(*content), "Done.", "Yes."])
    chat = talk()
    reply = chat.run("Go.", tools=[look], on_event=(lambda _: None) if streamed else None)
    assert reply.cost == pytest.approx(sum(attempt.cost for attempt in sim.messages))
    assert chat.send("And now?").text == ("Yes." if reply.steps else "Done.")
    said = [block.get("text", "") for message in sim.messages[-1].body["messages"] for block in message["content"]]
    assert any(part.startswith("Look:") for part in said) or not content
    assert all(check_request(attempt.body) == [] for attempt in sim.messages)
    assert {attempt.status for attempt in sim.messages} == {200}


class Watched:
    """A store that knows how often it was asked for ids of calls."""

    def __init__(self) -> None:
        self.asked, self.store = 0, around(MemoryStore(), self.note)

    @contextmanager
    def note(self, name: str, _: Any) -> Iterator[None]:
        """Around each call of the store."""
        self.asked += name == "turns.call_ids"
        yield


def test_an_id_is_used_once_in_a_record_though_its_first_use_has_left_the_view(talk: Talk, sim: Simulator) -> None:
    """A call that repeats an id from before the view, or from before a fork, gets a new one; each result is found."""
    chat = talk(strategy=SlidingWindow(turns=1))
    answers = iter(["the first", "the second", "the third"])

    def look() -> str:
        """Look."""
        return next(answers)

    sim.script([raw(call("run_0")), "Done.", "Yes.", "Yes.", raw(call("run_0")), "Done.", "Yes.", "Yes."])
    chat.run("Go.", tools=[look])
    chat.send("And?")
    chat.send("And?")
    assert "run_0" not in str(sim.messages[-1].body)
    again = chat.run("Go.", tools=[look])
    assert again.text == "Done."
    chat.send("And?")
    chat.send("And?")
    sim.script([raw(call("run_0")), "Done."])
    fork = chat.fork(id="b")
    fork.run("Go.", tools=[look])
    results = {id: fork.tool_result(id) for id in ("run_0", "run_0_2", "run_0_3")}
    assert results == {"run_0": "the first", "run_0_2": "the second", "run_0_3": "the third"}


def test_only_ids_that_the_api_did_not_make_are_looked_up(talk: Talk, sim: Simulator) -> None:
    """Usual replies cost no search of the record; one with ids of another's making costs one, however many calls."""
    store = Watched()
    chat = talk(store=store.store)
    sim.script(["Hello.", [{"type": "tool_use", "name": "look", "input": {}}], "Done."])
    chat.send("Hello?")
    chat.run("Go.", tools=[look])
    assert store.asked == 0
    sim.script([raw(call("t1"), call(""), call("run:0")), "Done."])
    chat.run("Go.", tools=[look])
    assert store.asked == 1


def test_calls_are_handed_out_under_the_ids_they_are_recorded_with(talk: Talk, sim: Simulator) -> None:
    """`tool_calls`, the record and `submit` know the same ids; the notes tell what became of which."""
    ask = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
    sim.script([raw(call("run:0", ["a"]), call("run:0")), raw(call("run_0")), "Done."])
    chat = talk(tools=[ask])
    reply = chat.send("Go.")
    assert [(c["id"], c["input"]) for c in reply.tool_calls] == [("run_0", {"input": ["a"]}), ("run_0_2", {})]
    assert reply.turn is not None and reply.turn.blocks == reply.blocks
    assert sum("call id 'run:0'" in note for note in reply.notes) == 2
    again = chat.submit({"run_0": "light", "run_0_2": "lamp"})
    assert [c["id"] for c in again.tool_calls] == ["run_0_3"]
    assert chat.submit({"run_0_3": "moon"}).text == "Done."


def test_a_thought_without_signature_is_recorded_and_not_sent(talk: Talk, sim: Simulator) -> None:
    """The record keeps it as it came; no request holds it, and the reply says so."""
    sim.script([raw({"type": "thinking", "thinking": "Hm."}, text())])
    chat = talk()
    reply = chat.send("Go.")
    chat.send("And now?")
    assert chat.history()[1].blocks[0] == {"type": "thinking", "thinking": "Hm."}
    assert [block["type"] for block in sim.messages[-1].body["messages"][1]["content"]] == ["text"]
    assert "without its signature" in reply.notes[0]


@pytest.mark.parametrize("body", [OddBody().body, {}, [], "a page", {"type": "error"}], ids=repr)
def test_success_with_something_else_than_a_message_leaves_the_turn_pending(
    talk: Talk, sim: Simulator, body: Any
) -> None:
    """An error object under HTTP 200 is an error of the far side; the same question is sent again by retry."""
    sim.fail_next(OddBody(body=body))
    chat = talk()
    with pytest.raises(Unavailable) as failed:
        chat.send("Go.")
    assert (failed.value.status, failed.value.state) == (200, "pending")
    assert failed.value.kind == ("overloaded_error" if body == OddBody().body else "no_message")
    sim.script(["Done."])
    assert chat.retry().text == "Done."


def test_success_with_an_error_object_on_a_stream(talk: Talk, sim: Simulator) -> None:
    """A stream that is none leaves the turn pending, too, and what came instead is told."""
    sim.fail_next(OddBody())
    chat = talk()
    with pytest.raises(RemoteError, match="Overloaded") as failed, chat.stream("Go.") as stream:
        stream.until_done()
    assert (failed.value.kind, failed.value.status, failed.value.state) == ("overloaded_error", 200, "pending")
    assert failed.value.request_id
    assert chat.retry().stop_reason == "end_turn"


@pytest.mark.parametrize("body", [OddBody().body, {}, "a page"], ids=repr)
def test_async_streams_that_are_none_are_told_of_too(sim: Simulator, body: Any) -> None:
    """The same for a caller on an event loop."""

    async def main() -> RemoteError:
        sim.fail_next(OddBody(body=body))
        async with AsyncConversation(None, client=sim.async_client(max_retries=0)) as chat:
            with pytest.raises(RemoteError) as failed:
                async with chat.stream("Go.") as stream:
                    await stream.until_done()
        return failed.value

    error = asyncio.run(main())
    assert (error.kind, error.state) == ("overloaded_error" if body == OddBody().body else "no_message", "pending")


@pytest.mark.parametrize("body", [{}, {"input_tokens": "many"}, {"input_tokens": -1}, [], "a page"], ids=repr)
def test_an_answer_that_is_no_count_is_an_error_of_the_endpoint(talk: Talk, sim: Simulator, body: Any) -> None:
    """Whoever asked for an exact count is told what came, with the estimate; a send goes by its bound."""

    async def count() -> Count:
        async with AsyncConversation(None, client=sim.async_client(max_retries=0)) as chat:
            return await chat.count("Go.", exact=True)

    sim.fail_next(OddBody(body=body), times=3, path="/v1/messages/count_tokens")
    asked: list[Callable[[], Count]] = [lambda: talk().count("Go.", exact=True), lambda: asyncio.run(count())]
    for exactly in asked:
        with pytest.raises(Unavailable, match="the estimate is") as failed:
            exactly()
        assert (failed.value.status, failed.value.kind) == (200, "no_count")
    question = "a word or two " * 50
    expected = talk().plan(question).prompt
    with pytest.raises(BudgetExceeded):
        talk(id="b", budget=expected.tokens).send(question)


@pytest.mark.parametrize("spoilt", ['{"word": "la', '{"word": lamp}', "}"])
def test_a_stream_whose_call_is_no_json_says_so(talk: Talk, sim: Simulator, spoilt: str) -> None:
    """No function is called with half an input: what came is recorded as interrupted, with its cost, and named."""
    called: list[str] = []

    def find(word: str = "") -> str:
        """Find a word."""
        called.append(word)
        return word

    sim.script([[text(), call("t1", {"word": "lamp"}, "find")], "Done."])
    sim.fail_next(SpoiltInput(text=spoilt))
    chat = talk()
    with pytest.raises(ReplyInterrupted, match="malformed"):
        chat.run("Go.", tools=[find], on_event=lambda _: None)
    assert called == []
    assert [turn.state for turn in chat.history()] == ["answered", "interrupted"]
    assert chat.usage().dollars > 0
    assert chat.send("And now?").text == "Done."
    assert check_request(sim.messages[-1].body) == []


def test_async_replies_are_mended_in_the_same_way(sim: Simulator) -> None:
    """The async twin records and sends the same."""

    async def main() -> str:
        sim.script([raw(text(), call("t:1"), call("t:1")), "Done."])
        async with AsyncConversation(None, client=sim.async_client(max_retries=0)) as chat:
            return (await chat.run("Go.", tools=[look])).text

    assert asyncio.run(main()) == "Done."
    assert check_request(sim.messages[-1].body) == []


def test_what_a_memo_repeats_is_mended_again(talk: Talk, sim: Simulator) -> None:
    """A reply from memory is read like one that comes fresh."""
    sim.script([raw({"type": "thinking", "thinking": "Hm."}, text("Look: \ud83d")), "Yes."])
    first = talk(memo=True).send("Go.")
    second = talk(memo=True, id="b").send("Go.")
    assert (first.text, second.text) == ("Look: \\ud83d", "Look: \\ud83d")
    assert talk(memo=True, id="b").send("And now?").text == "Yes."
