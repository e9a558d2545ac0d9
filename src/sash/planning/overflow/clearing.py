"""Placeholders for tool results that a view no longer carries: the form, and nothing about when.

A placeholder names tool and size, and stands where the result stood, so that pairs stay whole; the
record keeps the result. A result that is no longer than its placeholder stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sash.model.blocks import Block, dumps
from sash.model.epochs import Epoch
from sash.model.preamble import Preamble
from sash.model.turns import Turn

RECALL = "recall_result"
"""The tool by which Claude may ask for a cleared result; placeholders mention it where it is offered."""


def offers_recall(preamble: Preamble) -> bool:
    """Whether the tools let Claude read a cleared result again."""
    return RECALL in preamble.tool_names


def names_of(turn: Turn | None) -> dict[str, str]:
    """The tools that a reply called, by call id."""
    blocks = turn.blocks if turn is not None else ()
    return {str(block.get("id")): str(block.get("name")) for block in blocks if block.get("type") == "tool_use"}


def uses(turn: Turn) -> int:
    """How many tools a reply calls."""
    return sum(block.get("type") == "tool_use" for block in turn.blocks) if turn.role == "assistant" else 0


def served_turns(turns: Iterable[Turn], epoch: Epoch | None) -> frozenset[int]:
    """seqs of the turns whose results the API clears in this epoch, all of them, and of calls without their inputs."""
    if epoch is None or not epoch.relief.served:
        return frozenset()
    relief = epoch.relief
    called: Turn | None = None
    left, found = relief.served, list[int]()
    for turn in turns:
        if turn.seq < epoch.first_seq or turn.seq in relief.dropped:
            continue
        left -= uses(turn)
        if left < 0:
            break
        if turn.role == "assistant":
            called = turn
        elif not turn.plain and called is not None and not set(names_of(called).values()) & set(relief.spared):
            found += [called.seq, turn.seq] if relief.inputs else [turn.seq]
    return frozenset(found)


def cleared(blocks: Sequence[Block], names: Mapping[str, str], *, recall: bool) -> list[Block]:
    """Blocks with results as placeholders and calls without their input; everything else as it was."""
    return [_cleared(block, names, recall) for block in blocks]


def some_cleared(
    blocks: Sequence[Block], calls: Collection[str], names: Mapping[str, str], *, recall: bool
) -> list[Block]:
    """Blocks with the results of these calls as placeholders; everything else as it was."""
    return [_cleared(block, names, recall) if block.get("tool_use_id") in calls else block for block in blocks]


def _cleared(block: Block, names: Mapping[str, str], recall: bool) -> Block:
    if block.get("type") == "tool_use":
        return {**block, "input": {}}
    if block.get("type") != "tool_result" or not block.get("content"):
        return block
    said = placeholder(block, names.get(str(block.get("tool_use_id")), "a tool"), recall)
    return {**block, "content": said} if len(said) < _length(block["content"]) else block


def placeholder(block: Block, name: str, recall: bool) -> str:
    """What stands for a result: its tool, its size in characters, and how to read it again where that is offered."""
    size = _length(block["content"])
    again = f" {RECALL} with tool_use_id {block.get('tool_use_id')} reads it again." if recall else ""
    return f"[Result of {name}, {size:,} characters, cleared to save context.{again}]"


def _length(content: Any) -> int:
    return len(content) if isinstance(content, str) else len(dumps(content))
