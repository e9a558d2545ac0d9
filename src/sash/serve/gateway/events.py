"""A reply as one message of the API, whole or event by event, however many requests it took. Pure.

A stream of the SDK's helper becomes the events that the API sends. Where a reply went on in a request of its own (a
paused one, another model's in the place of one that broke off), the blocks are numbered through and the first
`message_start` stands. The end is held back until the reply is recorded, and says in `sash` what came of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sash.model.replies import Reply, each
from sash.model.usage import Usage

PIECE = 1_000
"""Characters of a text delta, where a reply is told that is there as a whole."""
OPENED: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
}
"""How a block begins whose content comes in deltas."""


def message_of(reply: Reply) -> dict[str, Any]:
    """A recorded reply as the API's message."""
    whole = reply.message.to_dict(warnings=False) if hasattr(reply.message, "to_dict") else {}
    known = {
        "id": f"msg_sash_{reply.number}",
        "type": "message",
        "role": "assistant",
        "model": reply.turn.model if reply.turn else "",
        "stop_sequence": None,
        **whole,
    }
    usage = whole.get("usage") if len(each(reply)) == 1 else None
    return {
        **known,
        "content": list(reply.blocks),
        "stop_reason": reply.stop_reason,
        "usage": usage or usage_of(reply.usage),
    }


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage as the API writes it."""
    return {
        "input_tokens": usage.fresh,
        "cache_creation_input_tokens": usage.write,
        "cache_read_input_tokens": usage.read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.write_5m, "ephemeral_1h_input_tokens": usage.write_1h},
        "output_tokens": usage.output,
    }


def facts_of(reply: Reply) -> dict[str, Any]:
    """What sash says of a reply: request number, tokens, dollars, and whether the window was cut, and why."""
    last = each(reply)[-1]
    cut = last.plan.decision.rule if last.plan is not None and last.plan.cut else "no"
    return {
        "request": reply.number,
        "tokens": reply.usage.prompt,
        "cached": reply.usage.read,
        "dollars": None if reply.cost is None else round(reply.cost, 8),
        "cut": cut,
    }


def as_json(value: Any) -> bytes:
    """Compact JSON in UTF-8; half a surrogate pair is escaped, as JSON allows."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def sse(event: Mapping[str, Any]) -> bytes:
    """A server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), as_json(event))


class OneMessage:
    """The events of a reply under way."""

    def __init__(self) -> None:
        self._started = False
        self._next = self._first = 0
        """numbers of blocks: of the next one, and of the first one of the request under way"""
        self._open: int | None = None
        self._end: dict[str, Any] = {}

    def add(self, event: Any) -> Iterator[dict[str, Any]]:
        """What the client is told of an event of the SDK's stream helper: nothing of those that are its own."""
        kind = getattr(event, "type", "")
        if kind == "message_start":
            yield from self._start(event)
        elif kind == "message_delta":
            self._end = _plain(event)
        elif kind in ("content_block_start", "content_block_delta", "content_block_stop"):
            yield self._of_block(kind, event)

    def end(self, reply: Reply) -> Iterator[dict[str, Any]]:
        """The end, once the reply is recorded; all of it where no event told of it."""
        message, facts = message_of(reply), {"sash": facts_of(reply)}
        if not self._started:
            yield from told(message, facts)
            return
        yield from self._close()
        delta = {**self._end.get("delta", {}), "stop_reason": reply.stop_reason}
        usage = self._end.get("usage") if len(each(reply)) == 1 else usage_of(reply.usage)
        yield {**self._end, "type": "message_delta", "delta": delta, "usage": usage or {}, **facts}
        yield {"type": "message_stop"}

    def _start(self, event: Any) -> Iterator[dict[str, Any]]:
        yield from self._close()
        self._first = self._next
        if not self._started:
            self._started = True
            yield _plain(event)

    def _of_block(self, kind: str, event: Any) -> dict[str, Any]:
        number = self._first + event.index
        self._next = max(self._next, number + 1)
        self._open = None if kind == "content_block_stop" else number
        if kind == "content_block_stop":
            return {"type": kind, "index": number}
        return {**_plain(event), "index": number}

    def _close(self) -> Iterator[dict[str, Any]]:
        """The end of a block that broke off."""
        if self._open is not None:
            yield {"type": "content_block_stop", "index": self._open}
            self._open = None


def told(message: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a message that is there as a whole."""
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        yield from _block(index, block)
    delta = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    yield {"type": "message_delta", "delta": delta, "usage": message["usage"], **facts}
    yield {"type": "message_stop"}


def _block(index: int, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": {**block, **OPENED.get(block["type"], {})}}
    for delta in _deltas(block):
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    kind = block["type"]
    if kind == "text":
        text = block["text"]
        for at in range(0, len(text), PIECE):
            yield {"type": "text_delta", "text": text[at : at + PIECE]}
    elif kind == "thinking":
        if block.get("thinking"):
            yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block.get("signature", "")}
    elif kind in ("tool_use", "server_tool_use"):
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"], ensure_ascii=False)}


def _plain(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = event.to_dict(warnings=False)
    return found
