"""Questions about single turns that a planner asks while it builds a view: pure, no request needed.

They work on plain blocks as recorded (`sash.model.blocks`). What they return is legal in itself; whether
a whole request is, `check_request` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sash.model.blocks import Block, is_said
from sash.model.incoming import proven
from sash.planning.rules.caching import blank
from sash.planning.rules.thinking import THINKING
from sash.planning.rules.tools import SERVER_CALLS
from sash.planning.rules.turns import is_server_result

Blocks = Sequence[Block]


def is_plain_user(role: str, blocks: Blocks) -> bool:
    """Whether a turn opens an exchange: the user's, without any tool result."""
    return role == "user" and not any(block.get("type") == "tool_result" for block in blocks)


def open_calls(assistant: Blocks, following: Blocks) -> tuple[str, ...]:
    """The ids of the calls in an assistant turn that the blocks of the user turn after it leave unanswered."""
    answered = {block.get("tool_use_id") for block in following if block.get("type") == "tool_result"}
    calls = (str(block.get("id")) for block in assistant if block.get("type") == "tool_use")
    return tuple(call for call in calls if call not in answered)


def waiting_calls(replies: Iterable[Blocks]) -> frozenset[str]:
    """The ids of calls to the server's own tools in one or more replies in a row that have no result there."""
    waiting: set[str] = set()
    for block in (block for blocks in replies for block in blocks):
        kind = str(block.get("type"))
        if kind in SERVER_CALLS:
            waiting.add(str(block.get("id")))
        elif is_server_result(kind):
            waiting.discard(str(block.get("tool_use_id")))
    return frozenset(waiting)


def has_thinking(blocks: Blocks) -> bool:
    """Whether any block is thinking, redacted or not."""
    return any(block.get("type") in THINKING for block in blocks)


def strip_thinking(blocks: Blocks) -> tuple[Block, ...]:
    """The blocks without thinking; () when nothing that says something is left, so that the turn must go too."""
    return _saying([block for block in blocks if block.get("type") not in THINKING])


def sendable(blocks: Blocks, interrupted: bool = False) -> tuple[Block, ...]:
    """A reply as it may be sent back: without empty text, and not ending in thinking. () when nothing is left.

    Of an interrupted reply only text is kept, and nothing beside it: half a call, half a thought or a
    signature that never came cannot be sent, and a citation may point into a search that is gone. What the
    server found for the reply before it, which it continued, stays too: that one's call would hang without it.
    Where one thought has lost its signature, none of the reply's is sent: those kept must be an unbroken run.
    """
    if interrupted:
        found = _results_from_before(blocks)
        return _saying([*found, *(_bare(b) for b in blocks if b.get("type") == "text" and b.get("text"))])
    if all(map(is_said, blocks)):
        return tuple(blocks)
    kept = [block for block in blocks if not blank(block)]
    if not all(proven(block) for block in kept):
        kept = [block for block in kept if block.get("type") not in THINKING]
    while kept and kept[-1].get("type") in THINKING:
        kept.pop()
    return _saying(kept)


def _results_from_before(blocks: Blocks) -> list[Block]:
    """The server's results in front that answer a call of the reply before."""
    own = {block.get("id") for block in blocks if block.get("type") in SERVER_CALLS}
    return [b for b in blocks if is_server_result(str(b.get("type"))) and b.get("tool_use_id") not in own]


def _bare(block: Block) -> Block:
    return {"type": "text", "text": block["text"]} if len(block) > 2 else block


def _saying(blocks: list[Block]) -> tuple[Block, ...]:
    """The blocks, or none of them when there is only white space."""
    says = any(block.get("type") != "text" or str(block.get("text") or "").strip() for block in blocks)
    return tuple(blocks) if says else ()
