"""Logged calls of a model, whole prompts and replies, made into the conversations that they belong to.

Tracing tools keep each call by itself: its prompt repeats what was said before. Calls of one thread whose prompts
continue one another are one conversation, and every message stands in it once; those of a window that slides still
overlap, and what continues nothing (a title, a sub-agent) is a conversation of its own. `messages_of` reads what
loggers make of a prompt or a reply: OpenAI's, Anthropic's and LangChain's shapes, or bare text. It knows no tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sash.formats import langchain
from sash.formats.chat import ChatMessage, conversation_of
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, invalid
from sash.formats.values import ImportedConversation, with_notes
from sash.model.values import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """A call of a model: what was sent, and what came back."""

    thread: str
    """what holds together the calls of one conversation, as its source says"""
    at: float | None
    prompt: Sequence[ChatMessage]
    reply: ChatMessage | None
    """with time, model, usage and, in `meta`, cost; None where the call failed"""
    project: str | None = None


def conversations_of_calls(
    calls: Iterable[LoggedCall],
    path: str,
    *,
    others: Mapping[str, int],
    damaged: Sequence[HistoryProblem],
    none: str,
) -> tuple[ImportedConversation, ...]:
    """The conversations behind the calls of a file, with remarks on its damaged lines and on what else it holds.

    `others`: what is no call, kind by kind, counted. Raises InvalidImport, for which `none` says why.
    """
    read = list(_threads(calls, path))
    if not read:
        raise invalid(path, none)
    told = ", ".join(counted(count, kind) for kind, count in others.items())
    notes = [HistoryProblem(text=f"left out, as calls of models tell what they say: {told}")] if others else []
    return with_notes(read, (*damaged, *notes))


def _threads(calls: Iterable[LoggedCall], path: str) -> Iterator[ImportedConversation]:
    """Thread by thread, in order of time."""
    threads: dict[str, list[LoggedCall]] = {}
    for call in calls:
        threads.setdefault(call.thread, []).append(call)
    for thread, found in threads.items():
        lines: list[_Line] = []
        for call in sorted(found, key=lambda call: call.at or 0.0):
            _place(call, lines)
        lines.sort(key=lambda line: -len(line.messages))
        for number, line in enumerate(lines):
            project = next((call.project for call in found if call.project), None)
            id = thread if number == 0 else f"{thread}#{number}"
            yield conversation_of(line.messages, id=id, path=path, meta={"project": project} if project else {})


@dataclass
class _Line:
    """A conversation so far."""

    messages: list[ChatMessage] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def add(self, message: ChatMessage, at: float | None) -> None:
        """Put a message behind the others, at the time of the call that first held it."""
        self.messages.append(message if "at" in message.facts or at is None else _at(message, at))
        self.keys.append(_key(message))


def _at(message: ChatMessage, at: float) -> ChatMessage:
    return replace(message, facts={**message.facts, "at": at})


def _place(call: LoggedCall, lines: list[_Line]) -> None:
    """Add what a call says that is new to the conversation that it continues, or begin one."""
    keys = [_key(message) for message in call.prompt]
    overlaps = [_overlap(line.keys, keys) for line in lines]
    known = max(overlaps, default=0)
    if known:
        line = lines[overlaps.index(known)]
    else:
        lines.append(line := _Line())
    for message in call.prompt[known:]:
        line.add(message, call.at)
    if call.reply is not None:
        line.add(call.reply, call.at)


def _overlap(said: Sequence[str], prompt: Sequence[str]) -> int:
    """How many messages of a prompt the conversation holds already: all of it, or its end behind a system prompt.

    0 where the prompt does not continue it.
    """
    if said == prompt[: len(said)]:
        return len(said)
    first = next((at for at, key in enumerate(prompt) if not key.startswith('["system"')), len(prompt))
    for length in range(min(len(said), len(prompt) - first), 1, -1):
        if said[-length:] == prompt[first : first + length]:
            return first + length
    return 0


def _key(message: ChatMessage) -> str:
    """What makes two messages the same, whatever else their shapes hold."""
    calls = [[call["id"], call["name"]] for call in message.calls]
    return json.dumps([message.role, _words(message.content), calls, message.answers])


def _words(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(filter(None, map(_words, content)))
    if isinstance(content, Mapping):
        told = [content.get(key) for key in ("text", "content", "id", "tool_use_id")]
        return "\n".join(_words(one) for one in told if one)
    return str(content or "")


def messages_of(value: Any, path: str, role: str = "user") -> list[ChatMessage]:
    """The messages in what was logged of a prompt, or (`role="assistant"`) of a reply."""
    if isinstance(value, str):
        return _of_text(value, path, role)
    if isinstance(value, list):
        return [one for member in value for one in messages_of(member, path, role)]
    if not isinstance(value, Mapping):
        return []
    if langchain.is_message(Field(value, path)):
        return langchain.chat_messages([Field(value, path)])
    if "role" in value:
        return [_message(value, role)]
    if "type" in value or "text" in value:
        within = value.get("message")  # a generation of LangChain's has both: its message, and the text of it
        return (messages_of(within, path, role) if isinstance(within, Mapping) else []) or [_message(value, role)]
    return _of_parts(value, path, role)


def reply_of(value: Any, path: str, facts: Mapping[str, Any]) -> ChatMessage | None:
    """The reply in what was logged of it, the first where there are several; None where there is none."""
    replies = messages_of(value, path, "assistant")
    return replace(replies[0], role="assistant", facts=facts) if replies else None


def _of_text(value: str, path: str, role: str) -> list[ChatMessage]:
    """Text as it is; JSON in a text, as some loggers keep it, by what it says."""
    if value[:1] in ("{", "["):
        try:
            read = json.loads(value)
        except ValueError:
            read = None
        if found := messages_of(read, path, role):
            return found
    return [ChatMessage(role=role, content=value)] if value.strip() else []


def _of_parts(value: Mapping[str, Any], path: str, role: str) -> list[ChatMessage]:
    """The body of a request or of a response."""
    found: list[ChatMessage] = []
    if isinstance(value.get("system"), str | list):
        found.append(ChatMessage(role="system", content=value["system"]))
    for key in ("messages", "choices", "generations", "message", "output", "input", "prompt", "prompts", "content"):
        if value.get(key):
            return found + messages_of(value[key], path, role)
    return found


def _message(value: Mapping[str, Any], role: str) -> ChatMessage:
    """A message of OpenAI's or Anthropic's; a block that stands alone is one of `role`."""
    content = value.get("content", value.get("text")) if "role" in value or "text" in value else [value]
    said = str(value.get("role") or role)
    calls = []
    for call in value.get("tool_calls") or ():
        function = call.get("function") or call
        given = function.get("arguments", function.get("args", {}))
        calls.append({"id": str(call.get("id")), "name": str(function.get("name")), "arguments": given})
    names = {"human": "user", "ai": "assistant", "model": "assistant"}
    return ChatMessage(
        role=names.get(said, said), content=content, calls=calls, answers=str(value.get("tool_call_id") or "")
    )
