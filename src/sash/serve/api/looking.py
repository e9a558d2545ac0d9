"""Requests that were sent, what was said, what was spent."""

from __future__ import annotations

import time

from sash.flows.history.branch import past_request_of
from sash.serve.api.endpoints import Endpoint, EndpointCall
from sash.serve.api.schemas import (
    CeilingList,
    CeilingOut,
    HitOut,
    RequestList,
    RequestOut,
    RequestRow,
    RequestsQuery,
    SearchOut,
    SearchQuery,
    UsageLine,
    UsageOut,
    UsageQuery,
)
from sash.serve.spending import ceilings_in_use

ONE = "/api/conversations/{id:name}"


def requests(call: EndpointCall) -> RequestList:
    """A page of them."""
    asked: RequestsQuery = call.query
    found = call.store.requests.page(call.conversation(), limit=asked.limit, before=asked.before)
    return RequestList(requests=[RequestRow.of(request) for request in found])


def request(call: EndpointCall) -> RequestOut:
    """One of them, rebuilt from the record."""
    past = past_request_of(call.store, call.conversation(), call.path["number"])
    row = RequestRow.of(past.request).model_dump()
    return RequestOut(**row, body=dict(past.body), betas=list(past.betas), intact=past.intact)


def search(call: EndpointCall) -> SearchOut:
    """Turns that hold all words."""
    asked: SearchQuery = call.query
    found = call.store.search(
        asked.q, namespace=call.namespace, user=asked.user, conversation=asked.conversation, limit=asked.limit
    )
    return SearchOut(hits=[HitOut.of(hit) for hit in found])


def usage(call: EndpointCall) -> UsageOut:
    """Sums over answered requests."""
    asked: UsageQuery = call.query
    names = [name.strip() for name in asked.by.split(",") if name.strip()]
    rows = call.store.usage(by=names, namespace=call.namespace, user=asked.user, conversation=asked.conversation)
    return UsageOut(usage=[UsageLine.of(names, row) for row in rows])


def ceilings(call: EndpointCall) -> CeilingList:
    """How full they are now."""
    found = ceilings_in_use(call.store, call.serving.settings, call.namespace, time.time())
    return CeilingList(ceilings=[CeilingOut.of(use) for use in found])


ENDPOINTS = (
    Endpoint(
        method="GET", path=f"{ONE}/requests", handler=requests, summary="What was sent, the newest first",
        query=RequestsQuery, answer=RequestList,
    ),
    Endpoint(
        method="GET", path=f"{ONE}/requests/{{number:number}}", handler=request,
        summary="A request, its exact body rebuilt", answer=RequestOut,
    ),
    Endpoint(
        method="GET", path="/api/search", handler=search, summary="Look for words in everything said",
        query=SearchQuery, answer=SearchOut,
    ),
    Endpoint(
        method="GET", path="/api/usage", handler=usage, summary="Tokens and dollars", query=UsageQuery,
        answer=UsageOut,
    ),
    Endpoint(
        method="GET", path="/api/ceilings", handler=ceilings, summary="What is spent of the server's ceilings",
        answer=CeilingList,
    ),
)  # fmt: skip
