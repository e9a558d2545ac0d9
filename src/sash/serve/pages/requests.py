"""A request: its exact body, what differs from the one before, why each part is in, what it was to cost and did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sash.errors import NotFound
from sash.flows.history.branch import PastRequest, past_request_of
from sash.inspect.difference import differences
from sash.inspect.rendering import pretty
from sash.inspect.window import WindowPart, window_parts
from sash.model.blocks import dumps
from sash.model.summaries import SummaryRecord
from sash.planning.explain import PLACES, sentence
from sash.serve.serving import namespace_of, serving_of
from sash.stores.store import DatabaseStore

SHOWN = 100_000
"""Characters of a body that the page shows; the whole of it has an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerLine:
    """A cache marker, in words."""

    what: str
    ttl: str
    where: str


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
        reason=sentence(str(past.request.why.get("reason", ""))),
        parts=_parts(serving.store, key, past, before),
        changes=differences(before, past) if before else [],
        before=before,
        last=serving.store.branches.head(key).requests,
        markers=_markers(past),
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


def _parts(store: DatabaseStore, key: int, past: PastRequest, before: PastRequest | None) -> list[WindowPart]:
    known = store.index.read(key, seqs=[turn.seq for turn in past.turns], model=past.request.sent.model)
    counts = {turn.seq: count for turn, count in known if count is not None}
    used, cached = past.request.usage, 0
    if used is not None and used.read:
        cached = before.request.sent.last if before and before.epoch.id == past.epoch.id else 1
    sized = store.windows.read(key, model=past.request.sent.model, preamble=past.epoch.preamble)
    return window_parts(past.epoch, past.turns, counts, sized.preamble_count, cached)


def _markers(past: PastRequest) -> list[MarkerLine]:
    return [
        MarkerLine(
            what=PLACES.get(marker.role, marker.role),
            ttl=marker.ttl,
            where=f"turn {marker.seq}" if marker.place == "turn" else marker.place,
        )
        for marker in past.request.sent.markers
    ]


def _summary(store: DatabaseStore, key: int, past: PastRequest) -> SummaryRecord | None:
    """The summary in front, with what it was made of."""
    sent = past.epoch.summary
    found: Any = store.summaries.read(key) if sent else ()
    return next((one for one in found if sent and one.id == sent.id), None)
