"""OpenAI-shape messages become legal Anthropic turns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sash.formats import ImportedConversation, detect, parse


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
    """Ids are unique afterwards, and pairs stay pairs."""
    pair = [{"role": "assistant", "content": None, "tool_calls": [call("a")]}, answer("a")]
    (conversation,) = parse(json.dumps([ASK, *pair, *pair]), "openai")
    assert conversation.turns[3].content[0]["id"] == conversation.turns[4].content[0]["tool_use_id"] == "a_2"
    assert conversation.problems == ()


def test_calls_of_one_reply_that_share_an_id_keep_their_own_results() -> None:
    """The first result answers the first call, the second the second."""
    calls = {"role": "assistant", "content": None, "tool_calls": [call("a:0"), call("a:0")]}
    (conversation,) = parse(json.dumps([ASK, calls, answer("a:0", "north"), answer("a:0", "south")]), "openai")
    assert [block["id"] for block in conversation.turns[1].content] == ["a_0", "a_0_2"]
    assert [(block["tool_use_id"], block["content"]) for block in conversation.turns[2].content] == [
        ("a_0", "north"),
        ("a_0_2", "south"),
    ]
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


PIXEL = "iVBORw0KGgo="


def read(*messages: dict[str, Any]) -> ImportedConversation:
    (conversation,) = parse(json.dumps(messages), "openai")
    return conversation


def detected(tmp_path: Path, value: Any) -> str:
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(value))
    return detect(path)


@pytest.mark.parametrize(
    "sign",
    [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": "Be kind."},
        {"role": "assistant", "content": None, "refusal": "I cannot."},
        {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://e.org/a.png"}}]},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
    ],
)
def test_what_only_openai_writes_tells_the_format(sign: dict[str, Any], tmp_path: Path) -> None:
    """One such message is enough; a system message in front counts, since Anthropic's shape has none there."""
    assert detected(tmp_path, [sign, ASK]) == "openai"
    assert detected(tmp_path, {"messages": [sign, ASK]}) == "openai"


def test_what_sash_wrote_stays_anthropics(tmp_path: Path) -> None:
    """An exported conversation that begins with an instruction is no OpenAI file, nor a body with a system prompt."""
    messages = [{"role": "system", "content": "Speak Dutch."}, ASK]
    assert detected(tmp_path, {"messages": messages, "sash": {"id": "1"}}) == "anthropic"
    assert detected(tmp_path, {"system": "Be kind.", "messages": messages}) == "anthropic"


def test_developer_messages_are_system_messages() -> None:
    """In front they are the system prompt, later an instruction."""
    note = {"role": "developer", "content": "Speak Dutch."}
    found = read(note, ASK, note)
    assert found.system == "Speak Dutch."
    assert [turn.role for turn in found.turns] == ["user", "system"]


def test_a_refusal_is_what_the_assistant_said() -> None:
    """As a field of the message, or as a part of its content."""
    part = {"role": "assistant", "content": [{"type": "refusal", "refusal": "Nor this."}]}
    found = read(ASK, {"role": "assistant", "content": None, "refusal": "I cannot."}, ASK, part)
    assert [turn.text for turn in found.turns] == ["Where?", "I cannot.", "Where?", "Nor this."]


def test_a_message_that_says_nothing_is_left_out_and_named() -> None:
    """Null, empty or missing content without a call is no turn."""
    nothing: tuple[dict[str, Any], ...] = ({"content": None}, {"content": ""}, {"content": []}, {})
    for empty in (*nothing, {"content": None, "tool_calls": []}):
        found = read(ASK, {"role": "assistant", **empty}, ASK)
        assert [turn.role for turn in found.turns] == ["user", "user"]
        assert [(note.text, note.turn) for note in found.notes] == [
            ("a message of role assistant says nothing; left out", 1)
        ]
    null = [ASK, {"role": "assistant", "content": None}]
    (anthropic,) = parse(json.dumps(null), "anthropic")
    assert (len(anthropic.turns), len(anthropic.notes)) == (1, 1)


def test_older_function_calls_are_calls() -> None:
    """They have no ids: each answer goes to the newest call of its name, and the history is legal."""
    made = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": '{"x": 1}'}}
    answered = {"role": "function", "name": "look", "content": "seen"}
    found = read(ASK, made, answered, made, answered)
    assert [block["input"] for turn in found.turns for block in turn.content if block["type"] == "tool_use"] == [
        {"x": 1},
        {"x": 1},
    ]
    assert found.problems == ()


def test_a_custom_call_keeps_its_text_as_input() -> None:
    """Its input is free text, and stands under `input`."""
    made = {"id": "a", "type": "custom", "custom": {"name": "look", "input": "north, then east"}}
    found = read(ASK, {"role": "assistant", "content": None, "tool_calls": [made]}, answer("a"))
    assert found.turns[1].content[0]["input"] == {"input": "north, then east"}
    assert found.problems == ()


def test_pictures_and_files_become_blocks() -> None:
    """Data becomes base64, an address a url, a PDF a document; what is kept elsewhere, and sound, is named there."""
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}},
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXEL}"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
        "bare",
    ]
    blocks = read({"role": "user", "content": parts}).turns[0].content
    assert [block.get("source", block.get("text")) for block in blocks] == [
        {"type": "base64", "media_type": "image/jpeg", "data": PIXEL},
        {"type": "url", "url": "https://e.org/a.png"},
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "base64", "media_type": "application/pdf", "data": PIXEL},
        "[the file 'without a name', kept elsewhere, left out]",
        "[sound, left out]",
        "bare",
    ]


def test_items_of_the_responses_api_are_messages_calls_and_results() -> None:
    """Items stand beside messages; reasoning is left out and named."""
    found = read(
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "42"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 42."}]},
    )
    assert [turn.content[0]["type"] for turn in found.turns] == ["text", "tool_use", "tool_result", "text"]
    assert [note.text for note in found.notes] == ["left out: 1 item of reasoning"]
    assert found.faults == ()


def test_the_tools_of_a_body_come_along() -> None:
    """A function's definition becomes a tool."""
    function = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}
    body = {"messages": [ASK], "tools": [{"type": "function", "function": function}]}
    (found,) = parse(json.dumps(body), "openai")
    assert found.tools == (
        {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}},
    )
