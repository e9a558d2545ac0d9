"""One order for all who write to a conversation: each call waits for its turn, works, and lets the next one in.

The line stands in the store (`sash.flows.record.Leases`), so it holds for every object, thread and process. A flow
is made once it is its turn: it plans on what those before it have recorded, and reads the settings they left. What
is done in the background (summaries, vectors) adds no turn and stands in no line.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sash.errors import ConversationBusy, ConversationClosed, StoreError
from sash.flows.context import Context
from sash.flows.steps import Flow, Now, Pause
from sash.model.leases import Place, Ticket

R = TypeVar("R")

SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two looks at the line: for each who is ahead, and at most."""
SHARE = 0.1
"""What a look may come too late, as a share of the time waited so far."""


def in_order(chat: Context, ticket: Ticket, make: Callable[[], Flow[R]], *, waits: bool) -> Flow[R]:
    """What the flow returns that `make` makes once it is this ticket's turn.

    Raises ConversationBusy, with nothing written, where it may not wait (any longer) or would wait for itself.
    """
    try:
        yield from _come_first(chat, ticket, waits=waits)
        return (yield from make())
    finally:
        _leave(chat, ticket)


def _come_first(chat: Context, ticket: Ticket, *, waits: bool) -> Flow[None]:
    """Wait until nobody is ahead, `chat.max_wait` seconds at most."""
    place = chat.store.leases.enter(ticket)
    if not place.ahead:
        return
    began, slept = (yield from Now()), 0.0
    while place.ahead:
        waited = max(slept, (yield from Now()) - began)  # a clock that stands still does not wait for ever
        _reject_waiting(chat, place, waited, waits=waits)
        pause = _pause(chat, ticket, place, waited)
        yield from Pause(seconds=pause)
        slept += pause
        place = chat.store.leases.place(ticket)


def _pause(chat: Context, ticket: Ticket, place: Place, waited: float) -> float:
    """Seconds until the next look: no two tickets look in step."""
    jitter = 0.75 + int(ticket.token[:4], 16) / 0x20000
    pause = jitter * min(LONGEST_PAUSE, max(SHORTEST_PAUSE * place.ahead, SHARE * waited))
    return pause if chat.max_wait is None else min(pause, chat.max_wait - waited)


def _reject_waiting(chat: Context, place: Place, waited: float, *, waits: bool) -> None:
    if place.own:
        why = "and that call is this caller's own: finish or close it first, or go on in another thread or task"
    elif not waits:
        why = "and busy='error' was asked for; try again later"
    elif chat.max_wait is not None and waited >= chat.max_wait:
        why = f"for longer than max_wait={chat.max_wait:g} s; try again later"
    else:
        return
    raise ConversationBusy(
        f"conversation {chat.id!r} is being written to by another call, {why}. Nothing was sent or written",
        conversation=chat.id,
        ahead=place.ahead,
        waited=waited,
    )


def _leave(chat: Context, ticket: Ticket) -> None:
    """Let the next one in, whatever strikes just then. A store that cannot write it down knows all the same."""
    with suppress(StoreError, ConversationClosed):
        try:
            chat.store.leases.leave(ticket)
        except BaseException:
            chat.store.leases.leave(ticket)
            raise
