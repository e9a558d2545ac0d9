"""What the API adds around content, in tokens: message frames, tool prompts, image and document frames. Dated data.

`UNITS` says for each countable thing what one of it costs and how far that may be off; the online
correction starts from these and learns the rest from usage, because the same model name has changed its
constants before. Fitted on recorded requests and replies of 2025 and 2026 (single and multi-turn, tools,
images, documents); documented values where the documentation gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from sash.model.cards import Generation, base_name

AS_OF = "2026-11-21"

Unit = Literal[
    "request", "user", "assistant", "system turn", "block", "tool use", "parameter", "tool result", "more results",
    "parallel", "image", "document", "page", "tools", "forced tools", "thinking config", "format", "tool definition",
]  # fmt: skip
UNIT_NAMES: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Tokens of one unit; `spread` is how far one may be off at the default coverage."""

    tokens: float
    spread: float = 0.0


# Frames. A single user message costs content + 7 (v3), + 11 (4.7), + 6 (4.8 and later); every further
# pair of turns + 6. The user frame is 3 of these: a reply's output_tokens contain the other 3.
# Tools: a call without parameters and its result cost 45, each parameter 15.5, further results of the
# same turn 23.5 each and 23.5 once.
_UNITS: dict[Unit, Cost] = {
    "request": Cost(tokens=4, spread=1),
    "user": Cost(tokens=3, spread=2),
    "assistant": Cost(tokens=3, spread=2),
    "system turn": Cost(tokens=1, spread=3),
    "block": Cost(tokens=0, spread=2),
    "tool use": Cost(tokens=31, spread=12),
    "parameter": Cost(tokens=15.5, spread=4),
    "tool result": Cost(tokens=8.5, spread=4),
    "more results": Cost(tokens=23.5, spread=8),
    "parallel": Cost(tokens=23.5, spread=8),
    "image": Cost(tokens=4, spread=6),
    "document": Cost(tokens=36, spread=12),
    "page": Cost(tokens=2_000, spread=2_600),
    "tools": Cost(tokens=497, spread=30),
    "forced tools": Cost(tokens=92, spread=20),
    "tool definition": Cost(tokens=2, spread=8),
    "thinking config": Cost(tokens=29, spread=4),
    "format": Cost(tokens=115, spread=60),
}
UNITS: dict[Generation, dict[Unit, Cost]] = {
    "v3": _UNITS,
    "v4.7": {**_UNITS, "request": Cost(tokens=8, spread=1), "thinking config": Cost(tokens=0, spread=4)},
    "v5": {**_UNITS, "request": Cost(tokens=3, spread=1), "thinking config": Cost(tokens=0, spread=4),
           "tool definition": Cost(tokens=14, spread=16)},
}  # fmt: skip

# The system prompt that the API adds when tools are given: (auto or none, any or tool). "Tool use
# overview"; the 5.5 generation, Fable and Mythos are undocumented and take Sonnet 5's with a wide spread.
TOOL_PROMPTS: dict[str, tuple[int, int]] = {
    "claude-opus-5": (286, 406),
    "claude-opus-4-8": (290, 410),
    "claude-opus-4-7": (675, 804),
    "claude-opus-4-6": (497, 589),
    "claude-sonnet-4-6": (497, 589),
    "claude-opus-4-5": (496, 588),
    "claude-sonnet-4-5": (496, 588),
    "claude-haiku-4-5": (496, 588),
    "claude-sonnet-5": (354, 474),
    "claude-fable-5": (290, 410),
}
_UNDOCUMENTED: dict[Generation, tuple[int, int]] = {"v3": (497, 589), "v4.7": (675, 804), "v5": (354, 474)}
_UNDOCUMENTED_SPREAD = 400

# Definitions that Anthropic holds: what one of them adds ("Pricing", tool use; the memory tool as recorded).
SERVER_TOOLS: tuple[tuple[str, int], ...] = (
    ("bash_", 325),
    ("text_editor_", 700),
    ("computer_toolset_", 4_500),
    ("browser_toolset_", 6_600),
    ("computer_", 735),
    ("memory_", 1_080),
)
SERVER_TOOL_UNKNOWN = Cost(tokens=1_000, spread=6_000)

# "Vision": ceil(width / 28) * ceil(height / 28) after scaling down to the tier's edge and cap.
PATCH = 28
IMAGE_TIERS: dict[str, tuple[int, int]] = {"high": (2_576, 4_784), "standard": (1_568, 1_568)}
"""Longest edge in pixels, most tokens."""

# "Thinking": a block may hold only a signature. Its bytes bound what it stands for.
SIGNATURE_BYTES_PER_TOKEN = 3.0
SIGNATURE_OVERHEAD = 240
"""Bytes that a signature has beside what it stands for: of the estimate, never of the bound."""

UNKNOWN_BLOCK_BYTES_PER_TOKEN = 1.5
"""Bound for block types this version has never seen: their JSON at the densest tokenization seen."""


def units(model: str | None, generation: Generation) -> dict[Unit, Cost]:
    """The constants of one model, by its documented tool prompt; of its generation when it has none."""
    table = UNITS[generation]
    prompt = TOOL_PROMPTS.get(base_name(model)) if model else None
    auto, forced = prompt or _UNDOCUMENTED[generation]
    spread = table["tools"].spread if prompt else _UNDOCUMENTED_SPREAD
    thinking = table["thinking config"]
    if model and base_name(model) in ("claude-opus-4-6", "claude-sonnet-4-6"):
        thinking = replace(thinking, tokens=17, spread=14)  # adaptive; "enabled" costs 29 there too
    return {
        **table,
        "tools": Cost(tokens=auto, spread=spread),
        "forced tools": Cost(tokens=forced - auto, spread=table["forced tools"].spread),
        "thinking config": thinking,
    }
