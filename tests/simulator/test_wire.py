"""The wire format against recorded replies of the real API."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2

from sash.model.usage import Usage
from sash.simulator import Simulator
from sash.simulator.wire import Answer, Call, dumps, event, stream_events

from .samples import TOOL, body, post, user

OURS = {"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"}


def replies(recordings: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Recorded JSON messages of blocks that the simulator makes too."""
    for entry in recordings:
        reply = entry["resp"]
        message = entry["status"] == 200 and isinstance(reply, dict) and reply.get("type") == "message"
        if message and {block["type"] for block in reply["content"]} <= OURS:
            yield reply


def parsed(sse: str) -> list[dict[str, Any]]:
    """The events of a stream."""
    lines = [line.removeprefix("data: ") for line in sse.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


def test_recorded_messages_survive_our_streaming(recordings: list[dict[str, Any]]) -> None:
    """A recorded message, streamed our way and put together by the SDK, is the same message."""
    seen = 0
    for reply in replies(recordings):
        sse = b"".join(event(change) for change in stream_events({"stop_details": None, **reply}, {}))
        transport = httpx2.MockTransport(
            lambda _, sse=sse: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=sse)
        )
        with (
            anthropic.Anthropic(api_key="x", http_client=httpx2.Client(transport=transport)) as client,
            client.messages.stream(model="any", max_tokens=1, messages=[]) as stream,
        ):
            final = stream.get_final_message().to_dict()
        for name in ("id", "content", "stop_reason", "stop_sequence"):
            assert final[name] == reply[name]
        assert Usage.from_wire(final["usage"]) == Usage.from_wire(reply["usage"])  # type: ignore[arg-type]
        seen += 1
    assert seen > 150


def shapes(events: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The keys of each kind of event, block and delta."""
    found: dict[str, set[str]] = defaultdict(set)
    for change in events:
        found[change["type"]] |= set(change)
        for inner in ("message", "delta", "content_block", "usage"):
            if isinstance(change.get(inner), dict):
                kind = change[inner].get("type") or ""
                found[f"{change['type']}.{inner}.{kind}"] |= set(change[inner])
        if change["type"] == "message_start":
            found["message_start.usage"] |= set(change["message"]["usage"])
    return found


def test_our_events_have_the_recorded_fields(recordings: list[dict[str, Any]]) -> None:
    """Every event we send has the fields of the recorded ones of its kind; only optional ones may be missing."""
    recorded: dict[str, set[str]] = defaultdict(set)
    for entry in recordings:
        if entry["status"] == 200 and isinstance(entry["resp"], str):
            for kind, keys in shapes(parsed(entry["resp"])).items():
                recorded[kind] |= keys
    sim = Simulator()
    sim.script([[{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "a"},
                 {"type": "tool_use", "name": "order_status", "input": {"order": 1}}]])  # fmt: skip
    sent = body(stream=True, tools=[TOOL], thinking={"type": "adaptive", "display": "summarized"})
    answer = sim.handle(
        Call(method="POST", path="/v1/messages", headers={"anthropic-version": "2026-10-21"}, body=dumps(sent))
    )
    assert isinstance(answer, Answer) and answer.pieces is not None
    sse = b"".join(piece for piece in answer.pieces if isinstance(piece, bytes)).decode()
    for kind, keys in shapes(parsed(sse)).items():
        assert keys <= recorded[kind], kind
        assert recorded[kind] - keys <= OPTIONAL, kind


OPTIONAL = {"context_management", "container", "server_tool_use", "iterations", "output_tokens_details", "citations",
            "input_transformations", "estimated_tokens"}  # fmt: skip


def test_recorded_error_shape(recordings: list[dict[str, Any]]) -> None:
    """An unknown model is refused with the very body that the real API sent, its request id apart."""
    missing = [entry for entry in recordings if entry["status"] == 404]
    assert missing
    for entry in missing:
        path = "/v1/messages/count_tokens" if "count_tokens" in entry["uri"] else "/v1/messages"
        status, answer = post(Simulator(), entry["req"], path=path)
        assert status == 404
        assert answer | {"request_id": ""} == entry["resp"] | {"request_id": ""}


def test_messages_have_the_recorded_fields(recordings: list[dict[str, Any]]) -> None:
    """Our JSON messages and their usage have the fields that recent recordings have."""
    recent = [reply for reply in replies(recordings) if "stop_details" in reply and "container" not in reply]
    _, ours = post(Simulator(), body(user("Hello.")))
    assert set(ours) in [set(reply) for reply in recent]
    assert set(ours["usage"]) in [set(reply["usage"]) for reply in recent]
