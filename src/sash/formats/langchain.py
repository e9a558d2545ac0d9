"""LangChain: what `messages_to_dict` gives, and what `langchain_core.load.dumps` writes of a list of messages.

Of replies the usage is kept (`usage_metadata`), of tool messages the outcome; calls whose arguments could not be parsed
are kept as they came. Instructions to remove messages are none. Source: langchain-core 1.8, whose own functions made
the samples that this was tried on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sash.formats.chat import ChatMessage, conversation_of, known, usage_of
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, members_of
from sash.formats.values import ImportedConversation

_ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
    "function": "function",
    "chat": "",
}
"""LangChain's kinds of messages -> roles of chat completions; of "chat" the message says it."""
_REMOVED = "remove"


def recognises(sample: Sequence[Field]) -> bool:
    """Whether there are messages of LangChain's: one list of them, or lists."""
    found = members_of(sample)
    return bool(found) and (not apart(found) or all(_is_conversation(one) for one in found))


def apart(found: Sequence[Field]) -> bool:
    """Whether each value is a conversation by itself, not a message."""
    return not all(is_message(one) for one in found)


def is_message(one: Field) -> bool:
    """Whether it is a message of LangChain's, in either form."""
    if one.get("type") == "constructor":
        return one.get("lc") == 1 and "messages" in one.get("id", [])
    return one.get("type") in (*_ROLES, _REMOVED) and isinstance(one.get("data"), dict)


def _is_conversation(one: Field) -> bool:
    listed = one.get("messages") if isinstance(one.value, dict) else one.value
    return isinstance(listed, list) and bool(listed) and all(is_message(Field(each, one.path)) for each in listed)


def conversation(messages: Sequence[Field]) -> ImportedConversation:
    """The one conversation whose messages these are. Raises InvalidImport."""
    return _conversation(messages, "1")


def conversations(value: Field, number: int) -> Iterator[ImportedConversation]:
    """The conversation that a value is. Raises InvalidImport."""
    listed = value["messages"] if isinstance(value.value, dict) else value
    id = value.get("session_id") or value.get("thread_id") if isinstance(value.value, dict) else None
    yield _conversation(list(listed.each()), str(id or number))


def _conversation(messages: Sequence[Field], id: str) -> ImportedConversation:
    removed = sum(_plain(message).get("type") == _REMOVED for message in messages)
    notes = [HistoryProblem(text=f"{removed} instructions to remove messages are left out")] if removed else []
    said = chat_messages(messages)
    return conversation_of(said, id=id, path=messages[0].path if messages else "", notes=notes)


def chat_messages(messages: Sequence[Field]) -> list[ChatMessage]:
    """Messages of LangChain's as those of chat completions. Raises InvalidImport for an unknown kind."""
    given = [_plain(message) for message in messages]
    return [_chat(message["data"], message) for message in given if message.get("type") != _REMOVED]


def _plain(message: Field) -> Field:
    """In the form of `messages_to_dict`, whichever it is written in."""
    if message.get("type") != "constructor":
        return message
    data = message["kwargs"].object()
    return Field({"type": data.get("type"), "data": data}, message.path, message.line, message.name)


def _chat(data: Field, message: Field) -> ChatMessage:
    kind = message["type"].text()
    if kind not in _ROLES:
        raise message["type"].fail(f"unknown kind of message {kind!r}; expected one of {', '.join(_ROLES)}")
    told = data.get("response_metadata", {})
    return ChatMessage(
        role=_ROLES[kind] or _role(data),
        content=_content(data),
        calls=[*_calls(data, "tool_calls"), *_calls(data, "invalid_tool_calls")],
        answers=str(data.get("tool_call_id") or data.get("name") or "") if _ROLES[kind] in ("tool", "function") else "",
        failed=data.get("status") == "error",
        facts=known(
            id=data.get("id"),
            speaker=data.get("name") if _ROLES[kind] == "user" else None,
            model=told.get("model_name") or told.get("model"),
            usage=_usage(data.get("usage_metadata") or {}),
        ),
    )


def _role(data: Field) -> str:
    role = data["role"].text()
    return {"human": "user", "ai": "assistant"}.get(role, role)


def _content(data: Field) -> Any:
    """Its content without calls, which are told apart from it, and without what providers keep for themselves."""
    content = data.get("content")
    if not isinstance(content, list):
        return content
    dropped = ("tool_use", "tool_call", "function_call", "reasoning", "reasoning_content", "non_standard")
    return [part for part in map(_part, content) if not (isinstance(part, dict) and part.get("type") in dropped)]


def _part(part: Any) -> Any:
    """LangChain's own form of pictures and files, in OpenAI's."""
    if not isinstance(part, dict) or part.get("type") not in ("image", "file") or "source" in part:
        return part
    data, kind = part.get("base64") or part.get("data"), part.get("mime_type", "")
    url = f"data:{kind};base64,{data}" if data else part.get("url")
    if part["type"] == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_data": url, "filename": part.get("filename") or part.get("id")}}


def _calls(data: Field, key: str) -> Iterator[dict[str, Any]]:
    for place, call in enumerate(data[key].each() if data.has(key) else ()):
        id = call.get("id") or f"{data.get('id') or data.name}-{place}"
        yield {"id": str(id), "name": call.get("name") or "unknown", "arguments": call.get("args", {})}


def _usage(told: dict[str, Any]) -> dict[str, Any] | None:
    """LangChain's `input_tokens` are the whole prompt, what was cached included."""
    parts = told.get("input_token_details") or {}
    return usage_of(
        told.get("input_tokens"),
        told.get("output_tokens"),
        read=parts.get("cache_read"),
        write=parts.get("cache_creation"),
    )
