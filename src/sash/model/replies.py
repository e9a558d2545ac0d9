"""What a send gives back: the reply, what it cost, and the plan behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sash.model.blocks import Block
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.model.values import short


@dataclass(frozen=True, kw_only=True, repr=False)
class Reply:
    """One reply of Claude. `message` is the SDK's own object.

    A call may take several requests: a paused reply goes on, a run calls tools. Then `steps` has the reply of
    each, usage, cost and latency are their sums, and turn, number, plan and message those of the last one.
    """

    blocks: Sequence[Block]
    """content as plain blocks"""
    stop_reason: str | None
    """end_turn, tool_use, max_tokens, refusal, ...; None: it ended early"""
    usage: Usage
    cost: float | None
    """dollars; None where the model's prices are unknown"""
    latency: float
    """seconds from before the request to its last byte"""
    turn: Turn | None
    """the reply as recorded; None when nothing came that could be"""
    number: int
    """of the request: `chat.request(number)` shows what was sent"""
    plan: Any = field(repr=False)
    """the `Plan` that was carried out"""
    message: Any = field(default=None, repr=False)
    request_id: str | None = None
    parsed: Any = None
    """what the reply says, where an output format was asked for: an object of the class, or plain JSON values"""
    surprise: str = ""
    """where the cache was read otherwise than planned by more than 2% of the prompt: by how much, and why"""
    notes: tuple[str, ...] = ()
    """what was mended or done on the way, in sentences: thinking left out, a cut forced, a run stopped"""
    steps: tuple[Reply, ...] = field(default=(), repr=False)
    """the reply of each request, oldest first, where the call took several; else empty"""

    @property
    def text(self) -> str:
        """The text of the reply, without thinking and tool calls."""
        return "".join(str(block.get("text") or "") for block in self.blocks if block.get("type") == "text")

    @property
    def tool_calls(self) -> list[Block]:
        """The `tool_use` blocks, to be answered with tool results."""
        return [block for block in self.blocks if block.get("type") == "tool_use"]

    @property
    def refused(self) -> bool:
        """Whether Claude declined: the question is withdrawn, in the record but not in the view."""
        return self.stop_reason == "refusal"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        cost = None if self.cost is None else round(self.cost, 6)
        said = f"number={self.number}, text={short(self.text, 30)}, stop_reason={self.stop_reason!r}"
        return f"{type(self).__name__}({said}, cost={cost})"


def after(earlier: Reply, later: Reply) -> Reply:
    """The `later` reply as the outcome of both: it sums up what they took."""
    return replace(
        later,
        usage=earlier.usage + later.usage,
        cost=None if earlier.cost is None or later.cost is None else earlier.cost + later.cost,
        latency=earlier.latency + later.latency,
        notes=(*earlier.notes, *later.notes),
        steps=(*each(earlier), *each(later)),
    )


def joined(earlier: Reply, later: Reply) -> Reply:
    """One reply that was given in two pieces."""
    return replace(after(earlier, later), blocks=(*earlier.blocks, *later.blocks))


def each(reply: Reply) -> tuple[Reply, ...]:
    """The single replies of a call."""
    return reply.steps or (reply,)
