"""What is left of a turn that was redacted: its shape, so that the conversation stays legal, and nothing of its words.

Calls keep their id and name, results their call; everything else becomes one placeholder. Pure.
"""

from __future__ import annotations

from sash.model.blocks import Block, dumps, text_block

GAP = "[redacted]"


def redacted(blocks: list[Block]) -> str:
    """The JSON text of the blocks that stand in for `blocks`."""
    kept = [_call(block) for block in blocks if block.get("type") in ("tool_use", "tool_result")]
    results = bool(kept) and kept[0]["type"] == "tool_result"
    return dumps(kept if results else [text_block(GAP), *kept])


def _call(block: Block) -> Block:
    if block["type"] == "tool_use":
        return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}
    return {"type": "tool_result", "tool_use_id": block["tool_use_id"], "content": GAP}
