"""Server-side context editing: `clear_thinking_20251015` and `clear_tool_uses_20250919` ("Context editing" docs).

Before the prompt is rendered, the thinking of older turns is left out, and the oldest tool results give way to a
placeholder; the client keeps and resends its whole history, and what thinking it has stays valid, for the API does not
count this as an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sash.simulator.prompt import THINKING, Block, blocks_of, starts_turn, without_thinking

CLEAR_THINKING = "clear_thinking_20251015"
THRESHOLD = "compact_20260112"
"""Compaction by threshold comes after these edits: see `compaction`."""
PLACEHOLDER = "[tool result cleared to save context]"
TRIGGER = 100_000
KEEP = 3
KEPT_THINKING = 1
"""Turns whose thinking stays where an edit does not say: the documentation at hand names no default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The body as the model sees it, and what was done to it."""

    body: Mapping[str, Any]
    applied: tuple[dict[str, Any], ...] = ()
    before: int | None = None
    """Prompt tokens before editing, where editing was asked for."""


def edit(body: Mapping[str, Any], count: Callable[[Mapping[str, Any]], int]) -> Edited:
    """Apply the edits of a body; `count` gives the prompt tokens of a body."""
    edits = (body.get("context_management") or {}).get("edits") or []
    if not edits:
        return Edited(body=body)
    before = size = count(body)
    applied = []
    for wanted in edits:
        if wanted["type"] == THRESHOLD:
            continue
        thinking = wanted["type"] == CLEAR_THINKING
        cleared, number = _cleared_of_thinking(body, wanted) if thinking else _clear(body, wanted, size)
        smaller = count(cleared) if number else size
        if number and size - smaller >= _value(wanted.get("clear_at_least"), 0):
            what = "cleared_thinking_turns" if thinking else "cleared_tool_uses"
            applied.append({"type": wanted["type"], what: number, "cleared_input_tokens": size - smaller})
            body, size = cleared, smaller
    return Edited(body=body, applied=tuple(applied), before=before)


def _cleared_of_thinking(body: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
    """The body without the thinking of all but the newest turns that think, and how many turns lost it.

    A turn reaches from one message in which the user speaks to the next: results of tools are a part of it.
    """
    keep = wanted.get("keep")
    if keep == "all":
        return body, 0
    turns: list[list[int]] = []
    for at, message in enumerate(body["messages"]):
        if starts_turn(message):
            turns.append([])
        elif turns and any(block["type"] in THINKING for block in blocks_of(message["content"])):
            turns[-1].append(at)
    thinking = [turn for turn in turns if turn]
    gone = thinking[: max(0, len(thinking) - _value(keep, KEPT_THINKING))]
    places = {at for turn in gone for at in turn}
    messages = [_thoughtless(m) if at in places else m for at, m in enumerate(body["messages"])]
    return {**body, "messages": messages}, len(gone)


def _thoughtless(message: Mapping[str, Any]) -> Mapping[str, Any]:
    left = without_thinking(message)
    return left if left["content"] else message


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
