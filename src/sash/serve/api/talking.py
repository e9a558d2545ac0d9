"""Planning, sending, retrying, editing: replies as server-sent events, or whole.

Events: `start` (the reply's own name, for `stop`), `text` and `thinking` as they come, then `done` with the reply as
recorded, or `error`. A client that leaves stops the reply: what had come is recorded as interrupted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from sash.conversation import AsyncConversation
from sash.conversation.streaming import AsyncReplyStream
from sash.errors import SashError
from sash.inspect.window import planned_parts
from sash.serve.api.endpoints import Endpoint, EndpointCall, event_stream
from sash.serve.api.schemas import (
    EditRequest,
    PlanOut,
    PlanRequest,
    ReplyOut,
    SendRequest,
    StoppedOut,
    StopRequest,
    TalkRequest,
)
from sash.serve.errors import as_json
from sash.serve.replies import Event, Tell

ONE = "/api/conversations/{id:name}"
Start = Callable[[AsyncConversation], AsyncReplyStream]


async def plan(call: EndpointCall) -> PlanOut:
    """What would be sent: nothing is."""
    asked: PlanRequest = call.body
    async with call.serving.talks.looking(call.namespace, call.id, asked.chosen) as chat:
        planned = await chat.plan(asked.said(), **asked.options)
        return PlanOut.of(planned, planned_parts(planned))


async def send(call: EndpointCall) -> Any:
    """Say something."""
    asked: SendRequest = call.body
    said, options = asked.said(), {**asked.options, "token": asked.token}
    if asked.stream:
        return event_stream(streamed(call, asked, lambda chat: chat.stream(said, **options)))
    async with call.serving.talks.talking(call.namespace, call.id, asked.chosen) as chat:
        return ReplyOut.of(await chat.send(said, **options))


async def edit(call: EndpointCall) -> Any:
    """Say something else in the place of a user turn."""
    asked: EditRequest = call.body
    said = asked.said()
    return event_stream(streamed(call, asked, lambda chat: chat.stream_edit(asked.turn, said, **asked.options)))


async def retry(call: EndpointCall) -> Any:
    """Send what is pending again."""
    asked: TalkRequest = call.body
    return event_stream(streamed(call, asked, lambda chat: chat.stream_retry(**asked.options)))


async def regenerate(call: EndpointCall) -> Any:
    """Ask the newest question again."""
    asked: TalkRequest = call.body
    return event_stream(streamed(call, asked, lambda chat: chat.stream_regenerate(**asked.options)))


async def stop(call: EndpointCall) -> StoppedOut:
    """Stop replies under way, whichever tab they run in."""
    asked: StopRequest = call.body
    return StoppedOut(stopped=call.serving.replies.stop(call.namespace, call.id, asked.reply))


def streamed(call: EndpointCall, asked: TalkRequest, start: Start) -> AsyncIterator[Event]:
    """The events of a reply."""

    async def work(tell: Tell) -> None:
        try:
            async with (
                call.serving.talks.talking(call.namespace, call.id, asked.chosen) as chat,
                start(chat) as stream,
            ):
                async for event in stream.events():
                    await _tell_piece(event, tell)
            await tell("done", ReplyOut.of(stream.reply).model_dump(mode="json"))
        except SashError as error:
            await tell("error", {**as_json(error), "state": error.facts.get("state")})

    return call.serving.replies.events(call.namespace, call.id, work)


async def _tell_piece(event: Any, tell: Tell) -> None:
    kind = getattr(event, "type", "")
    if kind == "text":
        await tell("text", {"text": event.text})
    elif kind == "thinking":
        await tell("thinking", {"text": event.thinking})


ENDPOINTS = (
    Endpoint(
        method="POST", path=f"{ONE}/plan", handler=plan, summary="What would the next request hold? Sends nothing",
        body=PlanRequest, answer=PlanOut,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/send", handler=send, summary="Say something; the conversation begins with it",
        body=SendRequest, answer=ReplyOut, streams=True,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/edit", handler=edit, summary="Say something else in the place of a user turn",
        body=EditRequest, answer=ReplyOut, streams=True,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/retry", handler=retry, summary="Send a turn that got no answer again",
        body=TalkRequest, answer=ReplyOut, streams=True,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/regenerate", handler=regenerate, summary="Ask the newest question again",
        body=TalkRequest, answer=ReplyOut, streams=True,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/stop", handler=stop, summary="Stop replies under way", body=StopRequest,
        answer=StoppedOut,
    ),
)  # fmt: skip
