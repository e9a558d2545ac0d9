"""Rules about the content of tool results: which blocks may stand there, and with which fields.

Source: the Messages API reference (`ToolResultBlockParam`). A result is made by functions and servers that know
other formats (MCP, OpenAI), and it is sent again with every later request: what is wrong in it stays wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sash.planning.rules.body import Body, Finding, about, as_mapping

_MARK = "cache_control"
FIELDS: Mapping[str, frozenset[str] | None] = {
    "text": frozenset({"type", "text", "citations", _MARK}),
    "image": frozenset({"type", "source", "transformations", _MARK}),
    "document": frozenset({"type", "source", "title", "context", "citations", _MARK}),
    "search_result": frozenset({"type", "source", "title", "content", "citations", _MARK}),
    "tool_reference": frozenset({"type", "tool_name", _MARK}),
    "browser_state": None,
}
"""What may stand in a result, by type, and its fields (None: any)."""


@about("tool_result")
def tool_result_content(body: Body) -> Iterator[Finding]:
    """A result is text, or blocks that may stand in one; with betas, others pass."""
    for run in body.runs:
        for spot in run.of("tool_result") if run.role == "user" else ():
            content = spot.block.get("content")
            if isinstance(content, list | tuple):
                for index, part in enumerate(content):
                    yield from _part(part, f"{spot.path}.content.{index}", lenient=bool(body.betas))
            elif content is not None and not isinstance(content, str):
                yield spot.path, f"a tool result's content is text or a list of blocks, not {content!r:.60}"


def _part(part: Any, path: str, *, lenient: bool) -> Iterator[Finding]:
    fields = as_mapping(part)
    kind = None if fields is None else fields.get("type")
    if fields is None or not isinstance(kind, str):
        yield path, f"a tool result holds blocks with a 'type', not {part!r:.60}"
    elif kind not in FIELDS:
        if not lenient:
            yield path, f"a {kind!r:.40} block in a tool result; it takes {', '.join(FIELDS)}"
    elif (known := FIELDS[kind]) is not None and (more := sorted(set(map(str, fields)) - known)):
        yield path, f"a {kind} block in a tool result takes no {', '.join(more)}; leave it out"


RULES = {"tool-result-content": tool_result_content}
