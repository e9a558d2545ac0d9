"""What a send gives back: the reply, what it cost, and the plan behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.model.blocks import Block
from sash.model.turns import Turn
from sash.model.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply of Claude. `message` is the SDK's own object."""

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
    surprise: str = ""
    """where the cache was read otherwise than planned by more than 2% of the prompt: by how much, and why"""

    @property
    def text(self) -> str:
        """The text of the reply, without thinking and tool calls."""
        return "".join(str(block.get("text") or "") for block in self.blocks if block.get("type") == "text")

    @property
    def tool_calls(self) -> list[Block]:
        """The `tool_use` blocks, to be answered with tool results."""
        return [block for block in self.blocks if block.get("type") == "tool_use"]

    def __str__(self) -> str:
        return self.text
