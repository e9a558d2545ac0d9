"""Results that never enter a view whole: recorded as they came, sent as their beginning and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from held import bare
from sash import AsyncConversation, Conversation, SqliteStore, check_request
from sash.errors import InvalidOption
from sash.model.answers import RunEvent
from sash.simulator import Simulator
from sash.stores.copying import check, copy

Talk = Callable[..., Conversation]
LINES = "\n".join(f"line {number}: the harbour ledger counts {number * 7} crates" for number in range(2_000))
WHERE = "line 1234: "


def read(path: str) -> str:  # noqa: ARG001
    """Read a file."""
    return LINES


def called(name: str, **given: Any) -> list[dict[str, Any]]:
    """A reply that calls a tool."""
    return [{"type": "tool_use", "name": name, "input": given}]


def results(body: Any) -> list[Any]:
    """The tool results in a body, as they were sent."""
    said = [m["content"] for m in bare(body["messages"]) if not isinstance(m["content"], str)]
    return [block for blocks in said for block in blocks if block["type"] == "tool_result"]


def held(chat: Conversation, sim: Simulator) -> None:
    """All requests were legal and are rebuilt byte for byte."""
    for number, attempt in enumerate(sim.messages, 1):
        assert attempt.status == 200
        assert check_request(attempt.body, betas=attempt.betas) == []
        assert chat.request(number).intact


def test_a_long_result_is_sent_by_its_ends_and_read_on(talk: Talk, sim: Simulator) -> None:
    """Claude gets head, tail and a handle, finds a place by words, reads it by its range; the record is whole."""
    chat = talk(max_result=500, budget=50_000)
    events: list[Any] = []
    sim.script([called("read", path="a.txt"), "Done."])
    reply = chat.run("Read it.", tools=[read], on_event=events.append)
    [sent] = results(sim.messages[-1].body)
    text = sent["content"]
    assert text.startswith("line 0: ") and text.endswith(LINES[-20:]) and WHERE not in text
    assert "recall_result with tool_use_id toolu_" in text and "search_result" in text
    call = sent["tool_use_id"]
    assert chat.tool_result(call) == LINES
    told = [event for event in events if isinstance(event, RunEvent) and event.type == "shortened"]
    assert [event.calls for event in told] == [(call,)]
    assert f"the result of call {call} ({len(LINES):,} characters) is sent as" in reply.plan.explain()
    sim.script([called("search_result", tool_use_id=call, query="line 1234"), "Found."])
    chat.run("Where is line 1234?")
    found = results(sim.messages[-1].body)[-1]["content"]
    assert WHERE in found
    start, end = (int(word) for word in found.split("characters ")[1].split("]")[0].split(" of ")[0].split(" to "))
    sim.script([called("recall_result", tool_use_id=call, start=start, end=end), "Read."])
    chat.run("Read it there.")
    assert results(sim.messages[-1].body)[-1]["content"] == LINES[start:end]
    held(chat, sim)


def test_the_ends_stay_the_same_for_ever(talk: Talk, sim: Simulator, path: Path) -> None:
    """Later requests, another object, another limit and a copy send what was sent: no prefix is rewritten."""
    chat = talk(max_result=500, budget=50_000)
    sim.script([called("read", path="a.txt"), "Done."])
    chat.run("Read it.", tools=[read])
    [sent] = results(sim.messages[-1].body)
    chat.send("And now?")
    again = Conversation(path, id=chat.id, client=sim.client(), budget=50_000, max_result=9_000, model=chat.model)
    again.send("And now?")
    assert [results(attempt.body) for attempt in sim.messages[1:]] == [[sent]] * 3
    assert again.history()[2].recorded[0]["content"] == LINES
    held(again, sim)
    with closing(SqliteStore(path)) as source, closing(SqliteStore(path.with_name("copy.db"))) as target:
        copy(source, target)
        check(source, target)


def test_results_by_submit_and_extend_are_shortened_too(talk: Talk, sim: Simulator) -> None:
    """However a result arrives, more than `max_result` tokens of it are never sent; less is sent whole."""
    chat = talk(max_result=500, budget=50_000)
    tool = {"name": "read", "description": "Read.", "input_schema": {"type": "object"}}
    sim.script([[*called("read", path="a"), *called("read", path="b")], "Done."])
    reply = chat.send("Read both.", tools=[tool])
    one, two = (call["id"] for call in reply.tool_calls)
    chat.submit({one: LINES, two: "short"})
    long, short = results(sim.messages[-1].body)
    assert len(long["content"]) < len(LINES) / 10 and short["content"] == "short"
    assert "recall_result" not in long["content"]  # nobody offers it
    chat.extend(
        [
            {"role": "user", "content": "And c?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_c", "name": "read", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_c", "content": LINES}]},
            {"role": "assistant", "content": "Read."},
        ]
    )
    chat.send("Go on.")
    assert len(results(sim.messages[-1].body)[-1]["content"]) < len(LINES) / 10
    assert chat.tool_result("toolu_c") == LINES
    held(chat, sim)


def test_what_is_redacted_is_gone_whole(talk: Talk, sim: Simulator, path: Path) -> None:
    """Redacting the turn of a shortened result leaves neither its ends nor its middle in the file."""
    chat = talk(max_result=500, budget=50_000)
    sim.script([called("read", path="a.txt"), "Done."])
    chat.run("Read it.", tools=[read])
    chat.redact(chat.history()[2], reason="asked to")
    chat.send("Go on.")
    assert "ledger" not in str(sim.messages[-1].body)
    chat.close()
    assert not any(b"ledger" in one.read_bytes() for one in path.parent.iterdir() if one.is_file())


@pytest.mark.parametrize("offered", [True, False])
def test_by_default_only_what_can_be_read_on_is_shortened(talk: Talk, sim: Simulator, offered: bool) -> None:
    """Without a limit of one's own the price decides, and only where Claude is offered the tools that read on."""
    chat = talk(budget=100_000)
    sim.script([called("read", path="a.txt"), "Done."])
    chat.run("Read it.", tools=[read, *(chat.result_tools() if offered else ())])
    [sent] = results(sim.messages[-1].body)
    assert (sent["content"] != LINES) is offered
    held(chat, sim)


def test_pictures_stay_whole(talk: Talk, sim: Simulator) -> None:
    """A result that holds more than text is sent as it is."""
    chat = talk(max_result=20)
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixel}}

    def draw() -> list[Any]:
        """Draw."""
        return [{"type": "text", "text": "a point " * 50}, image]

    sim.script([called("draw"), "Done."])
    chat.run("Draw.", tools=[draw])
    assert results(sim.messages[-1].body)[0]["content"] == draw()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"start": 10**9}, "start=1000000000"),
        ({"start": 5, "end": 5}, "end=5"),
        ({"start": -1}, "start=-1"),
        ({"tool_use_id": "toolu_none"}, "toolu_none"),
    ],
)
def test_a_range_or_handle_that_is_not_there_is_told_to_claude(
    talk: Talk, sim: Simulator, given: dict[str, Any], named: str
) -> None:
    """It hears an error that names the value, and the run goes on."""
    chat = talk(max_result=500, budget=50_000)
    sim.script([called("read", path="a.txt"), "Done."])
    chat.run("Read it.", tools=[read])
    call = results(sim.messages[-1].body)[0]["tool_use_id"]
    sim.script([called("recall_result", **{"tool_use_id": call, **given}), "I see."])
    assert chat.run("Read on.").text == "I see."
    heard = results(sim.messages[-1].body)[-1]
    assert heard["is_error"] and named in str(heard["content"])


def test_a_limit_that_is_none_is_refused(path: Path) -> None:
    """A limit is a whole number of tokens."""
    with pytest.raises(InvalidOption, match="max_result=0"):
        Conversation(path, client="simulator", max_result=0)
    with pytest.raises(InvalidOption, match="max_result='a lot'"):
        Conversation(path, client="simulator", max_result="a lot")  # type: ignore[arg-type]


async def _async_run(path: Path, sim: Simulator) -> AsyncConversation:
    async with AsyncConversation(path, id="a", client=sim.async_client(), max_result=500, budget=50_000) as chat:
        await chat.run("Read it.", tools=[read])
        return chat


def test_async_conversations_do_the_same(path: Path, sim: Simulator) -> None:
    """An async run offers async tools, which read on."""
    sim.script([called("read", path="a.txt"), "Done."])
    asyncio.run(_async_run(path, sim))
    call = results(sim.messages[-1].body)[0]["tool_use_id"]
    assert {"recall_result", "search_result"} <= {tool["name"] for tool in sim.messages[-1].body["tools"]}
    assert Conversation(path, id="a", client=sim.client(), create=False).tool_result(call) == LINES
