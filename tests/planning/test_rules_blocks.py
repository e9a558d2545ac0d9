"""The questions a planner asks about single turns."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sash.planning.rules import (
    check_request,
    has_thinking,
    is_plain_user,
    markable,
    markable_tool,
    open_calls,
    sendable,
    strip_thinking,
)

TEXT = {"type": "text", "text": "Hello"}
EMPTY = {"type": "text", "text": ""}
SPACE = {"type": "text", "text": " \n"}
THINKING = {"type": "thinking", "thinking": "", "signature": "sig"}
HIDDEN = {"type": "redacted_thinking", "data": "x"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}

replies = st.lists(st.sampled_from([TEXT, EMPTY, SPACE, THINKING, HIDDEN, CALL]), max_size=6)


def test_a_plain_user_turn_holds_no_result() -> None:
    """An exchange opens with a user turn without tool results, whatever else it holds."""
    assert is_plain_user("user", [IMAGE, TEXT])
    assert not is_plain_user("user", [RESULT, TEXT])
    assert not is_plain_user("assistant", [TEXT])


def test_open_calls_are_those_without_a_result() -> None:
    """The ids come in the order of the calls; results elsewhere do not count."""
    other = {**CALL, "id": "toolu_2"}
    assert open_calls([TEXT, CALL, other], []) == ("toolu_1", "toolu_2")
    assert open_calls([CALL, other], [RESULT, TEXT]) == ("toolu_2",)
    assert open_calls([CALL], [RESULT]) == ()


def test_stripping_leaves_what_was_said() -> None:
    """All thinking goes, redacted too, and the rest stays as it was; a turn that only thought leaves nothing."""
    assert strip_thinking([THINKING, TEXT, HIDDEN, CALL]) == (TEXT, CALL)
    assert strip_thinking([THINKING, HIDDEN]) == ()
    assert strip_thinking([THINKING, SPACE]) == ()


def test_a_finished_reply_loses_its_empty_text_only() -> None:
    """Thinking and calls of a finished reply stay, white space between them too; empty text goes."""
    assert sendable([THINKING, EMPTY, SPACE, CALL]) == (THINKING, SPACE, CALL)


def test_a_reply_that_only_thought_cannot_be_sent() -> None:
    """A reply cut by max_tokens while thinking ends in thinking, which the API refuses."""
    assert sendable([THINKING]) == ()
    assert sendable([TEXT, THINKING, EMPTY]) == (TEXT,)


def test_of_an_interrupted_reply_only_text_is_sent() -> None:
    """Half a call, half a thought and citations into a lost search are left out."""
    cited = {**TEXT, "citations": [{"type": "web_search_result_location"}]}
    assert sendable([THINKING, cited, EMPTY, CALL], interrupted=True) == (TEXT,)
    assert sendable([THINKING, CALL], interrupted=True) == ()


def test_markable_blocks() -> None:
    """Known blocks with content take a marker; thinking, empty text and unknown types do not; nor deferred tools."""
    assert all(markable(block) for block in (TEXT, CALL, RESULT, IMAGE))
    assert not any(markable(block) for block in (EMPTY, THINKING, HIDDEN, {"type": "hologram"}))
    assert markable_tool({"name": "lookup"})
    assert not markable_tool({"name": "lookup", "defer_loading": True})


def request(blocks: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """A conversation with that reply in it, its calls answered."""
    results = [RESULT] if any(block["type"] == "tool_use" for block in blocks) else []
    messages = [
        {"role": "user", "content": [TEXT]},
        *([{"role": "assistant", "content": list(blocks)}] if blocks else []),
        {"role": "user", "content": [*results, TEXT]},
    ]
    tools = [{"name": "lookup", "input_schema": {"type": "object"}}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages, "tools": tools}


@given(replies, st.booleans(), st.booleans())
def test_what_comes_out_is_legal(blocks: list[dict[str, Any]], interrupted: bool, stripped: bool) -> None:
    """Whatever a reply holds, its sendable form, stripped or not, stands in a legal request."""
    out = sendable(blocks, interrupted)
    out = strip_thinking(out) if stripped else out
    assert [p.rule for p in check_request(request(out)) if p.rule != "tool-id-twice"] == []
    assert not (stripped and has_thinking(out))


@given(replies, st.booleans())
def test_sendable_is_settled_at_once(blocks: list[dict[str, Any]], interrupted: bool) -> None:
    """Asking again changes nothing, so that a rebuilt request has the bytes of the sent one."""
    once = sendable(blocks, interrupted)
    assert sendable(once, interrupted) == once
    assert strip_thinking(strip_thinking(once)) == strip_thinking(once)
