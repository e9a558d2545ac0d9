"""OpenAI's own SDK over a socket: replies, streams, tools, refusals, as its users write them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from sash import SqliteStore
from sash.simulator import Simulator

from .gateway import MODEL, held, socket_of

TOOL = {"name": "look", "description": "Look it up.", "parameters": {"type": "object", "properties": {}}}
TOOLS: Any = [{"type": "function", "function": TOOL}]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"slate": "blue"}}


def client_of(url: str, conversation: str) -> openai.OpenAI:
    """A client whose base URL is the gateway's."""
    named = {"x-sash-conversation": conversation}
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", default_headers=named, max_retries=0)


def test_the_sdk_talks_streams_lists_and_is_refused(store: SqliteStore) -> None:
    """Its users send their whole list; a stream tells what was used; what contradicts the record is a ConflictError."""
    with socket_of(store) as url, client_of(url, "mill") as client:
        asked: list[Any] = [{"role": "user", "content": "How many slates does the roof need?"}]
        first = client.chat.completions.create(model=MODEL, messages=asked)
        said = first.choices[0].message
        assert "2,400" in (said.content or "") and first.usage is not None and first.usage.total_tokens > 0
        asked += [said, {"role": "user", "content": "And once more: how many slates?"}]
        stream = client.chat.completions.create(
            model=MODEL, messages=asked, stream=True, stream_options={"include_usage": True}
        )
        *pieces, last = list(stream)
        assert "2,400" in "".join(one.choices[0].delta.content or "" for one in pieces)
        assert last.choices == [] and last.usage is not None and last.usage.completion_tokens > 0
        assert MODEL in {model.id for model in client.models.list()}
        other: list[Any] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, asked[0]]
        with pytest.raises(openai.ConflictError, match=r"messages\.0"):
            client.chat.completions.create(model=MODEL, messages=other)


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_calls_tools(store: SqliteStore, stream: bool) -> None:
    """Calls come whole or in pieces, results go back by their ids, and the record holds them as Claude's own."""
    simulator = Simulator(thinking=False)
    simulator.script([[{"type": "text", "text": "Let me look."}, CALL], "Blue ones."])
    with socket_of(store, simulator) as url, client_of(url, "tools") as client:
        messages: list[Any] = [{"role": "user", "content": "Which?"}]
        if stream:
            with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as events:
                said: Any = events.get_final_completion().choices[0].message
        else:
            said = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
        call = said.tool_calls[0]
        assert (call.function.name, json.loads(call.function.arguments)) == ("look", {"slate": "blue"})
        messages += [said, {"role": "tool", "tool_call_id": call.id, "content": "blue"}]
        ended = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
        assert ended.choices[0].message.content == "Blue ones."
    roles = [turn["role"] for turn in held(store, "tools")]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert held(store, "tools")[1]["content"][-1]["input"] == {"slate": "blue"}
