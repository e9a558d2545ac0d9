"""What a reply put out that broke off before its usage was told: a bound, from what had come of it.

Its prompt is known from its first event. Its output is what was received, counted at the upper bound, and a few tokens
that a server had written before it noticed. What comes in one piece once it is written, a thought's signature or a
value of a call's input, may have been under way unseen: as much of it as a model can write in the time. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Protocol

from sash.counting.measure import Block
from sash.model.counts import Count

IN_FLIGHT = 16
"""Tokens that may have been written and billed, and not received: a few events of the stream."""
FASTEST = 500
"""Output tokens a second that no model passes. None is published; measured ones stay below 200 at standard speed, and
fast mode writes "up to 2.5x" as many ("Fast mode")."""
LATENCY = 1.0
"""Seconds on the way: a server writes before its first event arrives, and on until it knows that nobody reads."""
_IN_ONE_PIECE = ("tool_use", "server_tool_use", "mcp_tool_use")
"""Blocks whose input is sent value by value, each once it is whole ("Streaming Messages", input JSON delta)."""


class Sizes(Protocol):
    """What counts blocks: `sash.counting.estimator.Estimator`, or a `Counter` of a flow."""

    def measure_message(self, role: str, blocks: Any, /) -> Any: ...
    def count(self, measure: Any, /) -> Count: ...


def most_written(blocks: Sequence[Block], counter: Sizes, *, seconds: float, most: int) -> int:
    """The most output tokens behind `blocks`, the content received, `seconds` after the reply began; `most` at most."""
    shown = [_as_text(block) for block in blocks]
    seen = counter.count(counter.measure_message("assistant", shown)).upper if shown else 0
    unseen = ceil((max(0.0, seconds) + LATENCY) * FASTEST) if any(map(_writes_unseen, blocks[-1:])) else 0
    return min(most, seen + unseen + IN_FLIGHT)


def _writes_unseen(block: Block) -> bool:
    """Whether more of it may be written than is shown: what thinking shows is a summary, or nothing."""
    kind = block.get("type")
    return kind in _IN_ONE_PIECE or (kind == "thinking" and not block.get("signature"))


def _as_text(block: Block) -> Block:
    """A call whose JSON is cut short counts as that text."""
    unfinished = block.get("partial_json")
    if not isinstance(unfinished, str):
        return block
    return {"type": "text", "text": str(block.get("name") or "") + unfinished}
