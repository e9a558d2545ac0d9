"""Bodies and blocks for the simulator's tests."""

from __future__ import annotations

import json
from typing import Any

from sash.simulator.wire import Answer, Call, Handler, dumps

MODEL = "claude-sonnet-5-5"
OLD = "claude-sonnet-4-5"
SCHEMA = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
TOOL = {"name": "order_status", "description": "Tells where an order is.", "input_schema": SCHEMA}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def text(words: str, ttl: str | None = None) -> dict[str, Any]:
    """A text block, marked where a lifetime is given."""
    marker = {"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {}
    return {"type": "text", "text": words, **marker}


def user(*blocks: Any) -> dict[str, Any]:
    """A user message of texts and blocks."""
    return {"role": "user", "content": [text(block) if isinstance(block, str) else block for block in blocks]}


def assistant(*blocks: Any) -> dict[str, Any]:
    """An assistant message of texts and blocks."""
    return user(*blocks) | {"role": "assistant"}


def call(identity: str = "t1", name: str = "order_status", **arguments: Any) -> dict[str, Any]:
    """A tool call."""
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments}


def result(identity: str = "t1", content: Any = "It is on its way.") -> dict[str, Any]:
    """A tool result."""
    return {"type": "tool_result", "tool_use_id": identity, "content": content}


def image() -> dict[str, Any]:
    """A small picture."""
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


def body(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request body; one user message unless messages are given."""
    return {"model": MODEL, "max_tokens": 200, "messages": list(messages or [user("Hello there.")]), **fields}


def long(words: int = 600, seed: str = "w") -> str:
    """A text of many words, well above every cacheable minimum for 600 and more."""
    return " ".join(f"{seed}ord{number}" for number in range(words))


def post(
    sim: Handler, sent: Any, *, path: str = "/v1/messages", betas: str = "", version: str = "2026-10-21", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Send a body without any SDK: the status, and the JSON that came back."""
    named = {"anthropic-version": version, "anthropic-beta": betas, **headers}
    answer = sim.handle(Call(method="POST", path=path, headers=named, body=dumps(sent)))
    assert isinstance(answer, Answer)
    return answer.status, json.loads(answer.body)
