"""Replies as they come in: whatever they hold, what is recorded can be sent back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sash.model.incoming import mended


def call(id: Any = "t1", name: Any = "look", given: Any = None, kind: str = "tool_use") -> dict[str, Any]:
    """A call as it may come."""
    return {"type": kind, "id": id, "name": name, "input": {} if given is None else given}


def text(said: str = "Hello.") -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said}


def test_an_ordinary_reply_is_left_alone() -> None:
    """Nothing is changed, and nothing said, where nothing is wrong."""
    thought = {"type": "thinking", "thinking": "", "signature": "EqQB"}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    blocks = [thought, call("s1", kind="server_tool_use"), found, text(), call("t1", given={"a": 1})]
    assert mended(blocks, ("t0",)) == (blocks, ())


@pytest.mark.parametrize(
    ("came", "recorded"),
    [
        ([call("t1"), call("t1")], [call("t1"), call("t1_2")]),
        ([call("before")], [call("before_2")]),
        ([call("run:0"), call("")], [call("run_0"), call("call")]),
        ([call(None), call(7)], [call("call"), call("call_2")]),
        ([call("t1", given=[1])], [call("t1", given={"input": [1]})]),
        ([call("t1", given='{"a": 1}')], [call("t1", given={"a": 1})]),
        ([call("t1", given="lamp")], [call("t1", given={"input": "lamp"})]),
        ([call("t1", given={"n": math.nan})], [call("t1", given={"n": None})]),
        ([call("t1", name=None)], [call("t1", name="unnamed")]),
        ([text("half \ud83d")], [text("half \\ud83d")]),
        ([{"type": "text", "text": 5}, "bare", {"no": "type"}], [text("5"), text("bare"), text('{"no":"type"}')]),
        (
            [{"type": "thinking", "thinking": "a\ud83d", "signature": "EqQB"}],
            [{"type": "thinking", "thinking": "a\\ud83d"}],
        ),
    ],
)
def test_what_could_not_be_sent_back_is_mended(came: list[Any], recorded: list[Any]) -> None:
    """Ids, inputs, names and texts become what the API takes, and a note says so."""
    blocks, notes = mended(came, ("before",))
    assert blocks == recorded
    assert notes


def test_thinking_without_a_signature_is_recorded_as_it_came() -> None:
    """It may be read, but not sent; nothing of it is made up."""
    thought = {"type": "thinking", "thinking": "Hm."}
    assert mended([thought, text()], ()) == (
        [thought, text()],
        ("the reply was mended: thinking without its signature is recorded, and left out of requests",),
    )


def test_results_of_servers_stay_with_their_calls() -> None:
    """A result follows its call to the new id; one for nobody's or a function's call is left out, and noted."""
    came = [
        call("s:1", kind="server_tool_use"),
        {"type": "web_search_tool_result", "tool_use_id": "s:1", "content": []},
        {"type": "web_search_tool_result", "tool_use_id": "before", "content": []},
        {"type": "web_search_tool_result", "tool_use_id": "nobody", "content": []},
        {"type": "web_search_tool_result", "tool_use_id": "mine", "content": []},
    ]
    blocks, notes = mended(came, ("before", "mine"), ("before",))
    assert [block.get("tool_use_id", block.get("id")) for block in blocks] == ["s_1", "s_1", "before"]
    assert len(notes) == 3
