"""Pages of a list, as the API gives them: `limit` (1 to 1000, 20 by default), `after_id`, `before_id`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sash.simulator.calls import Denied
from sash.simulator.shapes import Problem

T = TypeVar("T")
MOST = 1_000
DIGITS = 4


def page(
    things: Sequence[T], query: Mapping[str, str], *, id_of: Callable[[T], str], body_of: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """One page. Raises Denied for a limit that is none."""
    asked = query.get("limit") or "20"
    if not (asked.isascii() and asked.isdigit()) or len(asked) > DIGITS or not 1 <= int(asked) <= MOST:
        raise Denied(Problem(rule="option", message=f"limit: Input should be a valid integer from 1 to {MOST}"))
    limit, ids = int(asked), [id_of(thing) for thing in things]
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
