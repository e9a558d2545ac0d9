"""OpenAI-shape messages become legal Anthropic turns."""

from __future__ import annotations

import json
from typing import Any

from sash.formats import parse


def call(id: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}


def answer(id: str, content: str = "seen") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


ASK = {"role": "user", "content": "Where?"}


def test_parallel_calls_are_answered_by_one_user_turn() -> None:
    """Results of one turn's calls stand together, in order, so that the history is legal."""
    messages = [
        ASK,
        {"role": "assistant", "content": None, "tool_calls": [call("a"), call("b")]},
        answer("a"),
        answer("b"),
    ]
    (conversation,) = parse(json.dumps(messages), "openai")
    assert [turn.role for turn in conversation.turns] == ["user", "assistant", "user"]
    assert [block["tool_use_id"] for block in conversation.turns[2].content] == ["a", "b"]
    assert conversation.problems == ()


def test_a_call_id_used_again_is_numbered_with_its_result() -> None:
    """Ids are unique afterwards, pairs stay pairs, and the source's id is kept."""
    pair = [{"role": "assistant", "content": None, "tool_calls": [call("a")]}, answer("a")]
    (conversation,) = parse(json.dumps([ASK, *pair, *pair]), "openai")
    assert conversation.turns[3].content[0]["id"] == conversation.turns[4].content[0]["tool_use_id"] == "a_2"
    assert conversation.turns[3].meta == {"call_ids": {"a_2": "a"}}
    assert conversation.problems == ()


def test_input_that_is_no_json_object_is_kept_and_noted() -> None:
    """A call whose arguments cannot be parsed stays in the history, with a problem that names it."""
    messages = [ASK, {"role": "assistant", "content": None, "tool_calls": [call("a", '{"x": ')]}, answer("a", "")]
    (conversation,) = parse(json.dumps(messages), "openai")
    assert conversation.turns[1].content[0]["input"] == {"unparsed": '{"x": '}
    assert conversation.turns[2].content == [{"type": "tool_result", "tool_use_id": "a"}]
    assert [(problem.turn, problem.id) for problem in conversation.problems] == [(1, "a")]


def test_leading_system_messages_become_the_system_prompt_and_later_ones_stay() -> None:
    """Only what stands before the first turn is the system prompt."""
    note = {"role": "system", "content": "Speak Dutch."}
    (conversation,) = parse(json.dumps([note, note, ASK, note]), "openai")
    assert conversation.system == "Speak Dutch.\n\nSpeak Dutch."
    assert [turn.role for turn in conversation.turns] == ["user", "system"]


def test_tools_called_defines_each_tool_once() -> None:
    """A history with tool blocks needs tools; those it calls are named in order of first use."""
    pair = [{"role": "assistant", "content": None, "tool_calls": [call("a")]}, answer("a")]
    (conversation,) = parse(json.dumps([ASK, *pair, *pair]), "openai")
    assert conversation.tools_called == ({"name": "look", "input_schema": {"type": "object"}},)
