"""What people see: every page, and the forms on them. Each form answers with the page where it stands."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from sash.serve.pages import access, conversation, conversations, memory, requests, strategies, usage

ONE = "/c/{id:name}"
USER = "/memory/{user:name}"

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
    Route(f"{ONE}/requests/{{number:number}}", requests.request),
    Route(f"{ONE}/requests/{{number:number}}/body.json", requests.body),
    Route(f"{ONE}/strategies", strategies.strategies),
    Route("/usage", usage.usage),
    Route("/memory", memory.users),
    Route(USER, memory.user),
    Route(f"{USER}/keep", memory.keep, methods=["POST"]),
    Route(f"{USER}/remove", memory.remove, methods=["POST"]),
    Route(f"{USER}/files", memory.write, methods=["POST"]),
    Route(f"{USER}/versions", memory.versions),
    Route(f"{USER}/forget", memory.forget, methods=["POST"]),
    Route(f"{ONE}/turns/{{turn:number}}", conversation.turn),
    Route(f"{ONE}/turns/{{turn:number}}/redact", conversation.redact, methods=["POST"]),
    Route(f"{ONE}/turns/{{turn:number}}/pictures/{{at:number}}", conversation.picture),
)
