"""OpenAI's chat completions over the gateway: texts, pictures, tools, streams and usage, both ways."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest

from sash import SqliteStore
from sash.serve.gateway.chat import Chunks, call_of, completion_of
from sash.serve.gateway.events import told
from sash.simulator import Simulator

from .conftest import PNG, Serve
from .gateway import MODEL, held, user

FUNCTION = {"name": "look", "description": "Look it up.", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"slate": "blue"}}
NAMED = {"x-sash-conversation": "mill"}


def ask(client: Any, *messages: Any, headers: Any = NAMED, **fields: Any) -> Any:
    """Call chat completions."""
    return client.post("/v1/chat/completions", json={"model": MODEL, "messages": messages, **fields}, headers=headers)


def chunks(answer: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, which ends as OpenAI's do."""
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("headers", [NAMED, {}])
def test_a_completion_and_its_stream_say_the_same(serve: Serve, headers: dict[str, str]) -> None:
    """Text, reason and usage, whole and in chunks, with a conversation and passed on."""
    client = serve()
    whole = ask(client, user("Slates, how many?"), headers=headers).json()
    choice = whole["choices"][0]
    assert (whole["object"], choice["finish_reason"]) == ("chat.completion", "stop")
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]
    streamed = ask(
        client, user("Slates, how many?"), headers=headers, stream=True, stream_options={"include_usage": True}
    )
    found = chunks(streamed)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in found[:-1])
    assert text == choice["message"]["content"]
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    assert (found[-1]["choices"], found[-1]["usage"]["completion_tokens"]) == ([], whole["usage"]["completion_tokens"])


@pytest.mark.parametrize("stream", [False, True])
def test_tools_go_both_ways(serve: Serve, store: SqliteStore, stream: bool) -> None:
    """Calls with their arguments as text, results by their ids; the record holds them as Claude's own."""
    sim = Simulator(thinking=False)
    sim.script([[{"type": "text", "text": "Let me look."}, CALL], "Blue ones."])
    client, named = serve(simulator=sim), {"x-sash-conversation": "tools"}
    answer = ask(client, user("Which?"), tools=TOOLS, headers=named, stream=stream)
    if stream:
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks(answer)]
        pieces = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
        arguments = "".join(piece["function"]["arguments"] for piece in pieces)
        call = {**pieces[0], "function": {"name": "look", "arguments": arguments}}
        said: Any = {"role": "assistant", "content": "Let me look.", "tool_calls": [call]}
    else:
        assert answer.json()["choices"][0]["finish_reason"] == "tool_calls"
        said = answer.json()["choices"][0]["message"]
    assert json.loads(said["tool_calls"][0]["function"]["arguments"]) == {"slate": "blue"}
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "blue"}
    ended = ask(client, user("Which?"), said, result, tools=TOOLS, headers=named).json()
    assert ended["choices"][0]["message"]["content"] == "Blue ones."
    assert len(held(store, "tools")) == 4


def test_what_a_body_asks_for_goes_out() -> None:
    """System and developer messages, pictures, tools, choice, stops, format, effort: in Claude's words."""
    picture = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    call = call_of(
        {
            "model": MODEL,
            "max_completion_tokens": 77,
            "temperature": 0.5,
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]},
            ],
            "tools": TOOLS,
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "stop": "END",
            "user": "bob",
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        }
    )
    assert call["messages"][0]["content"][0]["source"]["media_type"] == "image/png"
    assert (call["system"], call["max_tokens"], call["stop_sequences"]) == ("Be brief.", 77, ["END"])
    assert call["tools"][0]["input_schema"] == FUNCTION["parameters"]
    assert call["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert call["metadata"] == {"user_id": "bob"} and "temperature" not in call
    assert call["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}


def test_chunks_add_up_to_the_completion() -> None:
    """Whatever a message holds, its stream in chunks says what it says as a whole; thinking is Claude's own."""
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "One. "}, CALL,
              {"type": "text", "text": "Two."}, {**CALL, "id": "toolu_2"}]  # fmt: skip
    usage = {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}
    message = {"id": "m", "model": MODEL, "content": blocks, "stop_reason": "tool_use", "usage": usage}
    whole, adding = completion_of(message), Chunks(usage=True)
    found = [chunk for event in told(message, {}) for chunk in adding.add(event)]
    deltas = [chunk["choices"][0]["delta"] for chunk in found if chunk["choices"]]
    assert (
        "".join(delta.get("content") or "" for delta in deltas)
        == whole["choices"][0]["message"]["content"]
        == "One. Two."
    )
    ids = [piece["id"] for delta in deltas for piece in delta.get("tool_calls", ()) if "id" in piece]
    assert ids == [call["id"] for call in whole["choices"][0]["message"]["tool_calls"]] == ["toolu_1", "toolu_2"]
    assert found[-1]["usage"] == whole["usage"] and whole["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"n": 2}, 400), ({"messages": []}, 400), ({"messages": [{"role": "user"}]}, 400), ({"model": "no"}, 404)],
)
def test_errors_have_openais_shape(serve: Serve, fields: dict[str, Any], status: int) -> None:
    """A message, a type and a code under `error`, with the right status; a contradiction is a 409."""
    client = serve()
    answer = client.post("/v1/chat/completions", json={"model": MODEL, "messages": [user("x")], **fields}, headers={})
    assert answer.status_code == status and {"message", "type", "code"} <= answer.json()["error"].keys()
    other = [user("a"), {"role": "assistant", "content": "b"}, user("c")]
    refused = ask(client, *other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (HTTPStatus.CONFLICT, "list_contradicts_record")
