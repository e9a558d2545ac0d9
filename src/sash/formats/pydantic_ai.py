"""pydantic-ai: what `ModelMessagesTypeAdapter.dump_json` gives, a list of requests and responses in parts.

System prompts and instructions become the system prompt, retries the failed results that they answer. Usage and times
are kept. Thinking, and what servers' own tools did, are left out and counted. Source: pydantic-ai 2.68, whose own
adapter made the samples that this was tried on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sash.formats.chat import ChatMessage, conversation_of, known, usage_of
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, members_of
from sash.formats.values import ImportedConversation

_KINDS = ("request", "response")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether there are messages of pydantic-ai's: one list of them, or lists."""
    found = members_of(sample)
    return bool(found) and (not apart(found) or all(_is_conversation(one) for one in found))


def apart(found: Sequence[Field]) -> bool:
    """Whether each value is a conversation by itself, not a message."""
    return not all(_is_message(one) for one in found)


def _is_message(one: Field) -> bool:
    parts = one.get("parts")
    return one.get("kind") in _KINDS and isinstance(parts, list)


def _is_conversation(one: Field) -> bool:
    return isinstance(one.value, list) and bool(one.value) and all(_is_message(member) for member in one.each())


def conversations(value: Field, number: int) -> Iterator[ImportedConversation]:
    """The conversation that a list is. Raises InvalidImport."""
    yield _conversation(list(value.each()), str(number))


def conversation(messages: Sequence[Field]) -> ImportedConversation:
    """The one conversation whose messages these are. Raises InvalidImport."""
    return _conversation(messages, "1")


def _conversation(messages: Sequence[Field], number: str) -> ImportedConversation:
    counts = Counter[str]()
    said: list[ChatMessage] = []
    for message in messages:
        said += _request(message) if message.get("kind") == "request" else [_response(message, counts)]
    told = [message.get("instructions") for message in messages if message.has("instructions")]
    notes = [HistoryProblem(text=f"{count} {what} left out") for what, count in counts.items()]
    ids = [message.get("conversation_id") for message in messages if message.has("conversation_id")]
    return conversation_of(
        said,
        id=str(ids[0]) if ids else number,
        path=messages[0].path if messages else "",
        system=str(told[-1]) if told else None,
        notes=notes,
    )


def _request(message: Field) -> Iterator[ChatMessage]:
    for part in message["parts"].each():
        kind = part["part_kind"].text()
        facts = known(at=_at(part) or _at(message))
        if kind in ("system-prompt", "instruction"):
            yield ChatMessage(role="system", content=part["content"].text(), facts=facts)
        elif kind == "user-prompt":
            yield ChatMessage(role="user", content=_said(part), facts=facts)
        elif kind in ("tool-return", "retry-prompt") and part.has("tool_name"):
            failed = kind == "retry-prompt" or part.get("outcome") in ("failed", "denied")
            id = str(part.get("tool_call_id") or part.get("tool_name"))
            yield ChatMessage(role="tool", content=_text(part.get("content")), answers=id, failed=failed, facts=facts)
        elif kind == "retry-prompt":
            yield ChatMessage(role="user", content=_text(part.get("content")), facts=facts)
        else:
            raise part["part_kind"].fail(f"unknown kind of part {kind!r} in a request")


def _response(message: Field, counts: Counter[str]) -> ChatMessage:
    texts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in message["parts"].each():
        kind = part["part_kind"].text()
        if kind == "text" and part.get("content"):
            texts.append({"type": "text", "text": part["content"].text()})
        elif kind == "tool-call":
            given = part.get("args") or {}
            id = str(part.get("tool_call_id") or part.get("tool_name"))
            calls.append({"id": id, "name": part["tool_name"].text(), "arguments": given})
        elif kind != "text":
            counts[f"parts of the kind {kind}"] += 1
    facts = known(
        at=_at(message),
        id=message.get("provider_response_id") or message.get("vendor_id"),
        model=message.get("model_name"),
        usage=_usage(message.get("usage") or {}),
    )
    return ChatMessage(role="assistant", content=texts, calls=calls, facts=facts)


def _at(one: Field) -> float | None:
    return one["timestamp"].time() if one.has("timestamp") else None


def _usage(told: dict[str, Any]) -> dict[str, Any] | None:
    """pydantic-ai's `input_tokens` are the whole prompt; older versions call it `request_tokens`."""
    return usage_of(
        told.get("input_tokens") or told.get("request_tokens"),
        told.get("output_tokens") or told.get("response_tokens"),
        read=told.get("cache_read_tokens"),
        write=told.get("cache_write_tokens"),
        write_1h=told.get("cache_write_1h_tokens"),
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _said(part: Field) -> Any:
    if not isinstance(part.get("content"), list):
        return part["content"].text()
    return [_content(one) for one in part["content"].each()]


def _content(one: Field) -> dict[str, Any]:
    """What a user showed, as OpenAI's part."""
    if isinstance(one.value, str):
        return {"type": "text", "text": one.value}
    kind = one["kind"].text()
    if kind == "binary":
        return _bytes(one)
    if kind == "image-url":
        return {"type": "image_url", "image_url": {"url": one["url"].text()}}
    if kind == "text":
        return {"type": "text", "text": str(one.get("content") or one.get("text") or "")}
    return {"type": "text", "text": f"[{kind} {one.get('url') or ''}, left out]"}


def _bytes(one: Field) -> dict[str, Any]:
    data = one["data"].text().replace("-", "+").replace("_", "/")  # bytes are told in base64 for URLs
    kind = str(one.get("media_type", "application/octet-stream"))
    url = f"data:{kind};base64,{data}"
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    if kind == "application/pdf":
        return {"type": "file", "file": {"file_data": url, "filename": one.get("identifier")}}
    return {"type": "text", "text": f"[a file of the kind {kind}, left out]"}
