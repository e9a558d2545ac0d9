"""Checking and repairing histories: nothing legal is complained of, and whatever is repaired can be sent."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation
from sash.errors import InvalidContent
from sash.model.blocks import dumps
from sash.model.turns import Draft
from sash.planning.check import is_note
from sash.planning.strategies import Everything, SlidingWindow
from sash.simulator import Simulator

Talk = Callable[..., Conversation]
TOOL = {"name": "f", "description": "F.", "input_schema": {"type": "object", "properties": {}}}


def text(words: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words}


def call(id: str, **more: Any) -> dict[str, Any]:
    """A tool call."""
    return {"type": "tool_use", "id": id, "name": "f", "input": {}, **more}


def result(id: str) -> dict[str, Any]:
    """A tool result."""
    return {"type": "tool_result", "tool_use_id": id, "content": "found"}


def given_history(chat: Conversation, *turns: tuple[str, list[Any]]) -> None:
    """Record turns as an import would, unjudged."""
    chat.extend([Draft(role=role, content=dumps(blocks)) for role, blocks in turns])  # type: ignore[arg-type]


def user(*blocks: dict[str, Any]) -> tuple[str, list[Any]]:
    """A turn of the user."""
    return "user", list(blocks)


def said(*blocks: dict[str, Any]) -> tuple[str, list[Any]]:
    """A turn of the assistant."""
    return "assistant", list(blocks)


A, B, C, D = (text(letter) for letter in "abcd")
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}
THOUGHT = {"type": "thinking", "thinking": "", "signature": "s"}

WRONG: dict[str, tuple[str, list[tuple[str, list[Any]]], list[int]]] = {
    "a call without its result": ("tool-unanswered", [user(A), said(B, call("x")), user(C), said(D)], [2]),
    "a result without its call": ("tool-orphan", [user(A), said(B), user(result("x")), said(D)], [3]),
    "one of two results": (
        "tool-unanswered",
        [user(A), said(call("x"), call("y")), user(result("x")), said(D)],
        [2, 3],
    ),
    "text before results": ("tool-result-first", [user(A), said(call("x")), user(C, result("x")), said(D)], [2, 3]),
    "ids used twice within a turn": (
        "tool-id-twice",
        [user(A), said(call("x"), call("x")), user(result("x")), said(D)],
        [2, 3],
    ),
    "thinking of the user": ("block-role", [user(THOUGHT, A), said(B)], [1]),
    "a document of the assistant": ("document-in-assistant", [user(A), said(DOCUMENT)], [2]),
    "input that is no object": (
        "tool-call-shape",
        [user(A), said(call("x", input="{")), user(result("x")), said(D)],
        [2, 3],
    ),
}
"""What is wrong: the rule that says so, the history, and the turns that have to go."""


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_is_wrong_is_named_and_repaired(talk: Talk, sim: Simulator, name: str) -> None:
    """The rule and the place; then the turns at fault are withdrawn, and the next send is legal."""
    rule, history, gone = WRONG[name]
    chat = talk(tools=[TOOL])
    given_history(chat, *history)
    before = [turn.content for turn in chat.history()]
    problems = chat.check()
    assert rule in {problem.rule for problem in problems}
    assert chat.check() == problems
    assert chat.check(repair=True)
    assert [turn.seq for turn in chat.history() if turn.state == "withdrawn"] == gone
    assert [turn.content for turn in chat.history()] == before
    assert [problem for problem in chat.check() if not is_note(problem)] == []
    chat.send("and now?")
    assert sim.messages[-1].status == 200


def test_a_sound_history_has_no_problems(talk: Talk, sim: Simulator) -> None:
    """Tools, thinking, images, instructions, and a call that still waits."""
    chat = talk(tools=[TOOL], strategy=SlidingWindow(turns=1))
    assert chat.check() == []
    chat.send("one")
    chat.instruct("Be brief.")
    sim.script([[call("toolu_1")]])
    waiting = chat.send("two").tool_calls[0]["id"]
    assert chat.check() == []
    chat.submit({waiting: "found"})
    chat.send("three")
    assert chat.check() == []


def test_notes_are_left_as_they_are(talk: Talk, sim: Simulator) -> None:
    """Unknown block types are carried, empty turns left out, an assistant's opening is not sent."""
    chat = talk()
    given_history(
        chat,
        ("assistant", [text("Welcome.")]),
        ("user", [text("a")]),
        ("assistant", [text("")]),
        ("assistant", [text("b")]),
    )
    problems = chat.check()
    assert {problem.rule for problem in problems} == {"first-message", "empty-turn"}
    assert all(is_note(problem) for problem in problems)
    chat.check(repair=True)
    assert {turn.state for turn in chat.history()} == {"answered"}
    chat.send("c")
    assert [m["role"] for m in sim.messages[-1].body["messages"]] == ["user", "assistant", "user"]


def test_an_unknown_block_is_a_note_of_the_record(talk: Talk) -> None:
    """Later versions of the API may have sent it."""
    chat = talk()
    given_history(chat, ("user", [text("a")]), ("assistant", [{"type": "hologram", "data": "x"}, text("b")]))
    (problem,) = chat.check()
    assert (problem.rule, problem.path) == ("unknown-block", "turns.2.content.0")


def test_a_file_that_was_damaged_can_be_repaired(talk: Talk, path: Path, sim: Simulator) -> None:
    """Content that is no JSON any more is named, and the conversation goes on without it."""
    chat = talk()
    chat.send("one")
    chat.send("two")
    chat.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("""UPDATE turns SET content = '[{"type":"te' WHERE seq = 2""")
        db.commit()
    again = talk()
    assert [(problem.rule, problem.path) for problem in again.check()] == [("content", "turns.2.content")]
    again.check(repair=True)
    again.send("three")
    assert sim.messages[-1].status == 200
    assert len(sim.messages[-1].body["messages"]) == 4


def test_a_request_is_judged_as_a_whole_each_time(talk: Talk, path: Path, sim: Simulator) -> None:
    """What was sent before is judged again: a file that was damaged meanwhile, far from the view's end, is noticed."""
    chat = talk()
    sim.script([[text("Let me see."), call("t1")]])
    chat.send("Look.", tools=[TOOL])
    chat.submit({"t1": "found"})
    for number in range(12):
        chat.send(f"Question {number}")
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE turns SET state = 'withdrawn' WHERE seq = 3")
        db.commit()
    before = len(sim.log)
    with pytest.raises(InvalidContent, match="t1"):
        chat.send("And now?")
    assert len(sim.log) == before


def test_a_repair_begins_an_epoch(talk: Talk, sim: Simulator) -> None:
    """Thinking behind a turn that left would stand on another prefix: no request is refused, forks included."""
    chat = talk(strategy=Everything())
    for number in range(3):
        chat.send(f"question {number}")
    given_history(chat, user(text("x")), ("assistant", [call("x")]), user(text("y")), ("assistant", [text("z")]))
    forked = chat.fork(id="b")
    chat.check(repair=True)
    for each in (chat, forked):
        reply = each.send("and now?")
        assert reply.plan.cut
        assert "repair" in reply.plan.epoch.reason
        assert not each.send("then?").plan.cut
    assert all(attempt.status == 200 for attempt in sim.messages)
    assert all(chat.request(number).intact for number in range(1, 6))


def test_what_cannot_be_sent_for_its_size_is_said(talk: Talk) -> None:
    """The next request is part of the check."""
    chat = talk(system="You keep the books. " * 500, budget=1_000)
    assert [problem.rule for problem in chat.check()] == ["budget"]


def test_async_checks_too(sim: Simulator) -> None:
    """The same flow."""

    async def main() -> list[str]:
        async with AsyncConversation(client=sim.async_client(), tools=[TOOL]) as chat:
            await chat.extend([Draft(role=r, content=dumps(b)) for r, b in WRONG["one of two results"][1]])  # type: ignore[arg-type]
            found = await chat.check(repair=True)
            await chat.send("and now?")
            return [problem.rule for problem in found]

    assert asyncio.run(main()) == ["tool-unanswered"]


ids = st.sampled_from(["x", "y", "z"])
blocks = st.one_of(
    st.builds(text, st.sampled_from(["a", "", "  "])),
    st.builds(call, ids),
    st.builds(call, ids, input=st.just("{")),
    st.builds(result, ids),
    st.just({"type": "thinking", "thinking": "", "signature": "s"}),
    st.just({"type": "thinking", "thinking": "hm"}),
    st.just({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}}),
    st.just({"type": "web_search_tool_result", "tool_use_id": "srv", "content": []}),
    st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}),
    st.just({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}),
    st.just({"type": "text", "text": "c", "citations": [{"type": "char_location"}]}),
)
roles = st.sampled_from(["user", "assistant", "assistant", "user", "system"])
turns = st.tuples(roles, st.lists(blocks, min_size=1, max_size=4)).map(
    lambda turn: (turn[0], [text("Be brief.")]) if turn[0] == "system" else turn
)


def repaired(history: list[tuple[str, list[Any]]]) -> None:
    """Record, repair, send twice: the simulator takes both requests."""
    sim = Simulator()
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "a.db"
        with Conversation(where, client=sim.client(max_retries=0), strategy=Everything(), tools=[TOOL]) as chat:
            given_history(chat, *history)
            chat.check(repair=True)
            assert [problem for problem in chat.check() if not is_note(problem)] == []
            chat.send("one")
            chat.send("two")
    assert [attempt.status for attempt in sim.messages] == [200, 200]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example([("user", [{"type": "thinking", "thinking": "", "signature": "s"}]), ("assistant", [call("x")])])
@given(st.lists(turns, max_size=8))
def test_any_history_can_be_repaired(history: list[tuple[str, list[Any]]]) -> None:
    """Whatever was recorded, after a repair the next sends are legal."""
    repaired(history)


@pytest.mark.nightly
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(turns, max_size=12))
def test_thousands_of_histories_can_be_repaired(history: list[tuple[str, list[Any]]]) -> None:
    """The same, for a night."""
    repaired(history)
