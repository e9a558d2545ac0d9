"""A conversation in the shape of OpenAI's chat completions: `messages` and `tools`, as `sash.formats.openai` reads
them.

Texts, calls, results, pictures and PDF files have a place there. Times, speakers, thinking, what servers' tools did,
and whether a result is an error have none: `lost` counts what is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sash.formats.values import Block, ImportedConversation, ImportedTurn

_HELD = ("text", "image", "document", "tool_use", "tool_result")


def dump(conversation: ImportedConversation, *, indent: int | None = 1) -> str:
    """The conversation as a body of chat completions."""
    messages = [*_system(conversation.system), *(one for turn in conversation.turns for one in _messages(turn))]
    tools = [_tool(tool) for tool in conversation.tools if "name" in tool]
    body = {"messages": messages, **({"tools": tools} if tools else {})}
    text = json.dumps(body, ensure_ascii=False, indent=indent)
    return text.encode(errors="replace").decode()


def lost(conversation: ImportedConversation) -> tuple[str, ...]:
    """What the shape has no place for, counted."""
    blocks = [block for turn in conversation.turns for block in turn.content]
    counts = Counter(f"blocks of the kind {block.get('type')}" for block in blocks if block.get("type") not in _HELD)
    counts["failed results (kept as results)"] += sum(bool(block.get("is_error")) for block in blocks)
    counts["times"] += sum(turn.at is not None for turn in conversation.turns)
    counts["speakers"] += sum(turn.speaker is not None for turn in conversation.turns)
    return tuple(f"{count} {what}" for what, count in counts.items() if count)


def _system(system: str | Sequence[Block] | None) -> Iterator[dict[str, Any]]:
    texts = [system] if isinstance(system, str) else [str(block.get("text", "")) for block in system or ()]
    if texts:
        yield {"role": "system", "content": "\n".join(texts)}


def _tool(tool: Block) -> dict[str, Any]:
    described = {"description": tool["description"]} if tool.get("description") else {}
    schema = tool.get("input_schema") or {"type": "object"}
    return {"type": "function", "function": {"name": tool["name"], **described, "parameters": schema}}


def _messages(turn: ImportedTurn) -> Iterator[dict[str, Any]]:
    """The messages that a turn is: one for each result, one for what is said."""
    said: list[Block] = []
    for block in turn.content:
        if block.get("type") == "tool_result":
            yield from _message(turn.role, said)
            said = []
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _result(block)}
        else:
            said.append(block)
    yield from _message(turn.role, said)


def _message(role: str, blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    parts = [part for block in blocks for part in _part(block)]
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    if not (parts or calls):
        return
    alone = len(parts) == 1 and parts[0]["type"] == "text"
    content = parts[0]["text"] if alone else parts or None
    yield {"role": role, "content": content, **({"tool_calls": calls} if calls else {})}


def _call(block: Block) -> dict[str, Any]:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    return {
        "id": block.get("id"),
        "type": "function",
        "function": {"name": block.get("name"), "arguments": arguments},
    }


def _result(block: Block) -> str:
    content = block.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", f"[{part.get('type')}, left out]")) for part in content)


def _part(block: Block) -> Iterator[dict[str, Any]]:
    kind, source = block.get("type"), block.get("source") or {}
    url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
    if kind == "text":
        yield {"type": "text", "text": block.get("text", "")}
    elif kind == "image" and source.get("type") in ("base64", "url"):
        yield {"type": "image_url", "image_url": {"url": url}}
    elif kind == "document" and source.get("type") == "base64":
        yield {"type": "file", "file": {"file_data": url, "filename": block.get("title") or "file"}}
    elif kind == "document" and source.get("type") == "text":
        yield {"type": "text", "text": str(source.get("data", ""))}
    elif kind in ("image", "document"):
        yield {"type": "text", "text": f"[{block.get('title') or kind}, kept elsewhere, left out]"}
