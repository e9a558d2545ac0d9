"""What answers as Claude does: `/v1/messages` and its neighbours, for any client whose base URL names this server.

A call whose headers name a conversation (`addressed.py`) is held against its record (`known.py`, `bodies.py`), what is
new is said in it (`saying.py`), and the reply goes out in the API's form (`events.py`, `errors.py`). Any other call is
passed on as it is (`passing.py`). `chat.py` and `shapes.py` are for clients of OpenAI's chat completions.
"""

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
