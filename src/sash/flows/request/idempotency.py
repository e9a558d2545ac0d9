"""The same thing submitted twice is sent once: whoever comes second gets the first one's reply.

The same is what carries the same client token or, where that was switched on, the same text within a few
seconds. The claims stand in the record, so this holds across objects and processes, and after a crash. A submission
that failed is taken up again where it stands: a pending turn is sent, never doubled. Knows nothing of planning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sash.errors import ConversationBusy, InvalidOption, NotFound, NothingToRetry, StoreError
from sash.flows.context import Context
from sash.flows.steps import Emit, Flow, Now, Pause
from sash.model.answers import MENDED, StreamEvent, TextEvent
from sash.model.replies import Reply, after, each, joined
from sash.model.submissions import Claim, Claimed
from sash.model.turns import Draft
from sash.model.usage import Usage

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two looks at a submission that somebody else is answering: doubled each time."""
LEASE = 1_800.0
"""Seconds after which a claim is void that nobody settled and whose owner cannot be looked up: three SDK timeouts."""
LONGEST_TOKEN = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What makes a send recognisable. Raises InvalidOption for a token that is no text of 1 to 255 characters."""

    token: str | None
    drafts: tuple[Draft, ...]
    within: float
    """seconds in which the same content counts as the same submission; 0: only the token tells"""
    arrived: float
    """when it was submitted, in unix seconds"""
    wait: bool = True
    """whether to wait for a first one that is still running; else ConversationBusy"""

    def __post_init__(self) -> None:
        token = self.token
        if token is not None and (not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN):
            raise InvalidOption(
                f"token is a text of 1 to {LONGEST_TOKEN} characters, chosen by the client, not {token!r:.60}",
                option="token",
                value=token,
            )

    @property
    def digest(self) -> str:
        """32 hex digits of who says what."""
        said = "\n".join(f"{draft.role} {draft.content}" for draft in self.drafts)
        return hashlib.sha256(said.encode()).hexdigest()[:32]


Ask = Callable[[Context, Sequence[Draft]], Flow[Reply]]
"""Says something, or without drafts goes on with what was left."""


def once(chat: Context, given: Submission, ask: Ask, *, stream: bool = False, goes_on: bool = False) -> Flow[Reply]:
    """The reply to a submission: to this one, or to the first one like it.

    `goes_on`: it takes several requests, so that one that was left in the middle is gone on with. Raises what `ask`
    raises, and InvalidOption for a token that was used for other content.
    """
    claimed = yield from _claimed(chat, given)
    told = None
    if claimed.state == "answered":
        told = yield from _repeated(chat, given, claimed.numbers, stream=stream)
        if not claimed.left:
            return told
    reply = yield from _settled(chat, claimed, given, ask if goes_on or told is None else None, told)
    return reply


def _settled(chat: Context, claimed: Claimed, given: Submission, ask: Ask | None, told: Reply | None) -> Flow[Reply]:
    """Ask, or go on behind the replies that were `told`, and say in the record what became of it."""
    chat = replace(chat, submission=claimed.submission)
    reply = told
    try:
        if ask is not None:
            reply = yield from _asked(chat, () if claimed.state != "new" else given.drafts, ask, told)
    except GeneratorExit:
        raise  # nobody drives this flow any more; the next claim finds out what became of it
    except BaseException:
        _release(chat, claimed, ())
        raise
    assert reply is not None  # whoever is told nothing asks
    _release(chat, claimed, tuple(step.number for step in each(reply)))
    return reply


def _asked(chat: Context, drafts: Sequence[Draft], ask: Ask, told: Reply | None) -> Flow[Reply]:
    if told is None:
        return (yield from ask(chat, drafts))
    try:
        return after(told, (yield from ask(chat, ())))
    except NothingToRetry:
        return told  # it had come to its end, and only that was not said


def _release(chat: Context, claimed: Claimed, numbers: tuple[int, ...]) -> None:
    """Say what became of it. A store that cannot take that now hides neither reply nor error: the turn will tell."""
    with suppress(StoreError):
        chat.store.submissions.release(claimed.submission, numbers)


def _claimed(chat: Context, given: Submission) -> Flow[Claimed]:
    """The claim, once it is ours or answered."""
    pause = FIRST_PAUSE
    while True:
        now = yield from Now()
        claimed = chat.store.submissions.claim(
            Claim(
                conversation=chat.conversation,
                token=given.token,
                digest=given.digest,
                within=given.within,
                arrived=given.arrived,
                at=now,
                lease=LEASE,
            )
        )
        if claimed.state != "running":
            return claimed
        if not given.wait:
            raise ConversationBusy(
                f"the same submission to conversation {chat.id!r} is still being answered", conversation=chat.id
            )
        yield from Pause(seconds=pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _repeated(chat: Context, given: Submission, numbers: Sequence[int], *, stream: bool) -> Flow[Reply]:
    """The first one's reply, from the record; streamed, its text comes as one event."""
    reply: Reply | None = None
    for number in numbers:
        piece = _recorded(chat, number)
        reply = piece if reply is None else (joined if reply.stop_reason == "pause_turn" else after)(reply, piece)
    assert reply is not None  # an answered submission has requests
    if stream and reply.text:
        yield from Emit(event=StreamEvent(TextEvent(text=reply.text, snapshot=reply.text), reply.text))
    which = f"token {given.token!r}" if given.token is not None else "the same text a moment ago"
    note = f"submitted before ({which}): this is the reply given then, and nothing was sent"
    return replace(reply, notes=(note, *reply.notes))


def _recorded(chat: Context, number: int) -> Reply:
    """The reply of one request as far as the record holds it: without its plan and the SDK's object."""
    request, _, _ = chat.store.requests.read(chat.conversation, number=number)
    turn = None
    if request.reply is not None:
        try:
            turn = chat.store.turns.one(chat.conversation, turn=request.reply, anywhere=True)
        except NotFound:
            turn = None  # deleted since
    return Reply(
        blocks=turn.blocks if turn else [],
        stop_reason=request.stop_reason,
        usage=request.usage or Usage(),
        cost=request.cost,
        latency=request.latency or 0.0,
        turn=turn,
        number=request.number,
        plan=None,
        notes=tuple(request.extra.get(MENDED, ())),
    )
