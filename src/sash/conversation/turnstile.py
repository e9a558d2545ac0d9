"""One at a time, in order of arrival: what keeps two sends of one conversation object apart."""

from __future__ import annotations

import threading
from collections import deque

from sash.errors import ConversationBusy


class Turnstile:
    """A first-come, first-served lock that knows who holds it, so that nobody waits for themselves."""

    def __init__(self, conversation: str, *, wait: bool) -> None:
        self._conversation = conversation
        self._wait = wait
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._holder: int | None = None

    def enter(self) -> None:
        """Wait for our turn. Raises ConversationBusy instead of waiting when asked to, or for ourselves."""
        me, ticket = threading.get_ident(), object()
        with self._changed:
            if self._queue and (not self._wait or self._holder == me):
                raise busy(self._conversation)
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: self._queue[0] is ticket)
            except BaseException:
                self._queue.remove(ticket)
                self._changed.notify_all()
                raise
            self._holder = me

    def leave(self) -> None:
        """Let the next one in."""
        with self._changed:
            self._queue.popleft()
            self._holder = None
            self._changed.notify_all()


def busy(conversation: str) -> ConversationBusy:
    """The error for a send that meets another one."""
    return ConversationBusy(
        f"a send or stream of conversation {conversation!r} is still running on this object; "
        "finish or close it first, or use an object of its own for each thread",
        conversation=conversation,
    )
