"""OpenAI-shape chat messages: a list, `{messages: [...]}`, or one message or one body a line.

Tool calls and their results become tool_use and tool_result blocks; leading system and developer messages become the
system prompt, the `tools` of a body its tools; items of the Responses API are read, too. The conversion is that of
`sash.formats.messages` and `parts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.messages import openai_turns
from sash.formats.parts import ONLY_HERE
from sash.formats.reading import Field, values
from sash.formats.values import Block, ImportedConversation, with_notes

ITEMS = ("function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning")
"""What the Responses API lists beside messages."""


def recognises(sample: Sequence[Field]) -> bool:
    """Whether there are messages, with something that only OpenAI's shape has."""
    own = [value for value in sample if not (value.has("sash") or value.has("system"))]  # Anthropic's bodies have these
    lists = [own] if _bare(own) else [_messages(value) for value in own]
    return any(_only_here(message, first=index == 0) for listed in lists for index, message in enumerate(listed))


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversations of a text. Raises InvalidImport that names path, line and field."""
    found = values(text, path)
    if _bare(found.fields):
        return with_notes([_conversation(found.fields, "1")], found.damaged)
    numbered = enumerate(found, 1)
    each = (_conversation(_all(value), str(number), _tools(value)) for number, value in numbered)
    return with_notes(each, found.damaged)


def _bare(values: Sequence[Field]) -> bool:
    """Whether each value is a message by itself."""
    return all(isinstance(value.value, dict) and ("role" in value.value or _item(value)) for value in values)


def _item(message: Field) -> bool:
    return message.get("type") in ITEMS


def _chat(message: Field) -> Iterator[Field]:
    """A message of chat completions: an item of the Responses API is made into one, reasoning is left out."""
    given = message.get("type")
    if given not in ITEMS:
        yield message
    elif given != "reasoning":
        yield Field(_as_chat(message), message.path, message.line, message.name)


def _as_chat(item: Field) -> dict[str, Any]:
    if str(item.get("type")).endswith("_output"):
        return {"role": "tool", "tool_call_id": item["call_id"].value, "content": item.get("output")}
    custom = item.get("type") == "custom_tool_call"
    called = {"name": item["name"].value, **({"input": item.get("input")} if custom else {})}
    called |= {} if custom else {"arguments": item.get("arguments")}
    call = {"id": item["call_id"].value, "custom" if custom else "function": called}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _conversation(messages: Sequence[Field], number: str, tools: Sequence[Block] = ()) -> ImportedConversation:
    history = openai_turns(chat for message in messages for chat in _chat(message))
    thought = sum(message.get("type") == "reasoning" for message in messages)
    notes = (*history.notes, *([HistoryProblem(text=f"{thought} items of reasoning are left out")] if thought else []))
    return ImportedConversation(id=number, system=history.system, tools=tuple(tools), turns=history.turns, notes=notes)


def _all(value: Field) -> list[Field]:
    return list(value["messages"].each() if isinstance(value.value, dict) else value.each())


def _tools(value: Field) -> list[Block]:
    """The functions that a body defines; another shape than a function's is taken as it is."""
    if not isinstance(value.value, dict) or not value.has("tools"):
        return []
    return [_tool(tool["function"]) if tool.has("function") else tool.object() for tool in value["tools"].each()]


def _tool(function: Field) -> Block:
    schema = function.get("parameters") or {"type": "object"}
    described = {"description": function["description"].text()} if function.has("description") else {}
    return {"name": function["name"].text(), **described, "input_schema": schema}


def _messages(value: Field) -> list[Field]:
    if isinstance(value.value, dict) and "role" in value.value:
        return [value]
    listed = value.get("messages") if isinstance(value.value, dict) else value.value
    return [Field(member, value.path) for member in listed] if isinstance(listed, list) else []


def _only_here(message: Field, first: bool) -> bool:
    role = message.get("role")
    if _item(message):
        return True
    if role == "tool":
        return message.has("tool_call_id")
    if role in ("developer", "function") or (first and role == "system"):
        return True
    if any(message.has(key) for key in ("tool_calls", "function_call", "refusal")):
        return True
    parts = message.get("content")
    kinds = [part.get("type") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return any(kind in ONLY_HERE for kind in kinds)
