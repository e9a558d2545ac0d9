"""What a reply put out that broke off before its usage was told: a bound, from what had come of it.

Its prompt is known from its first event. Its output is what was received, counted at the upper bound, and a few tokens
that a server had written before it noticed. Where a thought had begun that shows nothing, nobody can say how long it
was. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sash.counting.measure import Block
from sash.model.counts import Count

IN_FLIGHT = 16
"""Tokens that may have been written and billed, and not received: a few events of the stream."""


class Sizes(Protocol):
    """What counts blocks: `sash.counting.estimator.Estimator`, or a `Counter` of a flow."""

    def measure_message(self, role: str, blocks: Any, /) -> Any: ...
    def count(self, measure: Any, /) -> Count: ...


def most_written(blocks: Sequence[Block], counter: Sizes) -> int | None:
    """The most output tokens behind `blocks`, the content received; None where a thought shows nothing."""
    if any(_silent(block) for block in blocks[-1:]):
        return None
    if not blocks:
        return IN_FLIGHT
    shown = [_as_text(block) for block in blocks]
    return counter.count(counter.measure_message("assistant", shown)).upper + IN_FLIGHT


def _silent(block: Block) -> bool:
    return block.get("type") == "thinking" and not (block.get("thinking") or block.get("signature"))


def _as_text(block: Block) -> Block:
    """A call whose JSON is cut short counts as that text."""
    unfinished = block.get("partial_json")
    if not isinstance(unfinished, str):
        return block
    return {"type": "text", "text": str(block.get("name") or "") + unfinished}
