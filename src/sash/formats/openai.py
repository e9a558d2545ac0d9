"""OpenAI-shape chat messages: a list, `{messages: [...]}`, or one message or one body a line.

Tool calls and their results become tool_use and tool_result blocks; leading system and developer messages become the
system prompt, the `tools` of a body its tools; items of the Responses API are read, too. The conversion is that of
`sash.formats.messages` and `parts`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.messages import Facts, OpenAIHistory, openai_turns
from sash.formats.parts import ONLY_HERE
from sash.formats.reading import Field, members_of
from sash.formats.values import Block, ImportedConversation
from sash.model.values import counted

SILENT = ("reasoning", "compaction", "item_reference", "ghost_snapshot")
"""Items of the Responses API, and of those who keep them, that say nothing that could be sent elsewhere."""
_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "mcp_call", "web_search_call", "file_search_call")
_ANSWERS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
ITEMS = (*_CALLS, *_ANSWERS, *SILENT)
"""What the Responses API lists beside messages."""


def recognises(sample: Sequence[Field]) -> bool:
    """Whether there are messages, with something that only OpenAI's shape has."""
    own = [value for value in members_of(sample) if not (value.has("sash") or value.has("system"))]  # Anthropic's do
    lists = [own] if _bare(own) else [_messages(value) for value in own]
    return any(_only_here(message, first=index == 0) for listed in lists for index, message in enumerate(listed))


def apart(found: Sequence[Field]) -> bool:
    """Whether each value is a conversation by itself, not a message or an item."""
    return not _bare(found)


def conversation(messages: Sequence[Field]) -> ImportedConversation:
    """The one conversation whose messages these are. Raises InvalidImport."""
    return _conversation(messages, "1")


def conversations(value: Field, number: int = 1) -> Iterator[ImportedConversation]:
    """The conversation of a body, or of a list of messages. Raises InvalidImport."""
    body = _body(value)
    yield _conversation(_all(body), str(number), _tools(body))


def _body(value: Field) -> Field:
    """The body itself, where a line of a batch holds it."""
    return value["body"] if isinstance(value.get("body"), dict) else value


def _bare(values: Sequence[Field]) -> bool:
    """Whether each value is a message by itself."""
    return all(isinstance(value.value, dict) and ("role" in value.value or _item(value)) for value in values)


def _item(message: Field) -> bool:
    return message.get("type") in ITEMS


def _chat(item: Field) -> Iterator[Field]:
    """Messages of chat completions: an item of the Responses API is made into such, what says nothing is left out."""
    given = item.get("type")
    if given not in ITEMS:
        yield item
    elif given not in SILENT:
        for made in _called(item) if given in _CALLS else [_answered(item)]:
            yield Field(made, item.path, item.line, item.name)


def _answered(item: Field) -> dict[str, Any]:
    output = item.get("output")
    if isinstance(output, dict):  # as Codex once kept them
        output = output.get("content") or json.dumps(output)
    return {"role": "tool", "tool_call_id": item["call_id"].value, "content": output}


def _called(item: Field) -> Iterator[dict[str, Any]]:
    """A call; where the server made it, and its outcome stands in the same item, the answer to it, too."""
    kind = str(item.get("type"))
    id = str(item.get("call_id") or item.get("id") or item.name or item.line)
    if kind == "custom_tool_call":
        part = {"custom": {"name": item["name"].value, "input": item.get("input")}}
    else:
        name = item.get("name") or kind.removesuffix("_call")
        given = item.get("arguments") or item.get("action") or {"queries": item.get("queries")}
        part = {"function": {"name": name, "arguments": given}}
    yield {"role": "assistant", "content": None, "tool_calls": [{"id": id, **part}]}
    if kind in ("mcp_call", "web_search_call", "file_search_call"):
        told = item.get("output") or item.get("results") or item.get("error") or item.get("status") or "completed"
        content = told if isinstance(told, str) else json.dumps(told)
        yield {"role": "tool", "tool_call_id": id, "content": content, "is_error": item.has("error")}


def _conversation(messages: Sequence[Field], number: str, tools: Sequence[Block] = ()) -> ImportedConversation:
    history = turns_of_items(messages)
    return ImportedConversation(
        id=number, system=history.system, tools=tuple(tools), turns=history.turns, notes=history.notes
    )


def turns_of_items(items: Sequence[Field], facts: Facts = lambda _: {}) -> OpenAIHistory:
    """Turns of messages and of items of the Responses API; `facts` is asked of each, by its place (`Field.name`)."""
    history = openai_turns((chat for item in items for chat in _chat(item)), facts)
    left_out = Counter(str(item.get("type")) for item in items if item.get("type") in SILENT)
    notes = tuple(
        HistoryProblem(text=f"left out: {counted(count, 'item')} of {kind}") for kind, count in left_out.items()
    )
    return replace(history, notes=(*history.notes, *notes))


def _all(body: Field) -> list[Field]:
    """The messages of a body; of one of the Responses API its instructions, its input, and what came of it."""
    if not isinstance(body.value, dict):
        return list(body.each())
    if not (body.has("input") or body.has("output")):
        return list(body["messages"].each())
    told = [{"role": "developer", "content": body["instructions"].text()}] if body.has("instructions") else []
    said = [{"role": "user", "content": body.get("input")}] if isinstance(body.get("input"), str) else []
    given = [Field(one, body.path, body.line, "input") for one in (*told, *said)]
    for key in ("input", "output"):
        given += body[key].each() if body.has(key) and not isinstance(body.get(key), str) else ()
    return given


def _tools(value: Field) -> list[Block]:
    """The functions that a body defines, in either API's shape or Anthropic's; tools of a server are left out."""
    if not isinstance(value.value, dict) or not value.has("tools"):
        return []
    return [made for tool in value["tools"].each() if (made := _tool_of(tool))]


def _tool_of(tool: Field) -> Block | None:
    if tool.has("function"):
        return _tool(tool["function"])
    if tool.get("type") == "function":
        return _tool(tool)
    return tool.object() if tool.has("name") else None


def _tool(function: Field) -> Block:
    schema = function.get("parameters") or {"type": "object"}
    described = {"description": function["description"].text()} if function.has("description") else {}
    return {"name": function["name"].text(), **described, "input_schema": schema}


def _messages(value: Field) -> list[Field]:
    if isinstance(value.value, dict) and "role" in value.value:
        return [value]
    body = _body(value)
    if isinstance(body.value, dict) and body.has("model") and (body.has("input") or body.get("object") == "response"):
        return [Field({"role": "developer"}, value.path)]  # a body that only the Responses API has
    listed = body.get("messages") if isinstance(body.value, dict) else body.value
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
