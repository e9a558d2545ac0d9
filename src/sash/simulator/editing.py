"""Server-side context editing: `clear_tool_uses_20250919` ("Context editing" docs).

Before the prompt is rendered, the oldest tool results give way to a placeholder; the client keeps and resends
its whole history, and thinking stays valid, for the API does not count this as an edit. What is
not simulated (`clear_thinking`), `unsupported` names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sash.simulator.prompt import Block, blocks_of

CLEAR_TOOL_USES = "clear_tool_uses_20250919"
THRESHOLD = "compact_20260112"
"""Compaction by threshold comes after these edits: see `compaction`."""
PLACEHOLDER = "[tool result cleared to save context]"
TRIGGER = 100_000
KEEP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The body as the model sees it, and what was done to it."""

    body: Mapping[str, Any]
    applied: tuple[dict[str, Any], ...] = ()
    before: int | None = None
    """Prompt tokens before editing, where editing was asked for."""


def unsupported(body: Mapping[str, Any]) -> list[str]:
    """The edits asked for that are not simulated."""
    edits = (body.get("context_management") or {}).get("edits") or []
    return [edit["type"] for edit in edits if edit["type"] not in (CLEAR_TOOL_USES, THRESHOLD)]


def edit(body: Mapping[str, Any], count: Callable[[Mapping[str, Any]], int]) -> Edited:
    """Apply the edits of a body; `count` gives the prompt tokens of a body."""
    edits = (body.get("context_management") or {}).get("edits") or []
    if not edits:
        return Edited(body=body)
    before = size = count(body)
    applied = []
    for wanted in edits:
        if wanted["type"] != CLEAR_TOOL_USES:
            continue
        cleared, calls = _clear(body, wanted, size)
        smaller = count(cleared) if calls else size
        if calls and size - smaller >= _value(wanted.get("clear_at_least"), 0):
            applied.append(
                {"type": CLEAR_TOOL_USES, "cleared_tool_uses": calls, "cleared_input_tokens": size - smaller}
            )
            body, size = cleared, smaller
    return Edited(body=body, applied=tuple(applied), before=before)


def _value(limit: Any, default: int) -> int:
    return int(limit["value"]) if limit else default


def _clear(body: Mapping[str, Any], wanted: Mapping[str, Any], size: int) -> tuple[Mapping[str, Any], int]:
    """The body with old tool results cleared, and how many; unchanged below the trigger."""
    calls = {b["id"]: b["name"] for m in body["messages"] for b in blocks_of(m["content"]) if b["type"] == "tool_use"}
    trigger = wanted.get("trigger") or {"type": "input_tokens", "value": TRIGGER}
    reached = len(calls) if trigger["type"] == "tool_uses" else size
    if reached <= int(trigger["value"]):
        return body, 0
    spared = set(wanted.get("exclude_tools") or ())
    old = list(calls)[: max(0, len(calls) - _value(wanted.get("keep"), KEEP))]
    gone = {call for call in old if calls[call] not in spared}
    inputs = wanted.get("clear_tool_inputs") or False
    emptied = {call for call in gone if inputs is True or (inputs and calls[call] in inputs)}
    messages = [
        {**m, "content": [_cleared(b, gone, emptied) for b in blocks_of(m["content"])]} for m in body["messages"]
    ]
    return {**body, "messages": messages}, len(gone)


def _cleared(block: Block, gone: set[str], emptied: set[str]) -> Block:
    if block["type"] == "tool_result" and block["tool_use_id"] in gone:
        return {**block, "content": PLACEHOLDER}
    if block["type"] == "tool_use" and block["id"] in emptied:
        return {**block, "input": {}}
    return block
