"""What people see: every page, and the forms on them. Each form answers with the page where it stands."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from sash.serve.pages import access, conversation, conversations

ONE = "/c/{id:name}"

ROUTES: tuple[BaseRoute, ...] = (
    Route("/", conversations.listing),
    Route("/new", conversations.begin, methods=["POST"]),
    Route("/login", access.login, methods=["GET", "POST"]),
    Route("/logout", access.logout, methods=["POST"]),
    Route("/static/{file}", access.static),
    Route(ONE, conversation.conversation),
    Route(f"{ONE}/fork", conversation.fork, methods=["POST"]),
    Route(f"{ONE}/pin", conversation.pin, methods=["POST"]),
    Route(f"{ONE}/branch", conversation.branch, methods=["POST"]),
    Route(f"{ONE}/settings", conversation.settings),
    Route(f"{ONE}/settings", conversation.describe, methods=["POST"]),
    Route(f"{ONE}/delete", conversation.delete, methods=["POST"]),
    Route(f"{ONE}/turns/{{turn:int}}", conversation.turn),
    Route(f"{ONE}/turns/{{turn:int}}/pictures/{{at:int}}", conversation.picture),
)
