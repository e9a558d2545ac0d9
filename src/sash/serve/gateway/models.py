"""`/v1/models`: what Claude says of its models, with the fields that OpenAI's clients look for beside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sash.serve.addresses import segment
from sash.serve.gateway.addressed import key_of
from sash.serve.gateway.events import as_json
from sash.serve.gateway.passing import look_up, told
from sash.serve.serving import serving_of

MODELS = "/v1/models"


async def models(request: Request) -> Response:
    """The list, or one of them."""
    serving = serving_of(request)
    key = key_of(request.headers, serving.settings.tokens)
    answer = await look_up(serving.passing, request, _path(request.path_params.get("id")), key)
    found = json.loads(await answer.read())
    if "anthropic-version" not in request.headers:
        found = for_openai(found)
    return Response(as_json(found), answer.status, told(answer.headers))


def _path(id: str | None) -> str:
    """Where Claude tells of a model, and of nothing else. Raises HTTPException 404 for what leads elsewhere."""
    if id is None:
        return MODELS
    if id in (".", ".."):
        raise HTTPException(404, f"model: {id} is none")
    return f"{MODELS}/{segment(id)}"


def for_openai(found: Mapping[str, Any]) -> dict[str, Any]:
    """A model, or a list of them, as either API's clients read it."""
    if isinstance(found.get("data"), list):
        return {**found, "object": "list", "data": [for_openai(one) for one in found["data"]]}
    return {**found, "object": "model", "created": _seconds(found.get("created_at")), "owned_by": "anthropic"}


def _seconds(moment: Any) -> int:
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp())
    except ValueError:
        return 0
