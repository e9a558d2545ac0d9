"""Replies under way: each has a task of its own, so that whoever reads it may leave, and it ends as it should.

A reader who leaves or stalls, a stop, the end of the server: what had come is recorded as interrupted.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Event = tuple[str, dict[str, Any]]
"""A name and what is told with it, as JSON values."""
Tell = Callable[[str, dict[str, Any]], Awaitable[None]]
HELD = 64
"""Events that wait for a slow reader."""


@dataclass(eq=False)
class RunningReply:
    """A reply under way, and who may stop it."""

    namespace: str
    conversation: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    task: asyncio.Task[None] | None = None
    events: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(HELD))


class Replies:
    """All replies under way."""

    def __init__(self, stall_seconds: float) -> None:
        self._stall = stall_seconds
        self._running: set[RunningReply] = set()

    async def events(
        self, namespace: str, conversation: str, work: Callable[[Tell], Awaitable[None]]
    ) -> AsyncIterator[Event]:
        """What `work` tells, as it comes. It is stopped when the reader leaves."""
        running = RunningReply(namespace, conversation)
        running.task = asyncio.create_task(self._work(running, work))
        self._running.add(running)
        try:
            yield "start", {"reply": running.id}
            while (event := await running.events.get()) is not None:
                yield event
        finally:
            running.task.cancel()

    def stop(self, namespace: str, conversation: str, reply: str | None = None) -> int:
        """Stop the replies of a conversation, or one of them; how many there were."""
        found = [
            one
            for one in self._running
            if (one.namespace, one.conversation) == (namespace, conversation) and reply in (None, one.id)
        ]
        for one in found:
            if one.task is not None:
                one.task.cancel()
        return len(found)

    async def close(self, grace: float) -> None:
        """Let replies in hand go on for so many seconds, then stop them; all are recorded when this returns."""
        tasks = [one.task for one in self._running if one.task is not None]
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=grace)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _work(self, running: RunningReply, work: Callable[[Tell], Awaitable[None]]) -> None:
        async def tell(name: str, facts: dict[str, Any]) -> None:
            async with asyncio.timeout(self._stall):  # a reader who stalls holds nobody else up
                await running.events.put((name, facts))

        try:
            await work(tell)
        except TimeoutError:
            pass  # nobody is there to be told
        finally:
            self._running.discard(running)
            _end(running.events)


def _end(events: asyncio.Queue[Event | None]) -> None:
    """Tell the reader that nothing more comes, whatever still waits for them."""
    if events.full():
        events.get_nowait()
    events.put_nowait(None)
