"""The same for programs: JSON under `/api`, described by an OpenAPI document that the schemas themselves make."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sash.serve.api import conversations, looking, people, talking
from sash.serve.api.openapi import document
from sash.serve.serving import serving_of

ENDPOINTS = (*conversations.ENDPOINTS, *talking.ENDPOINTS, *looking.ENDPOINTS, *people.ENDPOINTS)


def description(request: Request) -> Response:
    """The OpenAPI document."""
    del request
    return JSONResponse(document(ENDPOINTS))


def docs(request: Request) -> Response:
    """The same for people."""
    return serving_of(request).page(request, "api.html", api=document(ENDPOINTS))


ROUTES: tuple[BaseRoute, ...] = (
    Route("/api/openapi.json", description),
    Route("/api/docs", docs),
    *(one.route() for one in ENDPOINTS),
)
