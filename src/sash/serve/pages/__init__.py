"""What people see: every page, and the forms on them. Each form answers with the page where it stands."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from sash.serve.pages import access, conversations

ROUTES: tuple[BaseRoute, ...] = (
    Route("/", conversations.listing),
    Route("/new", conversations.begin, methods=["POST"]),
    Route("/login", access.login, methods=["GET", "POST"]),
    Route("/logout", access.logout, methods=["POST"]),
    Route("/static/{file}", access.static),
)
