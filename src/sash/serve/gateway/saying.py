"""From a call to a conversation that is about to be asked: what is new is found, and what came before it recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sash.conversation import AsyncConversation
from sash.conversation.streaming import AsyncReplyStream
from sash.conversation.workers import worker
from sash.errors import InvalidContent, InvalidOption
from sash.model.replies import Reply
from sash.model.turns import Turn
from sash.serve.gateway.addressed import Destination
from sash.serve.gateway.bodies import New, messages_of, new_of, options_of
from sash.serve.gateway.errors import Contradicted
from sash.serve.gateway.events import OneMessage
from sash.serve.gateway.known import Contradiction, Messages, SaidRecord, Unknown, held_against, rest
from sash.serve.serving import Serving

MOST_BRANCHES = 64
"""Branches that one list is held against, at most."""


@dataclass(frozen=True, kw_only=True)
class Saying:
    """A conversation, and what is said in it now."""

    chat: AsyncConversation
    question: Sequence[Any]
    """blocks; [] where what is pending is asked again"""
    options: Mapping[str, Any]
    token: str | None

    async def reply(self) -> Reply:
        """Ask, and wait for the reply."""
        if not self.question:
            return await self.chat.retry(**self.options)
        return await self.chat.send(list(self.question), token=self.token, **self.options)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Ask; the events of the API's stream, the last of them once the reply is recorded."""
        one = OneMessage()
        async with self._stream() as stream:
            async for raw in stream.events():
                for event in one.add(raw):
                    yield event
        for event in one.end(stream.reply):
            yield event

    def _stream(self) -> AsyncReplyStream:
        if not self.question:
            return self.chat.stream_retry(**self.options)
        return self.chat.stream(list(self.question), token=self.token, **self.options)


@asynccontextmanager
async def saying(serving: Serving, address: Destination, body: Mapping[str, Any]) -> AsyncIterator[Saying]:
    """Find the conversation and what is new, and record what was said elsewhere. Raises CallerErrors, Contradicted."""
    messages = messages_of(body)
    options = options_of(body, address.betas, address.version)
    async with placed(serving, address, messages) as (chat, found):
        new = new_of(rest(messages, found.place))
        if not new.question:
            new = await _pending(serving, chat.id, new, address, messages)
        if found.withdraws:
            await chat.withdraw()
        if new.past:
            await chat.extend(new.past)
        for instruction in new.instructions:
            await chat.instruct(instruction["content"])
        yield Saying(chat=chat, question=new.question, options=options, token=address.token)


@asynccontextmanager
async def placed(
    serving: Serving, address: Destination, messages: Messages
) -> AsyncIterator[tuple[AsyncConversation, Unknown]]:
    """The conversation, or the branch of it, that a list goes on, and what is new of the list. Raises Contradicted."""
    assert address.conversation is not None
    id, tried = address.conversation, set[str]()
    while True:
        async with serving.talks.talking(address.namespace, id, address.chosen) as chat:
            said = await _said(serving, address, id)
            found = await _held(serving, said, address, messages)
            if isinstance(found, Unknown):
                async with serving.lines.of(address.namespace, id):
                    now = await _said(serving, address, id)
                    if now.turns != said.turns:  # others went on while this call waited
                        found = await _held(serving, now, address, messages)
                    if isinstance(found, Unknown):
                        yield chat, found
                        return
            tried.add(id)
            if address.on_conflict != "branch" or len(tried) == MOST_BRANCHES:
                raise contradicted(id, found)
            id = next(name for name in _branches(address.conversation, found) if name not in tried)
            await _branch_off(chat, found, id)


async def _said(serving: Serving, address: Destination, id: str) -> SaidRecord:
    """What the list must agree with."""
    if address.lists == "new":
        return SaidRecord()
    return await worker(partial(serving.records.read, address.namespace, id))


async def _held(
    serving: Serving, said: SaidRecord, address: Destination, messages: Messages
) -> Unknown | Contradiction:
    found = await worker(partial(held_against, said, messages, address.lists))
    if isinstance(found, Contradiction) and found.behind and await _answered(serving, address):
        return Unknown(place=found.asked)
    return found


async def _answered(serving: Serving, address: Destination) -> bool:
    """Whether the client's own name for the submission is one that was answered."""
    token = address.token
    if not token:
        return False
    known = partial(serving.store.submissions.answered, namespace=address.namespace, prefix=token)
    return token in await worker(known)


def _branches(conversation: str, found: Contradiction) -> Iterator[str]:
    """Names of branches for a list's way of going on: always the same for the same question."""
    yield f"{conversation}~{found.question}"
    for number in range(2, MOST_BRANCHES + 2):
        yield f"{conversation}~{found.question}-{number}"


async def _branch_off(chat: AsyncConversation, found: Contradiction, id: str) -> None:
    """Have the branch begin, if it has not, behind what list and record have in common."""
    if found.turn is None:
        return
    try:
        branch = await chat.fork(found.turn, id=id)
    except InvalidOption as error:
        if error.facts.get("option") != "id":
            raise
        return  # it was begun before
    await branch.close()


def contradicted(conversation: str, found: Contradiction) -> Contradicted:
    """What a client is told whose list says otherwise."""
    where = f"messages.{found.message}"
    said = (
        f"the list ends before {where}, but the record of conversation {conversation!r} goes on"
        if found.behind
        else f"{where} is not what the record of conversation {conversation!r} says there"
    )
    remedy = "send only what is new (x-sash-messages: new), or x-sash-on-conflict: branch to go on from there"
    return Contradicted(f"{said}; {remedy}", place=found.message)


async def _pending(serving: Serving, id: str, new: New, address: Destination, messages: Messages) -> New:
    """What is said where a list brings nothing new: what waits for its reply, again. Raises InvalidContent."""
    said = await worker(partial(serving.records.read, address.namespace, id))
    if new.past or not said.turns or not _waits(said.turns[-1], messages):
        raise InvalidContent("messages: the list ends without anything new from the user", problem="messages")
    return new_of(messages) if address.token else new


def _waits(newest: Turn, messages: Messages) -> bool:
    """Whether the record's end is to be asked again: a question, or a reply that broke off, which the list lacks."""
    return newest.role == "user" or (newest.state == "interrupted" and messages[-1]["role"] == "user")
