"""OpenAI-shape chat messages: a list, `{messages: [...]}`, or one message or one body a line.

Tool calls and their results become tool_use and tool_result blocks; leading system messages become the
system prompt. See `sash.formats.messages` for the conversion.
"""

from __future__ import annotations

from collections.abc import Sequence

from sash.formats.messages import openai_turns
from sash.formats.reading import Field, values
from sash.formats.values import ImportedConversation, with_notes


def recognises(sample: Sequence[Field]) -> bool:
    """Whether there are messages, with something that only OpenAI's shape has."""
    return any(_only_here(message) for value in sample for message in _messages(value))


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversations of a text. Raises InvalidImport that names path, line and field."""
    found = values(text, path)
    if all(isinstance(value.value, dict) and "role" in value.value for value in found):
        return with_notes([_conversation(found.fields, "1")], found.damaged)
    return with_notes((_conversation(_all(value), str(number)) for number, value in enumerate(found, 1)), found.damaged)


def _conversation(messages: Sequence[Field], number: str) -> ImportedConversation:
    history = openai_turns(messages)
    return ImportedConversation(id=number, system=history.system, turns=history.turns, notes=history.notes)


def _all(value: Field) -> list[Field]:
    return list(value["messages"].each() if isinstance(value.value, dict) else value.each())


def _messages(value: Field) -> list[Field]:
    if isinstance(value.value, dict) and "role" in value.value:
        return [value]
    listed = value.get("messages") if isinstance(value.value, dict) else value.value
    return [Field(member, value.path) for member in listed] if isinstance(listed, list) else []


def _only_here(message: Field) -> bool:
    return message.has("tool_calls") or (message.get("role") == "tool" and message.has("tool_call_id"))
