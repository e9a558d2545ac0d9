"""Usage as it comes: whole tokens, whatever a proxy makes of them."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation
from sash.model.usage import Usage

FIELDS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


def test_fractions_are_rounded_up() -> None:
    """No token is billed in part."""
    came: dict[str, Any] = {"input_tokens": 10.2, "cache_read_input_tokens": 3.0, "output_tokens": 0.5}
    came |= {"cache_creation_input_tokens": 7.5, "cache_creation": {"ephemeral_1h_input_tokens": 2.5}}
    usage = Usage.from_wire(came)
    assert (usage.fresh, usage.read, usage.write_1h, usage.write_5m, usage.output) == (11, 3, 3, 5, 1)


@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | st.booleans() | st.floats() | st.integers() | st.text()))
def test_usage_is_whole_whatever_comes(usage: dict[str, Any]) -> None:
    """Integers, none below 0."""
    read = Usage.from_wire(usage)
    values = (read.fresh, read.read, read.write_5m, read.write_1h, read.output, read.thinking)
    assert all(type(value) is int and value >= 0 for value in values)


@pytest.mark.parametrize("tokens", [12.5, 12.0])
def test_a_reply_whose_usage_has_fractions_is_recorded(tokens: float) -> None:
    """It came and was paid for: nothing about the disk, the cost is there, and the next send goes on."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        model = json.loads(request.content)["model"]
        return httpx2.Response(200, json={
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": "Yes."}],
            "usage": {"input_tokens": tokens, "output_tokens": 3.5},
        })  # fmt: skip

    client = anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))
    with Conversation(client=client, count_online=False) as chat:
        replies = [chat.send("Are you there?"), chat.send("Still?")]
        assert [reply.text for reply in replies] == ["Yes.", "Yes."]
        assert chat.usage().output == 8
        assert replies[0].cost == pytest.approx((-(-tokens // 1) * 2 + 4 * 10) / 1e6)
