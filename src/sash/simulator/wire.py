"""The wire format of the Messages API: calls, answers, error bodies, messages as JSON and as server-sent events.

Pure shapes ("Streaming Messages", "Errors" docs); no transport, no rules, no prices. A streamed answer is an
iterator of bytes with two other things in between: `Pause` (time passes) and `Break` (the connection is lost).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sash.model.usage import Usage
from sash.simulator.shapes import Problem

PIECE = 24
"""Characters of a text delta; the real service sends a few tokens at a time."""
KINDS = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
         404: "not_found_error", 409: "conflict_error", 413: "request_too_large", 429: "rate_limit_error",
         500: "api_error", 503: "api_error", 504: "timeout_error", 529: "overloaded_error"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request. `headers` have lower-case names; `path` is without the query."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds pass here."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Break:
    """The connection is lost here, without a proper end."""


Piece = bytes | Pause | Break


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP response: a body at once, or `pieces` as they come."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    pieces: Iterator[Piece] | None = None
    pause: float = 0.0
    """Seconds that pass before the answer begins."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No response at all: the client times out, or the connection is lost."""

    kind: Literal["timeout", "lost"]


class Handler(Protocol):
    """What transports and the server drive."""

    def handle(self, call: Call) -> Answer | Silence:
        """Answer one HTTP request."""
        ...


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, as on the wire; half a surrogate pair is escaped, as JSON allows."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def error_body(
    message: str,
    *,
    status: int,
    request_id: str,
    kind: str | None = None,
    code: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An error as the API writes it."""
    error: dict[str, Any] = {"type": kind or KINDS.get(status, "api_error"), "message": message}
    if code is not None:
        error["details"] = {"error_code": code, **(details or {})}
    return {"type": "error", "error": error, "request_id": request_id}


def problem_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """A refusal as an error body."""
    return error_body(
        problem.message,
        status=problem.status,
        request_id=request_id,
        kind=problem.kind,
        code=problem.code,
        details=problem.details,
    )


def usage_body(
    usage: Usage, request: Mapping[str, Any], *, thinking: bool, tier: str = "standard", searches: int = 0
) -> dict[str, Any]:
    """Usage as JSON replies carry it; geography and speed as they were asked for."""
    body: dict[str, Any] = {
        "input_tokens": usage.fresh,
        "cache_creation_input_tokens": usage.write,
        "cache_read_input_tokens": usage.read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.write_5m, "ephemeral_1h_input_tokens": usage.write_1h},
        "output_tokens": usage.output,
        "service_tier": tier,
        "inference_geo": request.get("inference_geo") or "global",
    }
    if request.get("speed"):
        body["speed"] = request["speed"]
    if searches:
        body["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    if thinking:
        body["output_tokens_details"] = {"thinking_tokens": usage.thinking}
    return body


def message_body(
    *,
    message_id: str,
    model: str,
    content: Sequence[Mapping[str, Any]],
    stop_reason: str | None,
    stop_sequence: str | None,
    stop_details: Mapping[str, Any] | None,
    usage: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """A message as JSON replies carry it; `extra`: fields that only some requests ask for."""
    return {
        "model": model,
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "stop_details": stop_details,
        "usage": dict(usage),
        **extra,
    }


def event(data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"event: " + str(data["type"]).encode() + b"\ndata: " + dumps(data) + b"\n\n"


def stream_events(message: Mapping[str, Any], late: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a whole message; `late`: fields that only message_delta carries (context_management)."""
    usage = dict(message["usage"])
    opening = {**usage, "output_tokens": min(1, usage["output_tokens"])}
    for late_name in ("output_tokens_details", "iterations", "server_tool_use"):
        opening.pop(late_name, None)
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    yield {"type": "message_start", "message": {**start, "usage": opening}}
    for index, block in enumerate(message["content"]):
        for number, change in enumerate(block_events(index, block)):
            yield change
            if index == number == 0:
                yield {"type": "ping"}
    closing = {name: usage[name] for name in _DELTA_USAGE if name in usage}
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield {"type": "message_delta", "delta": stop, "usage": closing, **late}
    yield {"type": "message_stop"}


def weights(events: Sequence[Mapping[str, Any]]) -> list[int]:
    """How long each event takes to write, against the others: as long as what it adds to the reply, in bytes."""
    found = [len(dumps(change["delta"])) if "index" in change and "delta" in change else 0 for change in events]
    return found if any(found) else [0, *(1 for _ in events[1:])]


def with_inputs(events: Iterable[dict[str, Any]], text: str) -> Iterator[dict[str, Any]]:
    """The events with the input of each call replaced by `text`."""
    given: set[int] = set()
    for change in events:
        delta = change.get("delta") or {}
        if delta.get("type") != "input_json_delta":
            yield change
        elif change["index"] not in given:
            given.add(change["index"])
            yield {**change, "delta": {**delta, "partial_json": text}}


_DELTA_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "iterations",
    "server_tool_use",
)


def block_events(index: int, block: Any) -> Iterator[dict[str, Any]]:
    """The events of one content block."""
    start, deltas = _opening(block)
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _opening(block: Any) -> tuple[Any, list[dict[str, Any]]]:
    kind = block.get("type") if isinstance(block, Mapping) else None
    if kind == "text" and isinstance(block.get("text"), str):
        deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        return {**block, "text": ""}, deltas
    if kind in ("tool_use", "server_tool_use"):
        text = json.dumps(block["input"], ensure_ascii=False) if block.get("input") else ""
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(text))]
        return {**block, "input": {}}, deltas
    if kind == "thinking" and isinstance(block.get("thinking"), str):
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
        signed = [{"type": "signature_delta", "signature": block["signature"]}] if block.get("signature") else []
        return {**block, "thinking": "", "signature": ""}, [*deltas, *signed]
    if kind == "compaction" and "signature" not in block:  # one on demand comes whole
        return {**block, "content": None}, [{"type": "compaction_delta", "content": block["content"]}]
    return block, []


def _pieces(text: str) -> Iterator[str]:
    for at in range(0, len(text), PIECE):
        yield text[at : at + PIECE]
