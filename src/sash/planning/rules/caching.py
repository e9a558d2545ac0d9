"""Rules about `cache_control` markers: how many, where, with which lifetime, in which order.

Source: the "Prompt caching" documentation. Whether a marker is worth its price is not judged here, nor
whether the prefix before it reaches the model's minimum (below it nothing is cached, and nothing refused).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sash.model.cards import TTL_SECONDS
from sash.planning.rules.body import Body, Finding, Mark, Spot, as_mapping, items

MAX_MARKERS = 4

UNMARKABLE = ("thinking", "redacted_thinking")

MARKABLE = frozenset(
    {
        *("text", "image", "document", "search_result", "tool_use", "tool_result", "server_tool_use", "mcp_tool_use"),
        *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "mcp_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
        *("advisor_tool_result", "container_upload", "tool_reference", "browser_state"),
        *("compaction", "tool_addition", "tool_removal"),
    }
)
"""Block types documented (or typed in the SDK) to take a marker."""


def markable(block: Mapping[str, Any]) -> bool:
    """Whether a block may carry `cache_control`; False for types this version does not know (the cautious side)."""
    return block.get("type") in MARKABLE and not blank(block)


def markable_tool(tool: Mapping[str, Any]) -> bool:
    """Whether a tool definition may carry `cache_control`: deferred ones are not in the cached prefix."""
    return tool.get("defer_loading") is not True


def blank(block: Mapping[str, Any]) -> bool:
    """Whether it is a text block without text."""
    return block.get("type") == "text" and not block.get("text")


def automatic(body: Body) -> Mark | None:
    """The top-level marker."""
    control = body.params.get("cache_control")
    return Mark("cache_control", None, control) if control is not None else None


def landing(body: Body) -> Spot | None:
    """Where the server puts the automatic marker: the last block that can carry one."""
    blocks = [spot for message in body.messages for spot in message.spots]
    return next((spot for spot in reversed([*body.tools, *body.system, *blocks]) if _eligible(spot)), None)


def _eligible(spot: Spot) -> bool:
    return spot.kind not in UNMARKABLE and not blank(spot.block) and markable_tool(spot.block)


def marker_count(body: Body) -> Iterator[Finding]:
    """At most four breakpoints; the automatic one takes a slot unless its block is marked already."""
    marks, target = body.marks, landing(body) if automatic(body) else None
    count = len(marks) + (target is not None and target.block.get("cache_control") is None)
    if count > MAX_MARKERS:
        extra = marks[MAX_MARKERS].path if len(marks) > MAX_MARKERS else "cache_control"
        yield extra, f"{count} cache markers, the automatic one included; at most {MAX_MARKERS} are allowed: drop some"


def marker_value(body: Body) -> Iterator[Finding]:
    """`{"type": "ephemeral", "ttl": "5m" | "1h"}` is the only form."""
    for mark in _all(body):
        control = as_mapping(mark.control)
        if control is None or control.get("type") != "ephemeral":
            yield mark.path, f'cache_control is {{"type": "ephemeral"}} with an optional ttl, not {mark.control!r:.60}'
        elif mark.ttl not in list(TTL_SECONDS):
            yield mark.path, f"cache_control ttl is {' or '.join(TTL_SECONDS)}, not {mark.ttl!r}"


def marker_ttl_order(body: Body) -> Iterator[Finding]:
    """Longer lifetimes come first in the render order tools, system, messages."""
    short: Mark | None = None
    for mark in _all(body):
        ttl = mark.ttl
        if ttl == "1h" and short is not None:
            yield mark.path, f"a 1h marker after the 5m marker at {short.path}; put 1h markers before all 5m ones"
        if ttl == "5m":
            short = short or mark


def marker_clash(body: Body) -> Iterator[Finding]:
    """An automatic marker that lands on a marked block must have the same lifetime."""
    mark = automatic(body)
    target = landing(body) if mark else None
    if mark is None or target is None or target.block.get("cache_control") is None:
        return
    there = Mark(target.path, target, target.block["cache_control"])
    if there.ttl != mark.ttl:
        yield "cache_control", f"automatic caching for {mark.ttl} meets a {there.ttl} marker at {target.path}; drop one"


def marker_on_thinking(body: Body) -> Iterator[Finding]:
    """Thinking is cached with what stands around it; it takes no marker of its own."""
    for mark in body.marks:
        if mark.spot and mark.spot.kind in UNMARKABLE:
            yield mark.path, f"cache_control on a {mark.spot.kind} block; mark the block before or after it"


def marker_on_empty_text(body: Body) -> Iterator[Finding]:
    """Nor does an empty text block."""
    for mark in body.marks:
        if mark.spot and blank(mark.spot.block):
            yield mark.path, "cache_control on an empty text block; drop the block and mark the one before it"


def marker_on_deferred_tool(body: Body) -> Iterator[Finding]:
    """A deferred tool stands outside the cached prefix ("Tool search")."""
    for spot in body.tools:
        if spot.block.get("cache_control") is not None and not markable_tool(spot.block):
            yield spot.path, "cache_control on a tool with defer_loading; mark the last tool that is not deferred"


def marker_on_sub_block(body: Body) -> Iterator[Finding]:
    """Parts of a block, such as citations, are marked through the block that holds them."""
    for spot in body.cited:
        for index, part in enumerate(items(spot.block.get("citations"))):
            if (as_mapping(part) or {}).get("cache_control") is not None:
                yield f"{spot.path}.citations.{index}", "cache_control on a citation; mark the block that holds it"


def _all(body: Body) -> tuple[Mark, ...]:
    last = automatic(body)
    return (*body.marks, last) if last else body.marks


RULES = {
    "marker-count": marker_count,
    "marker-value": marker_value,
    "marker-ttl-order": marker_ttl_order,
    "marker-clash": marker_clash,
    "marker-on-thinking": marker_on_thinking,
    "marker-on-empty-text": marker_on_empty_text,
    "marker-on-deferred-tool": marker_on_deferred_tool,
    "marker-on-sub-block": marker_on_sub_block,
}
