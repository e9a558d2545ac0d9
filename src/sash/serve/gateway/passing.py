"""Calls that name no conversation: passed on as they are, within the server's limits, memo and meter."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sash.claude import raw
from sash.conversation.workers import worker
from sash.errors import SashError
from sash.limits.context import MESSAGES, forecasting
from sash.limits.sizes import most_tokens
from sash.model.forecast import Forecast, user_of
from sash.serve.gateway.addressed import Destination, card_of
from sash.serve.gateway.errors import told_of
from sash.serve.gateway.events import sse
from sash.serve.gateway.shapes import AnswerShape, OpenAIs
from sash.serve.passing import Passing

ASKED = ("anthropic-beta", "anthropic-version")
"""What goes along of a call's headers."""
TOLD = ("content-type", "request-id", "x-sash-memo", "anthropic-workspace-id", "anthropic-organization-id")
"""What comes along of an answer's; with all about limits."""
LIMITS = "anthropic-ratelimit-"


async def pass_on(
    passing: Passing, request: Request, address: Destination, body: Mapping[str, Any], shape: AnswerShape
) -> Response:
    """Pass on a call, streamed where it asks for that."""
    client, stream = await passing.client(address.chosen.key), body.get("stream") is True
    translates = isinstance(shape, OpenAIs)
    with forecasting(await worker(partial(forecast_of, body, address))):
        path = MESSAGES if translates else request.url.path
        answer = await raw.post(client, path, body, asked(request), stream=stream)
    headers = told(answer.headers)
    if stream:
        sent = _sent(answer)
        return StreamingResponse(_translated(sent, shape) if translates else sent, answer.status, headers)
    content = await answer.read()
    return Response(shape.whole(json.loads(content)) if translates else content, answer.status, headers)


async def look_up(passing: Passing, request: Request, path: str, key: str | None) -> raw.RawAnswer:
    """Pass on a question about models."""
    return await raw.get(await passing.client(key), path, request.query_params, asked(request))


def forecast_of(body: Mapping[str, Any], address: Destination) -> Forecast | None:
    """What limits and ceilings reserve for a call, and whose memo it may be answered from; None for no real call."""
    most = body.get("max_tokens")
    if not isinstance(body.get("messages"), list) or isinstance(most, bool) or not isinstance(most, int):
        return None
    prompt = most_tokens(body)
    return Forecast(
        countable=prompt,
        prompt=prompt,
        output=most,
        card=card_of(body),
        namespace=address.namespace,
        user=user_of(body) or address.chosen.user or "",
    )


def asked(request: Request) -> dict[str, str]:
    """The headers that are passed on."""
    return {name: request.headers[name] for name in ASKED if name in request.headers}


def told(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that come back."""
    return {name: value for name, value in headers.items() if name.lower() in TOLD or name.lower().startswith(LIMITS)}


async def _translated(sent: AsyncIterator[bytes], shape: AnswerShape) -> AsyncIterator[bytes]:
    """The events of a stream of bytes, in another shape."""
    left = b""
    async for piece in sent:
        *events, left = (left + piece).split(b"\n\n")
        for event in events:
            data = next((line[5:] for line in event.split(b"\n") if line.startswith(b"data:")), None)
            if data:
                yield shape.piece(json.loads(data))


async def _sent(answer: raw.RawAnswer) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.pieces():
            yield piece
    except SashError as error:
        yield sse(told_of(error).body(""))
