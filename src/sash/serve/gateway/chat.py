"""OpenAI's chat completions, as calls of the Messages API and back. Pure.

Messages, tools and pictures are read as an import reads them (`sash.formats.openai`). What Claude has no word for
(`temperature`, `top_p`, penalties, `seed`, `logprobs`, ...) is left out, as Anthropic's own endpoint of this
shape does; more than one choice is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from sash.errors import InvalidContent
from sash.formats.openai import conversations
from sash.formats.reading import Field
from sash.model.usage import Usage

MAX_TOKENS = 8_192
"""Of a reply, where the caller says nothing."""
FINISHED = {"tool_use": "tool_calls", "max_tokens": "length", "model_context_window_exceeded": "length",
            "refusal": "content_filter"}  # fmt: skip
"""Why a reply ended, in OpenAI's words; any other reason is "stop"."""


def call_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body of chat completions as one of the Messages API. Raises InvalidContent, InvalidImport."""
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise InvalidContent("messages: give a list of at least one message", problem="messages")
    if body.get("n") not in (None, 1):
        raise InvalidContent("n: Claude gives one choice; leave it out", problem="n")
    said = next(conversations(Field({"messages": body["messages"], "tools": body.get("tools") or []}, "body")))
    call = {
        "model": body.get("model"),
        "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens") or MAX_TOKENS,
        "messages": [{"role": turn.role, "content": turn.content} for turn in said.turns],
        "system": said.system,
        "tools": list(said.tools) or None,
        "tool_choice": _choice(body, bool(said.tools)),
        "stop_sequences": [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop"),
        "metadata": {"user_id": body["user"]} if body.get("user") else None,
        "output_config": _config(body),
        "stream": body.get("stream"),
    }
    return {name: value for name, value in call.items() if value is not None}


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Whether a stream is to tell what was used."""
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def _choice(body: Mapping[str, Any], has_tools: bool) -> dict[str, Any] | None:
    asked, one = body.get("tool_choice"), body.get("parallel_tool_calls") is False
    if not has_tools or (asked is None and not one):
        return None
    if isinstance(asked, Mapping):
        chosen: dict[str, Any] = {"type": "tool", "name": (asked.get("function") or {}).get("name")}
    else:
        chosen = {"type": {"required": "any", "none": "none"}.get(str(asked), "auto")}
    return {**chosen, "disable_parallel_tool_use": True} if one and chosen["type"] != "none" else chosen


def _config(body: Mapping[str, Any]) -> dict[str, Any] | None:
    config: dict[str, Any] = {}
    if body.get("reasoning_effort") in ("low", "medium", "high", "xhigh"):
        config["effort"] = body["reasoning_effort"]
    wanted = body.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_schema":
        config["format"] = {"type": "json_schema", "schema": (wanted.get("json_schema") or {}).get("schema")}
    return config or None


def completion_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of Claude as a chat completion."""
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [_call(block) for block in blocks if block["type"] == "tool_use"]
    said = {"role": "assistant", "content": text or None, "refusal": None, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": _finish(message["stop_reason"])}
    return {**_head(message, "chat.completion"), "choices": [choice], "usage": usage_of(message["usage"])}


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    arguments = json.dumps(block["input"], ensure_ascii=False)
    return {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": arguments}}


def _head(message: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"id": message["id"], "object": kind, "created": int(time.time()), "model": message["model"]}


def _finish(reason: Any) -> str:
    return FINISHED.get(str(reason), "stop")


def usage_of(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Usage in OpenAI's words: the prompt with all that was read from the cache or written to it."""
    used = Usage.from_wire(usage)
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.output,
        "total_tokens": used.prompt + used.output,
        "prompt_tokens_details": {"cached_tokens": used.read},
        "completion_tokens_details": {"reasoning_tokens": used.thinking},
    }


class Chunks:
    """The events of one message as chunks of a chat completion. `usage`: whether the last one tells what was used."""

    def __init__(self, *, usage: bool) -> None:
        self._tells_usage = usage
        self._head: dict[str, Any] = {}
        self._used: dict[str, Any] = {}
        self._calls: dict[int, int] = {}
        """the number of a call, by that of its block"""

    def add(self, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks that tell of an event; none of what OpenAI's shape has no word for."""
        kind = event["type"]
        if kind == "message_start":
            self._head, self._used = _head(event["message"], "chat.completion.chunk"), dict(event["message"]["usage"])
            yield self._chunk({"role": "assistant", "content": ""})
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            yield self._begun(event["index"], event["content_block"])
        elif kind == "content_block_delta":
            yield from self._delta(event["index"], event["delta"])
        elif kind == "message_delta":
            self._used |= {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
            yield self._chunk({}, _finish(event["delta"].get("stop_reason")), sash=event.get("sash"))
            if self._tells_usage:
                yield {**self._head, "choices": [], "usage": usage_of(self._used)}

    def _begun(self, block: int, call: Mapping[str, Any]) -> dict[str, Any]:
        number = self._calls.setdefault(block, len(self._calls))
        begun = {"index": number, **_call({**call, "input": {}})}
        return self._chunk({"tool_calls": [{**begun, "function": {"name": call["name"], "arguments": ""}}]})

    def _delta(self, block: int, delta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if delta["type"] == "text_delta":
            yield self._chunk({"content": delta["text"]})
        elif delta["type"] == "input_json_delta" and block in self._calls and delta["partial_json"]:
            piece = {"index": self._calls[block], "function": {"arguments": delta["partial_json"]}}
            yield self._chunk({"tool_calls": [piece]})

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
        return {**self._head, "choices": [choice], **{name: value for name, value in more.items() if value}}
