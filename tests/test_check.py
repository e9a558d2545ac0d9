"""Checking and repairing histories: nothing legal is complained of, and whatever is repaired can be sent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, check_request
from sash.errors import InvalidContent, InvalidOption
from sash.model.blocks import dumps
from sash.model.turns import Draft
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


def result(id: str, content: Any = "found") -> dict[str, Any]:
    """A tool result."""
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def given_history(chat: Conversation, *turns: tuple[str, list[Any]]) -> None:
    """Record turns as an import would, unjudged."""
    chat.extend([Draft(role=role, content=dumps(blocks)) for role, blocks in turns])  # type: ignore[arg-type]


def user(*blocks: dict[str, Any]) -> tuple[str, list[Any]]:
    """A turn of the user."""
    return "user", list(blocks)


def said(*blocks: dict[str, Any]) -> tuple[str, list[Any]]:
    """A turn of the assistant."""
    return "assistant", list(blocks)


A, B, C, D = (text(word) for word in ("apple", "berry", "cherry", "damson"))
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "damson"}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
THOUGHT = {"type": "thinking", "thinking": "", "signature": "s"}

WRONG: dict[str, tuple[str, list[tuple[str, list[Any]]], str]] = {
    "a call without its result": (
        "tool-unanswered",
        [user(A), said(B, call("x")), user(C), said(D)],
        "apple berry cherry damson",
    ),
    "a result without its call": (
        "tool-orphan",
        [user(A), said(B), user(result("x")), said(D)],
        "apple berry found damson",
    ),
    "one of two results": (
        "tool-unanswered",
        [user(A), said(call("x"), call("y")), user(result("x")), said(D)],
        "apple found damson",
    ),
    "a late result": (
        "tool-unanswered",
        [user(A), said(call("x"), call("y")), user(result("y")), user(C), said(B), user(result("x", "late")), said(D)],
        "apple late found cherry berry damson",
    ),
    "an early result": (
        "tool-orphan",
        [user(A, result("x")), said(call("x")), user(C), said(D)],
        "apple found cherry damson",
    ),
    "a second result": (
        "tool-result-twice",
        [user(A), said(call("x")), user(result("x", "one"), result("x", "two")), said(D)],
        "apple one two damson",
    ),
    "a call in the middle of a reply": ("tool-unanswered", [user(A), said(call("x")), said(B)], "apple berry"),
    "text before results": (
        "tool-result-first",
        [user(A), said(call("x")), user(C, result("x")), said(D)],
        "apple found cherry damson",
    ),
    "thinking of the user": ("block-role", [user(THOUGHT, A), said(B)], "apple berry"),
    "a call of the user": ("block-role", [user(A, call("x", input={"word": "crane"})), said(B)], "apple crane berry"),
    "a document of the assistant": ("document-in-assistant", [user(A), said(DOCUMENT)], "apple damson"),
    "an image of the assistant": ("block-role", [user(A), said(B, IMAGE)], "apple berry"),
    "an image without data": ("image-source", [user(A, {**IMAGE, "source": {"type": "base64"}})], "apple"),
    "input that is no object": (
        "tool-call-shape",
        [user(A), said(call("x", input='{"word": "crane"}')), user(result("x")), said(D)],
        "apple crane found damson",
    ),
    "empty text in a result": (
        "block-form",
        [user(A), said(call("x")), user(result("x", [text(""), text("found")])), said(D)],
        "apple found damson",
    ),
    "a block whose beta is missing": (
        "block-form",
        [user(A), said(B, {"type": "fallback", "from": {"model": "x"}, "to": {"model": "y"}})],
        "apple berry",
    ),
    "an mcp call without its beta": (
        "block-form",
        [
            user(A),
            said(
                {"type": "mcp_tool_use", "id": "m", "name": "f", "server_name": "s", "input": {"word": "crane"}},
                {"type": "mcp_tool_result", "tool_use_id": "m", "content": [text("found")]},
            ),
        ],
        "apple crane found",
    ),
    "citations of the user": (
        "citations-in-user-text",
        [user({**A, "citations": [{"type": "x"}]}), said(B)],
        "apple berry",
    ),
    "fields of other programs": ("block-form", [user({**A, "annotations": []}), said(B)], "apple berry"),
    "a picture as others write it": (
        "unknown-block",
        [user(A, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}), said(B)],
        "apple berry",
    ),
    "a server's call that nobody goes on with": (
        "server-call-open",
        [user(A), said({"type": "server_tool_use", "id": "s", "name": "f", "input": {"word": "crane"}}), user(C)],
        "apple crane cherry",
    ),
    "an empty turn": ("empty-turn", [user(A), said(text("")), user(C)], "apple cherry"),
}
"""What is wrong: the rule that says so, the history, and the words that the next request says in this order."""


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_is_wrong_is_named_and_repaired(talk: Talk, sim: Simulator, name: str) -> None:
    """The rule and the place; then nothing is wrong any more, all words are in the next request, which is legal."""
    rule, history, words = WRONG[name]
    chat = talk(strategy=Everything())
    given_history(chat, *history)
    before = [turn.content for turn in chat.history()]
    problems = chat.check()
    assert rule in {problem.rule for problem in problems}
    assert chat.check() == problems
    assert all(problem.done for problem in chat.check(repair=True))
    assert [turn.content for turn in chat.history()][: len(before)] == before
    assert chat.check() == []
    chat.send("and now?")
    assert sim.messages[-1].status == 200
    said = dumps(sim.messages[-1].body["messages"])
    places = [said.find(word) for word in words.split()]
    assert places == sorted(places)
    assert -1 not in places


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


def test_what_the_assistant_said_first_stays(talk: Talk, sim: Simulator) -> None:
    """A turn in front says that the assistant opens; the greeting is sent as it was said, and nothing is wrong."""
    chat = talk()
    recorded = chat.extend([{"role": "assistant", "content": "Welcome."}])
    assert [turn.text for turn in recorded] == ["Welcome."]
    assert chat.check() == []
    chat.send("c")
    first, greeting, question = sim.messages[-1].body["messages"]
    assert (first["role"], greeting["role"], question["role"]) == ("user", "assistant", "user")
    assert greeting["content"] == [text("Welcome.")]


def test_a_greeting_recorded_before_is_quoted(talk: Talk, path: Path, sim: Simulator) -> None:
    """In a record that begins with the assistant a repair quotes that in the user's first turn; forgetting follows."""
    chat = talk()
    given_history(chat, user(A), said(B), user(C), said(D))
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE turns SET state = 'withdrawn' WHERE seq = 1")
        db.commit()
    assert [problem.rule for problem in chat.check()] == ["first-message"]
    assert "quoted" in chat.check(repair=True)[0].done
    assert chat.check() == []
    chat.send("e")
    first = sim.messages[-1].body["messages"][0]
    assert first["role"] == "user"
    assert [block["text"].splitlines()[-1] for block in first["content"]] == ["berry", "cherry"]
    chat.redact(chat.history()[1])
    assert "before the user spoke" not in dumps([turn.form for turn in chat.history()])


def test_an_unknown_block_is_quoted(talk: Talk) -> None:
    """Without a beta the API takes no kind of block that its version does not know; with one, nobody can tell."""
    later = [("user", [text("a")]), ("assistant", [{"type": "hologram", "data": "x"}, text("b")])]
    beta = talk(id="beta", betas=["holograms-2027-01-01"])
    given_history(beta, *later)
    assert beta.check(repair=True) == []
    chat = talk()
    given_history(chat, ("user", [text("a")]), ("assistant", [{"type": "hologram", "data": "x"}, text("b")]))
    (problem,) = chat.check()
    assert (problem.rule, problem.path) == ("unknown-block", "turns.2.content.0")
    chat.check(repair=True)
    assert "hologram" in chat.history()[1].text


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
    """Thinking behind a turn that changed would stand on another prefix: no request is refused, forks included."""
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

    assert asyncio.run(main()) == ["tool-unanswered", "repaired"]


def test_calls_without_tools_are_noted_once() -> None:
    """They are legal: no problem to `check`, a note in the plan of the first request that sends them."""
    history = [
        {"role": "user", "content": "Look up the harbour."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "lookup", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "Deep."}]},
        {"role": "assistant", "content": "It is deep."},
    ]
    with Conversation(client="simulator") as chat:
        chat.extend(history)
        assert chat.check() == []
        notes = [chat.send(word).plan.notes for word in ("And the quay?", "And the pier?")]
        assert [["without tools" in note for note in said] for said in notes] == [[True], []]
        chat.extend(history)
        assert any("without tools" in note for note in chat.plan("And now?").notes)
        lookup = {"name": "lookup", "input_schema": {"type": "object"}}
        assert not any("without tools" in note for note in chat.plan("And now?", tools=[lookup]).notes)


def test_a_request_brings_its_betas_along(sim: Simulator) -> None:
    """What was sent, or planned, legally with a beta is judged with it."""
    compact = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    with Conversation(client=sim.client(), betas=["context-management-2025-06-27"], context_management=compact) as chat:
        assert check_request(chat.plan("Hello?")) == []
        chat.send("Hello?")
        assert chat.request(1).betas == ("context-management-2025-06-27",)
        assert check_request(chat.request(1)) == []
        assert [problem.rule for problem in check_request(chat.request(1).body)] == ["beta-missing"]


@pytest.mark.parametrize("wrong", [3, None, "text", ["list"]])
def test_what_is_no_request_is_named(wrong: Any) -> None:
    """It says what to give."""
    with pytest.raises(InvalidOption, match=r"give what messages.create takes"):
        check_request(wrong)
    with pytest.raises(InvalidOption, match="betas=3"):
        check_request({}, betas=3)  # type: ignore[arg-type]
