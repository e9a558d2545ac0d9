"""Tool results: what a function returns arrives, none is refused twice, calls by hand wait for their answer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sqlite3
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from sash import AsyncConversation, Conversation, check_request
from sash.errors import InvalidContent, NothingToRetry, RequestRejected, Unavailable
from sash.simulator import HttpError, Overloaded, Simulator

Talk = Callable[..., Conversation]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30)).decode()
LARGE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9_000_000)).decode()
HUGE = base64.b64encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + (9_000).to_bytes(4) * 2 + bytes(9)).decode()


class Order(BaseModel):
    """An order."""

    number: int
    due: date


def call(id: str, name: str = "fetch", **given: Any) -> dict[str, Any]:
    """A tool call as Claude makes it."""
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def returning(value: Any) -> Callable[[], Any]:
    """A function named fetch that returns `value`."""

    def fetch() -> Any:
        """Fetch it."""
        return value

    return fetch


def results(sim: Simulator) -> list[dict[str, Any]]:
    """The results in the last request."""
    last = sim.messages[-1].body["messages"][-1]
    return [block for block in last["content"] if block["type"] == "tool_result"]


ASK = {"name": "ask", "description": "Ask a person.", "input_schema": {"type": "object", "properties": {}}}

RETURNED: list[tuple[str, Any, Any]] = [
    ("mcp text", [{"type": "text", "text": "a", "annotations": None, "_meta": None}], [{"type": "text", "text": "a"}]),
    ("invoices", [{"type": "invoice", "id": 1}], '[{"type":"invoice","id":1}]'),
    ("models", [Order(number=1, due=date(2026, 1, 2))], '[{"number":1,"due":"2026-01-02"}]'),
    ("decimal", {"total": Decimal("9.90"), 7: {1}}, '{"total":"9.90","7":[1]}'),
    ("surrogate", "half \ud83d", "half \\ud83d"),
    ("white space", [{"type": "text", "text": " "}, {"type": "text", "text": "a"}], [{"type": "text", "text": "a"}]),
    ("surrogate in a key", {"half \ud83d": [{"\udc00": b"\xff"}]}, '{"half \\\\ud83d":[{"\\\\udc00":"_w=="}]}'),
    ("too large", {"type": "image", "data": LARGE, "mimeType": "image/png"}, "12000012 base64 bytes; at most"),
    ("too many pixels", {"type": "image", "data": HUGE, "mimeType": "image/png"}, "9000x9000 pixels"),
]


@pytest.mark.parametrize(("value", "sent"), [row[1:] for row in RETURNED], ids=[row[0] for row in RETURNED])
def test_what_a_function_returns_arrives_and_the_run_goes_on(talk: Talk, sim: Simulator, value: Any, sent: Any) -> None:
    """No form of a result stops a run, and none is reported as a failure of the tool."""
    sim.script([[call("t1")], "Done."])
    reply = talk().run("Go.", tools=[returning(value)])
    [result] = results(sim)
    assert reply.text == "Done."
    assert "is_error" not in result
    assert result["content"] == sent or sent in result["content"][0]["text"]
    assert talk().send("And now?").stop_reason == "end_turn"


def test_what_an_mcp_tool_says_is_wrong_is_an_error_result(talk: Talk, sim: Simulator) -> None:
    """`isError` of a CallToolResult reaches Claude as `is_error`."""
    sim.script([[call("t1")], "Oh."])
    talk().run("Go.", tools=[returning({"content": [{"type": "text", "text": "no such file"}], "isError": True})])
    assert results(sim) == [
        {
            "type": "tool_result",
            "tool_use_id": "t1",
            "content": [{"type": "text", "text": "no such file"}],
            "is_error": True,
        }
    ]


def test_results_by_hand_are_read_as_those_of_functions_are(talk: Talk, sim: Simulator) -> None:
    """`submit` takes values and hand-made blocks of any content, and so does `send` for hand-made blocks."""
    sim.script([[call("t1", "ask"), call("t2", "ask")], [call("t3", "ask")], "Done."])
    chat = talk(tools=[ASK])
    chat.send("Go.")
    image = {"type": "image", "data": PNG, "mimeType": "image/png"}
    chat.submit(
        [
            {"type": "tool_result", "tool_use_id": "t1", "content": [image], "name": "ask"},
            {"type": "tool_result", "tool_use_id": "t2", "content": {"due": date(2026, 1, 2)}},
        ]
    )
    png = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert [result["content"] for result in results(sim)] == [[png], '{"due":"2026-01-02"}']
    chat.send([{"type": "tool_result", "tool_use_id": "t3", "content": [{"type": "audio", "data": "UklG"}]}])
    assert "[audio, 4 characters" in results(sim)[0]["content"][0]["text"]


AUDIO = '{"type":"tool_result","tool_use_id":"t1","content":[{"type":"audio","data":"UklG","mimeType":"audio/wav"}]}'


@pytest.mark.parametrize("bad", [AUDIO, '{"type":"tool_res', "null", ""], ids=["audio", "cut short", "null", "empty"])
def test_a_kept_result_blocks_nothing(talk: Talk, sim: Simulator, path: Path, bad: str) -> None:
    """What an older version kept and the API would refuse, or what is damaged, is named, and the next send passes."""
    sim.script([[call("t1"), call("t2")], "I see."])

    def fetch() -> Any:
        """Fetch it."""
        raise KeyboardInterrupt

    chat = talk()
    with pytest.raises(KeyboardInterrupt):
        chat.run("Go.", tools=[fetch])
    turn = chat.history()[-1].id
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO tool_results VALUES (?, 't1', 1, ?, 0)", (turn, bad))
    assert [(problem.rule, problem.path) for problem in chat.check()] == [("kept-result", "results.t1")]
    assert chat.send("Never mind.").text == "I see."
    assert chat.check() == []
    assert check_request(sim.messages[-1].body) == []


def test_functions_run_beside_calls_by_hand(talk: Talk, sim: Simulator) -> None:
    """A reply calls a function and a mere definition: the function runs once, `submit` adds the rest, `run` goes on."""
    ran: list[str] = []

    def fetch() -> str:
        """Fetch it."""
        ran.append("fetch")
        return "fetched"

    sim.script([[call("t1"), call("t2", "ask")], [call("t3")], "Done."])
    chat = talk()
    reply = chat.run("Go.", tools=[fetch, ASK])
    assert ran == ["fetch"]
    assert reply.notes == ("answer ask (t2) by submit()",)
    with pytest.raises(InvalidContent, match=r"ask \(t2\)"):
        chat.run()
    assert chat.submit({"t2": "yes"}).stop_reason == "tool_use"
    assert [(r["tool_use_id"], r["content"]) for r in results(sim)] == [("t1", "fetched"), ("t2", "yes")]
    assert (chat.run().text, ran) == ("Done.", ["fetch", "fetch"])


def test_a_question_behind_open_calls_by_hand_takes_the_results_along(talk: Talk, sim: Simulator) -> None:
    """Whoever says something else instead of answering loses no result that was kept."""
    sim.script([[call("t1"), call("t2", "ask")], "Fine."])
    chat = talk()
    chat.run("Go.", tools=[returning("fetched"), ASK])
    assert chat.send("Never mind.").text == "Fine."
    answered = [b for b in chat.history()[2].blocks if b["type"] == "tool_result"]
    assert [(b["content"], b.get("is_error", False)) for b in answered] == [
        ("fetched", False),
        ("[interrupted: no result was recorded]", True),
    ]


def test_async_results_and_streamed_runs_do_the_same(sim: Simulator) -> None:
    """Coroutines and streamed runs keep the same results."""

    async def fetch() -> Any:
        """Fetch it."""
        return [{"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}}]

    async def main() -> str:
        sim.script([[call("t1"), call("t2", "ask")], "Done."])
        async with AsyncConversation(None, client=sim.async_client(max_retries=0)) as chat:
            await chat.run("Go.", tools=[fetch, ASK], on_event=lambda _: None)
            return (await chat.submit({"t2": {1, 2}})).text

    assert asyncio.run(main()) == "Done."
    assert [r["content"] for r in results(sim)] == [[{"type": "text", "text": "inside"}], "[1,2]"]


BROKEN = HttpError(status=400, message="messages.2.content.0.image.source: Could not process image")
"""What the API says of a picture whose data begin well."""


def shows_a_picture(body: Any) -> bool:
    """Whether a body holds one."""
    return PNG in str(body)


def test_after_a_refusal_the_results_go_as_errors_and_a_note_says_so(talk: Talk, sim: Simulator) -> None:
    """The run goes on, text results stand, and the next send does not meet the same refusal again."""
    sim.script([[call("t1"), call("t2", "look")], "Done.", "Yes."])
    sim.fail_next(BROKEN, times=9, when=shows_a_picture)

    def look() -> str:
        """Look."""
        return "seen"

    chat = talk()
    reply = chat.run("Go.", tools=[returning({"type": "image", "data": PNG, "mimeType": "image/png"}), look])
    assert reply.text == "Done."
    assert [note for note in reply.notes if "errors in the place of tool results" in note]
    first, second = results(sim)
    assert first["is_error"] and "Could not process image" in first["content"]
    assert (second["content"], second.get("is_error")) == ("seen", None)
    assert chat.send("And now?").text == "Yes."
    assert [turn.state for turn in chat.history()].count("withdrawn") == 1


def test_results_that_were_pending_are_found_out_too(talk: Talk, sim: Simulator) -> None:
    """Results that met a 529 first, and a question behind them, are sent again without what is refused."""
    sim.script([[call("t1")], "Done.", "Yes."])
    sim.fail_at(2, Overloaded())
    chat = talk()
    with pytest.raises(Unavailable):
        chat.run("Go.", tools=[returning({"type": "image", "data": PNG, "mimeType": "image/png"})])
    sim.fail_next(BROKEN, times=9, when=shows_a_picture)
    assert chat.send("Still there?").text == "Done."
    assert chat.send("And now?").text == "Yes."
    assert all(check_request(attempt.body) == [] for attempt in sim.messages)


def test_a_question_that_is_refused_blocks_nothing_behind_results(talk: Talk, sim: Simulator) -> None:
    """Where the results are not at fault, the refusal is raised, and the next question passes."""
    sim.script([[call("t1")], "Done."])
    sim.fail_next(HttpError(status=400, message="no"), times=2, when=lambda body: "poison" in str(body))
    chat = talk()
    with pytest.raises(NothingToRetry):
        chat.run(tools=[returning("a")])
    chat.send("Go.", tools=[{**ASK, "name": "fetch"}])
    with pytest.raises(RequestRejected):
        chat.send("poison")
    assert chat.send("Something else.").text == "Done."


def test_pictures_that_are_too_many_together_stop_no_run(talk: Talk, sim: Simulator) -> None:
    """A result that is legal alone and not beside the others goes as an error, and the run goes on."""
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
    large = base64.b64encode(head + (3_000).to_bytes(4) * 2 + bytes(9)).decode()
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": large}}
    sim.script(["I see.", [call("t1")], "Done.", "Yes."])
    chat = talk(budget=500_000)
    chat.send([{"type": "text", "text": "Look."}, *[picture] * 15])
    reply = chat.run("Go.", tools=[returning([picture] * 10)])
    assert reply.text == "Done."
    assert results(sim)[0]["is_error"]
    assert chat.send("And now?").text == "Yes."


def test_a_result_for_nobodys_call_is_still_the_callers_mistake(talk: Talk) -> None:
    """What another result does not mend is raised as it was found, and nothing is written."""
    chat = talk(tools=[ASK])
    with pytest.raises(InvalidContent, match="without its tool call"):
        chat.send([{"type": "tool_result", "tool_use_id": "t9", "content": "a"}])
    assert chat.history() == []
