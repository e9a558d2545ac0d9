"""Branches: fork, edit, regenerate, retry, and a past request rebuilt. The past is shared, never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from sash.errors import CallerError, InvalidOption, NothingToRetry
from sash.flows.context import Context
from sash.flows.record import Record
from sash.flows.request.deliver import deliver
from sash.flows.request.send import Call
from sash.flows.steps import Flow
from sash.model.counts import Count
from sash.model.epochs import Epoch, Request
from sash.model.notebook import Drawable
from sash.model.replies import Reply
from sash.model.turns import Draft, Turn
from sash.model.window import Head
from sash.planning.digest import body_hash
from sash.planning.history.paused import paused
from sash.planning.inputs import Settings
from sash.planning.view import body

PAGE = 200


@dataclass(frozen=True, kw_only=True)
class PastRequest(Drawable):
    """A request as it was sent, rebuilt from the record."""

    request: Request
    epoch: Epoch = field(repr=False)
    turns: Sequence[Turn] = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    intact: bool
    """whether the rebuilt body is the one that was sent, byte for byte (redaction leaves a gap)"""
    sizes: Mapping[int, Count] = field(repr=False)
    """of its turns by seq, as far as they are known"""
    preamble: Count | None = field(repr=False)
    """of tools and system prompt; None: unknown"""

    @property
    def number(self) -> int:
        """Counts the conversation's requests from 1."""
        return self.request.number

    @property
    def betas(self) -> tuple[str, ...]:
        """What the `anthropic-beta` header named."""
        return self.request.sent.betas


def past_request(chat: Context, number: int) -> PastRequest:
    """Rebuild request `number`. Raises NotFound."""
    return past_request_of(chat.store, chat.conversation, number)


def past_request_of(store: Record, conversation: int, number: int) -> PastRequest:
    """The same from a store: `conversation` is its key there."""
    request, epoch, turns = store.requests.read(conversation, number=number)
    rebuilt = body(epoch, turns, request.sent)
    sizes, preamble = store.requests.sizes(request, turns)
    return PastRequest(
        request=request,
        epoch=epoch,
        turns=turns,
        body=rebuilt,
        intact=body_hash(rebuilt) == request.body_hash,
        sizes=sizes,
        preamble=preamble,
    )


def fork(chat: Context, at: int | None, as_id: str) -> Head:
    """A new conversation that shares everything up to the reply with the turn id `at` (None: the newest turn)."""
    head = chat.store.branches.head(chat.conversation)
    turn = head.turn
    if at is not None:
        turn = chat.store.turns.one(chat.conversation, turn=at)
    if turn is not None and (turn.role == "user" or turn.state == "withdrawn"):
        raise InvalidOption(
            f"a fork begins after a reply, but turn {turn.id} is {turn.state}, by the {turn.role}; "
            "fork at a reply, or use edit() to say something else in its place",
            option="at",
            value=turn.id,
        )
    seq = _end_of(chat, turn) if turn else 0
    return chat.store.branches.new(chat.conversation, seq=seq, reason="fork", as_id=as_id)


def _end_of(chat: Context, reply: Turn) -> int:
    """seq where a reply ends that the server paused and went on with: what is shared is never given up by one alone."""
    if not paused([reply]):
        return reply.seq
    behind = chat.store.turns.read(chat.conversation, after=reply.seq, limit=PAGE)
    spoken = [turn for turn in behind if turn.state != "withdrawn"]
    whole = [reply, *takewhile(lambda turn: turn.role != "user", spoken)]
    if paused(whole):
        raise InvalidOption(
            f"turn {reply.id} waits for the server to go on; let retry() finish it, or fork at an earlier reply",
            option="at",
            value=reply.id,
        )
    return whole[-1].seq


def edit(chat: Context, turn_id: int, drafts: Sequence[Draft], settings: Settings, call: Call) -> Flow[Reply]:
    """Say `drafts` in the place of a user turn; what followed it stays on the branch it is on."""
    turn = chat.store.turns.one(chat.conversation, turn=turn_id)
    if not turn.plain:
        raise InvalidOption(
            f"turn {turn_id} is no plain user turn, so nothing can be said in its place; edit the user turn before it",
            option="turn",
            value=turn_id,
        )
    return (yield from _instead(chat, turn, drafts, settings, call, "edit"))


def regenerate(chat: Context, settings: Settings, call: Call) -> Flow[Reply]:
    """Ask the newest question again on a branch of its own."""
    question = _newest(chat, _is_question)
    if question is None:
        raise NothingToRetry(f"conversation {chat.id!r} has no question to ask again", conversation=chat.id)
    since = chat.store.turns.read(chat.conversation, after=question.seq)
    given = [turn for turn in since if turn.role == "system" and turn.state != "withdrawn"]
    drafts = [
        Draft(role=turn.role, content=turn.form, origin=turn.id, speaker=turn.speaker) for turn in (*given, question)
    ]
    return (yield from _instead(replace(chat, bypass_memo=True), question, drafts, settings, call, "regenerate"))


def retry(chat: Context, settings: Settings, call: Call) -> Flow[Reply]:
    """Send what is pending again, with what the user said behind it; after a reply cut short, ask on another branch."""
    newest = _newest(chat, lambda turn: turn.role != "system")
    if newest is not None and newest.state == "interrupted":
        return (yield from regenerate(chat, settings, call))
    return (yield from deliver(chat, (), settings, call))


def _is_question(turn: Turn) -> bool:
    return turn.plain and turn.state != "withdrawn"


def _newest(chat: Context, wanted: Callable[[Turn], bool]) -> Turn | None:
    """The newest turn of the kind that is wanted, if there is one."""
    head = chat.store.branches.head(chat.conversation)
    after = head.seq
    while after > 0:
        after = max(0, after - PAGE)
        page = chat.store.turns.read(chat.conversation, after=after, limit=PAGE)
        found = [turn for turn in page if wanted(turn)]
        if found:
            return found[-1]
    return None


def _instead(
    chat: Context, turn: Turn, drafts: Sequence[Draft], settings: Settings, call: Call, reason: Any
) -> Flow[Reply]:
    """Branch off before `turn` and send; back to where we were if that cannot even be planned."""
    head = chat.store.branches.head(chat.conversation)
    chat.store.branches.new(chat.conversation, seq=turn.seq - 1, reason=reason)
    try:
        return (yield from deliver(chat, drafts, settings, call))
    except CallerError:
        chat.store.branches.switch(chat.conversation, branch=head.branch)
        raise
