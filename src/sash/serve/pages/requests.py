"""A request: its exact body, what differs from the one before, why each part is in, what it was to cost and did."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sash.errors import NotFound
from sash.flows.history.branch import PastRequest, past_request_of
from sash.inspect.difference import differences
from sash.inspect.rendering import pretty
from sash.inspect.window import marker_lines, past_parts
from sash.model.blocks import dumps
from sash.model.summaries import SummaryRecord
from sash.serve.serving import namespace_of, serving_of
from sash.stores.store import DatabaseStore

SHOWN = 100_000
"""Characters of a body that the page shows; the whole of it has an address."""


def request(request: Request) -> Response:
    """The page."""
    serving, id, number = serving_of(request), request.path_params["id"], request.path_params["number"]
    key, past = _past(request)
    before = _before(serving.store, key, number)
    body = pretty(past.body)
    return serving.page(
        request,
        "request.html",
        id=id,
        past=past,
        one=past.request,
        why=past.request.why,
        parts=past_parts(past),
        changes=differences(before, past) if before else [],
        before=before,
        last=serving.store.branches.head(key).requests,
        markers=marker_lines(past.request.sent.markers),
        recalled=[turn for turn in past.turns if turn.attachment and past.epoch.shows(turn)],
        summary=_summary(serving.store, key, past),
        body=body[:SHOWN],
        left=max(0, len(body) - SHOWN),
    )


def body(request: Request) -> Response:
    """The body as it was sent, byte for byte."""
    _, past = _past(request)
    return Response(dumps(past.body), media_type="application/json")


def _past(request: Request) -> tuple[int, PastRequest]:
    store = serving_of(request).store
    head = store.branches.open(namespace=namespace_of(request), id=request.path_params["id"], create=False)
    return head.conversation, past_request_of(store, head.conversation, request.path_params["number"])


def _before(store: DatabaseStore, key: int, number: int) -> PastRequest | None:
    """The request before; None for the first."""
    try:
        return past_request_of(store, key, number - 1) if number > 1 else None
    except NotFound:  # deleted with what it shared
        return None


def _summary(store: DatabaseStore, key: int, past: PastRequest) -> SummaryRecord | None:
    """The summary in front, with what it was made of."""
    sent = past.epoch.summary
    found: Any = store.summaries.read(key) if sent else ()
    return next((one for one in found if sent and one.id == sent.id), None)
