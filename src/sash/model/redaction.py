"""What is left of a turn that was redacted: its shape, so that the conversation stays legal, and nothing of its words.

Calls keep their id and name, results their call, those of the server's own tools too: a reply that paused stands in
several turns. Everything else becomes one placeholder. Pure.
"""

from __future__ import annotations

from sash.model.blocks import Block, dumps, text_block
from sash.model.incoming import CALLS

GAP = "[redacted]"


def redacted(blocks: list[Block]) -> str:
    """The JSON text of the blocks that stand in for `blocks`."""
    kept = [gap for block in blocks if (gap := _shape(block)) is not None]
    if kept and kept[0]["type"] == "tool_result":
        return dumps(kept)
    answers = bool(kept) and kept[0]["type"] not in CALLS
    return dumps([*kept, text_block(GAP)] if answers else [text_block(GAP), *kept])


def _shape(block: Block) -> Block | None:
    """A call without input, a result without content; None for all that belongs to no pair."""
    kind = str(block.get("type"))
    if kind in CALLS:
        return {**{name: block[name] for name in ("type", "id", "name", "server_name") if name in block}, "input": {}}
    if kind == "tool_result":
        return {"type": kind, "tool_use_id": block["tool_use_id"], "content": GAP}
    if not kind.endswith("_tool_result") or "tool_use_id" not in block:
        return None
    failed = [] if kind == "mcp_tool_result" else {"type": f"{kind}_error", "error_code": "unavailable"}
    return {"type": kind, "tool_use_id": block["tool_use_id"], "content": failed}
