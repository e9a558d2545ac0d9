"""`POST /v1/messages`: as Claude answers, with the memory of the conversation that a header names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sash.errors import SashError
from sash.model.replies import Reply
from sash.serve.gateway.addressed import Destination, address_of, encoded
from sash.serve.gateway.bodies import body_of, messages_of, new_of, options_of
from sash.serve.gateway.chat import call_of, wants_usage
from sash.serve.gateway.errors import refused, told_by_status, told_of
from sash.serve.gateway.events import as_json, facts_of, message_of
from sash.serve.gateway.known import rest
from sash.serve.gateway.passing import pass_on
from sash.serve.gateway.saying import placed, saying
from sash.serve.gateway.shapes import AnswerShape, Anthropics, OpenAIs
from sash.serve.replies import COMMENT, QUIET, Event, Tell
from sash.serve.serving import Serving, namespace_of, serving_of

JSON = "application/json"
STREAM = {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
ENDED = "the reply was stopped; what had come is recorded as interrupted"
FAILED = "failed"
"""The name under which a reply under way tells that it failed."""


async def messages(request: Request) -> Response:
    """Answer a call of the Messages API."""
    body = await body_of(request)
    return await _answer(request, body, Anthropics())


async def chat_completions(request: Request) -> Response:
    """Answer a call of OpenAI's chat completions."""
    body = await body_of(request)
    return await _answer(request, call_of(body), OpenAIs(usage=wants_usage(body)))


async def _answer(request: Request, body: Mapping[str, Any], shape: AnswerShape) -> Response:
    serving = serving_of(request)
    address = address_of(request.headers, body, namespace_of(request), serving.settings.tokens)
    if address.conversation is None:
        return await pass_on(serving.passing, request, address, body, shape)
    if body.get("stream"):
        return await _stream(serving, address, body, request.url.path, shape)
    async with saying(serving, address, body) as said:
        reply = await said.reply()
    return Response(shape.whole(message_of(reply)), 200, headers_of(said.chat.id, reply), JSON)


def headers_of(conversation: str, reply: Reply | None = None) -> dict[str, str]:
    """What the answer's headers say."""
    told = {"x-sash-conversation": encoded(conversation)}
    for name, value in (facts_of(reply) if reply else {}).items():
        told[f"x-sash-{name}"] = encoded(str("" if value is None else value))
    return told


async def count_tokens(request: Request) -> Response:
    """The prompt tokens of the request that a call would make: of what would be sent, not of the list."""
    serving, body = serving_of(request), await body_of(request)
    address = address_of(request.headers, body, namespace_of(request), serving.settings.tokens)
    if address.conversation is None:
        return await pass_on(serving.passing, request, address, body, Anthropics())
    messages, options = messages_of(body), options_of(body, address.betas, address.version)
    async with placed(serving, address, messages) as (chat, found):
        new = new_of(rest(messages, found.place))
        asked = new.question or None  # None: what waits for its reply is in the record already
        counted = await chat.count(asked, exact=asked is not None, **options)
    return Response(as_json({"input_tokens": counted.tokens}), 200, headers_of(chat.id), JSON)


async def _stream(
    serving: Serving, address: Destination, body: Mapping[str, Any], path: str, shape: AnswerShape
) -> Response:
    """A stream; what fails before its first event is told by the status."""

    async def work(tell: Tell) -> None:
        try:
            async with saying(serving, address, body) as said:
                await tell("conversation", {"id": said.chat.id})
                async for event in said.events():
                    await tell(event["type"], event)
        except SashError as error:
            await tell(FAILED, {"told": told_of(error)})

    assert address.conversation is not None
    events = serving.replies.events(address.namespace, address.conversation, work)
    conversation = address.conversation
    async for name, facts in events:
        if name == FAILED:
            return refused(facts["told"], path)
        if name == "conversation":
            conversation = facts["id"]
        elif name not in ("start", QUIET):
            return StreamingResponse(_sent(facts, events, shape), 200, {**headers_of(conversation), **STREAM})
    return refused(told_by_status(503, ENDED), path)


async def _sent(first: Mapping[str, Any], events: AsyncIterator[Event], shape: AnswerShape) -> AsyncIterator[bytes]:
    """The bytes of a stream; one that ends too soon says so."""
    last = first
    yield shape.piece(first)
    async for name, facts in events:
        if name == QUIET:
            yield COMMENT.encode()
            continue
        last = facts["told"].body("") if name == FAILED else facts
        yield shape.piece(last)
    if last["type"] not in ("message_stop", "error"):
        yield shape.piece(told_by_status(503, ENDED).body(""))
