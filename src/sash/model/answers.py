"""What comes back from Claude, as values: a whole answer, or one event of a stream.

`message` is the SDK's own object, passed through to the caller untouched; the library itself reads the
plain fields only, so that no other layer needs the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sash.model.blocks import Block
from sash.model.forecast import Forecast, Purpose

MENDED = "sash_mended"
"""The name in `Answer.extra` under which the record holds what was mended of a reply, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply. `stop_reason` None: it ended early (the SDK raises nothing when a stream just stops)."""

    id: str
    model: str
    blocks: Sequence[Block]
    stop_reason: str | None
    usage: Mapping[str, Any]
    """as the API gave it; read it with `Usage`"""
    message: Any = None
    request_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """stop_details, diagnostics, input_transformations, where present"""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of the SDK's stream helper, and the text it adds (empty for other events)."""

    event: Any
    text: str = ""
    input: tuple[int, str] | None = None
    """what it adds to a call's input: the place of the block, and a piece of its JSON text"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEvent:
    """Text of a reply that is repeated from the record; of the shape of the SDK's own text event."""

    text: str
    snapshot: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """What happens in a tool run between the events of its replies: a reply is recorded, or a call has its result.

    With "cleared", old results left the view with the request just answered; with "shortened", results of the newest
    turn that were too long were sent as their ends, or as placeholders.
    """

    type: Literal["reply", "tool_result", "cleared", "shortened"]
    reply: Any = None
    """the `Reply` of one step; of one whose results left, too"""
    calls: tuple[str, ...] = ()
    """the ids of the calls whose results left or are shorter"""
    call: Block | None = None
    """the `tool_use` block"""
    result: Block | None = None
    """the `tool_result` block that answers it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A request ready to leave: the exact body, and what the call needs beside it."""

    body: Mapping[str, Any]
    betas: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    forecast: Forecast
    """what limits and ceilings are reserved by"""

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return self.forecast.purpose

    @property
    def key(self) -> str:
        """The name of the key to send it with; "": the client's own."""
        return self.forecast.key
