"""Where the gateway answers."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from sash.serve.gateway.messages import chat_completions, count_tokens, messages
from sash.serve.gateway.models import models

ROUTES: tuple[BaseRoute, ...] = (
    Route("/v1/messages", messages, methods=["POST"]),
    Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
    Route("/v1/chat/completions", chat_completions, methods=["POST"]),
    Route("/v1/models", models),
    Route("/v1/models/{id:name}", models),
)
