"""Recorded results of tools, read again: whole, in part, or the places in one that hold some words."""

from __future__ import annotations

from typing import Any

from sash.errors import InvalidOption, NotFound
from sash.flows.context import Context
from sash.model.blocks import readable
from sash.model.fitting import check_whole
from sash.recall.passages import passages

PAGE = 200
"""Turns read at once."""


def recorded_result(chat: Context, call: str) -> Any:
    """The content of the newest recorded result of a tool call, whole, by the call's id. Raises NotFound."""
    head = chat.store.branches.head(chat.conversation)
    for last in range(head.seq, 0, -PAGE):
        first = max(0, last - PAGE)
        page = chat.store.turns.read(chat.conversation, after=first, limit=last - first)
        for turn in reversed(page):
            for block in turn.recorded if turn.role == "user" and not turn.plain else ():
                if block.get("tool_use_id") == call:
                    return block.get("content", "")
    raise NotFound(f"no result of a tool call {call!r} is recorded", kind="tool result", key=call)


def part_of(call: str, content: Any, start: int, end: int | None) -> Any:
    """A result whole, as it was recorded, or the characters from `start` to `end` of its text.

    Raises InvalidOption for a range that holds none of it.
    """
    check_whole("start", start, least=0, of="characters")
    if end is not None:
        check_whole("end", end, least=1, of="characters")
    if start == 0 and end is None:
        return content
    text = _text(content)
    if start >= len(text) or (end is not None and end <= start):
        raise InvalidOption(
            f"start={start}, end={end}: the result of {call!r} has {len(text):,} characters; give a range within them",
            option="start" if start >= len(text) else "end",
            value=start if start >= len(text) else end,
        )
    return text[start:end]


def places_in(call: str, content: Any, query: str) -> str:
    """The passages of a result that hold words of `query`, each with where it stands. Raises InvalidOption."""
    if not query.strip():
        raise InvalidOption(f"query={query!r}: give words to look for", option="query", value=query)
    text = _text(content)
    found = passages(text, query)
    if not found:
        return f"Nothing in the result of {call} ({len(text):,} characters) holds these words."
    return "\n\n".join(f"[characters {one.start} to {one.end} of {len(text)}]\n{one.text}" for one in found)


def _text(content: Any) -> str:
    return readable([{"type": "tool_result", "content": content}])
