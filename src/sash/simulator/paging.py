"""Pages of a list, as the API gives them: `limit` (1 to 1000, 20 by default), `after_id`, `before_id`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sash.simulator.calls import Denied
from sash.simulator.shapes import Problem

T = TypeVar("T")
MOST = 1_000


def page(
    things: Sequence[T], query: Mapping[str, str], *, id_of: Callable[[T], str], body_of: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """One page. Raises Denied for a limit that is none."""
    limit, ids = limit_in(query), [id_of(thing) for thing in things]
    start, stop = 0, len(things)
    if query.get("after_id") in ids:
        start = ids.index(query["after_id"]) + 1
    if query.get("before_id") in ids:
        stop = ids.index(query["before_id"])
        start = max(start, stop - limit)
    shown = things[start : min(stop, start + limit)]
    return {
        "data": [body_of(thing) for thing in shown],
        "has_more": start + limit < stop if "before_id" not in query else start > 0,
        "first_id": id_of(shown[0]) if shown else None,
        "last_id": id_of(shown[-1]) if shown else None,
    }


def limit_in(query: Mapping[str, str]) -> int:
    """How many things a page holds. Raises Denied."""
    limit = whole_in(query.get("limit") or "20", least=1, most=MOST)
    if limit is None:
        raise Denied(Problem(rule="option", message=f"limit: Input should be a valid integer from 1 to {MOST}"))
    return limit


def whole_in(text: str, *, least: int, most: int) -> int | None:
    """The whole number that a text is, within bounds; None for anything else, however long."""
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    return int(text) if digits and least <= int(text) <= most else None
