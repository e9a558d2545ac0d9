"""Conversations: listed, described, deleted, forked; their turns, branches and pins."""

from __future__ import annotations

import uuid
from functools import partial

from sash.conversation.workers import worker
from sash.serve.api.endpoints import Endpoint, EndpointCall
from sash.serve.api.schemas import (
    BranchList,
    BranchOut,
    ConversationList,
    ConversationOut,
    DeletedOut,
    DescribeRequest,
    Done,
    ForkRequest,
    PinRequest,
    Reason,
    RedactedOut,
    SwitchRequest,
    TurnList,
    TurnOut,
    TurnsQuery,
)
from sash.serve.asking import ListQuery, conversation_at, cursor_of
from sash.serve.changing import described, switched
from sash.serve.views import turns_before

BRANCHES = 200
ONE = "/api/conversations/{id:name}"


def listed(call: EndpointCall) -> ConversationList:
    """A page of them."""
    asked: ListQuery = call.query
    more = call.store.conversations(
        namespace=call.namespace, limit=asked.limit + 1, before=conversation_at(asked.before), **asked.filters
    )
    page = more[: asked.limit]
    return ConversationList(
        conversations=[ConversationOut.of(info) for info in page],
        next=cursor_of(page[-1]) if len(more) > len(page) else None,
    )


def one(call: EndpointCall) -> ConversationOut:
    """One of them."""
    return ConversationOut.of(call.store.describe(call.id, namespace=call.namespace))


def describe(call: EndpointCall) -> ConversationOut:
    """Title, tags, metadata."""
    told: DescribeRequest = call.body
    return ConversationOut.of(
        described(call.store, call.namespace, call.id, title=told.title, tags=told.tags, metadata=told.metadata)
    )


async def delete(call: EndpointCall) -> DeletedOut:
    """The whole of it, audited."""
    reason: Reason = call.body
    call.serving.replies.stop(call.namespace, call.id)
    gone = await worker(partial(call.store.delete, call.id, namespace=call.namespace, reason=reason.reason))
    call.serving.talks.forget(call.namespace)
    return DeletedOut(turns=gone.turns, heirs=list(gone.heirs))


async def fork(call: EndpointCall) -> ConversationOut:
    """A new conversation that shares the past."""
    asked: ForkRequest = call.body
    async with call.serving.talks.looking(call.namespace, call.id) as chat:
        made = await chat.fork(asked.at, id=asked.id or uuid.uuid4().hex[:12])
        await made.close()
    return ConversationOut.of(await worker(partial(call.store.describe, made.id, namespace=call.namespace)))


def turns(call: EndpointCall) -> TurnList:
    """A page of turns."""
    asked: TurnsQuery = call.query
    found = turns_before(call.store, call.conversation(), asked.before, asked.limit)
    return TurnList(
        turns=[TurnOut.of(turn) for turn in found], before=found[0].seq if found and found[0].seq > 1 else None
    )


async def redact(call: EndpointCall) -> RedactedOut:
    """The words of a turn, on whatever branch it stands, and of those that repeat it."""
    reason: Reason = call.body
    async with call.serving.talks.looking(call.namespace, call.id) as chat:
        gone = await chat.redact(call.path["turn"], reason=reason.reason)
    call.serving.talks.forget(call.namespace)
    return RedactedOut(turns=gone)


def branches(call: EndpointCall) -> BranchList:
    """All lines of turns."""
    key = call.conversation()
    present = call.store.branches.head(key).branch
    return BranchList(
        branches=[BranchOut.of(branch, present) for branch in call.store.branches.read(key, limit=BRANCHES)]
    )


def switch(call: EndpointCall) -> Done:
    """Go on with another line of turns."""
    asked: SwitchRequest = call.body
    switched(call.store, call.conversation(), asked.branch)
    return Done()


def pin(call: EndpointCall) -> Done:
    """Keep an exchange in every request, from the next cut on at the latest."""
    asked: PinRequest = call.body
    call.store.turns.pin(call.conversation(), turn=asked.turn, pinned=asked.pinned)
    return Done()


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/conversations", handler=listed, summary="Conversations, the newest used first",
        query=ListQuery, answer=ConversationList,
    ),
    Endpoint(method="GET", path=ONE, handler=one, summary="A conversation", answer=ConversationOut),
    Endpoint(
        method="PATCH", path=ONE, handler=describe, summary="Give it a title, tags, metadata", body=DescribeRequest,
        answer=ConversationOut,
    ),
    Endpoint(
        method="DELETE", path=ONE, handler=delete, summary="Delete it for good, audited", body=Reason,
        answer=DeletedOut,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/fork", handler=fork, summary="A new conversation that shares its past",
        body=ForkRequest, answer=ConversationOut,
    ),
    Endpoint(
        method="GET", path=f"{ONE}/turns", handler=turns, summary="Turns of the present branch, paged backwards",
        query=TurnsQuery, answer=TurnList,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/turns/{{turn:number}}/redact", handler=redact,
        summary="Take the words of a turn out of the record for good, audited", body=Reason, answer=RedactedOut,
    ),
    Endpoint(method="GET", path=f"{ONE}/branches", handler=branches, summary="Its branches", answer=BranchList),
    Endpoint(
        method="POST", path=f"{ONE}/branches", handler=switch, summary="Go on with another branch", body=SwitchRequest,
        answer=Done,
    ),
    Endpoint(
        method="POST", path=f"{ONE}/pins", handler=pin, summary="Pin an exchange, or unpin it", body=PinRequest,
        answer=Done,
    ),
)  # fmt: skip
