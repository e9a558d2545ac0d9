"""The list of conversations: newest first, found by what was said, filtered."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sash.model.cards import TABLE
from sash.serve.addresses import segment
from sash.serve.asking import ListQuery, address, conversation_at, cursor_of, query_of
from sash.serve.serving import namespace_of, serving_of


class PageQuery(ListQuery):
    """The same on the page, where words may be looked for."""

    q: str | None = None


def listing(request: Request) -> Response:
    """A page of the list, or what a search found."""
    serving, asked = serving_of(request), query_of(request, PageQuery)
    namespace, values = namespace_of(request), dict[str, Any](hits=[], found=[], next="", first="")
    if asked.q:
        values["hits"] = serving.store.search(asked.q, namespace=namespace, user=asked.user, limit=asked.limit)
    else:
        more = serving.store.conversations(
            namespace=namespace, limit=asked.limit + 1, before=conversation_at(asked.before), **asked.filters
        )
        found = more[: asked.limit]
        goes_on = cursor_of(found[-1]) if len(more) > len(found) else ""
        values.update(
            found=found,
            first=address("/", **asked.filters),
            next=goes_on and address("/", **asked.filters, before=goes_on),
        )
    return serving.page(
        request, "conversations.html", asked=asked, filtered=bool(asked.filters), models=sorted(TABLE), **values
    )


async def begin(request: Request) -> Response:
    """The page of a conversation that nobody has said anything in."""
    del request
    return RedirectResponse(f"/c/{segment(uuid.uuid4().hex[:12])}?new=1", 303)
