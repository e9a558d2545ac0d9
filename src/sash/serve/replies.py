"""Replies under way: each has a task of its own, so that whoever reads it may leave, and it ends as it should.

A reader who leaves or stalls, a stop, the end of the server: what had come is recorded as interrupted.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

Event = tuple[str, dict[str, Any]]
"""A name and what is told with it, as JSON values."""
Tell = Callable[[str, dict[str, Any]], Awaitable[None]]
QUIET = "quiet"
"""The name of an event that says only that nothing came for a while: proxies and clients keep the stream open."""
COMMENT = ": nothing came for a while\n\n"
"""What readers of server-sent events pass over: what stands for a `QUIET` event."""
HELD = 64
"""Events that wait for a slow reader."""
LOOK = 0.05
"""Seconds between looks whether all replies have ended."""


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

    def __init__(self, stall_seconds: float, quiet_seconds: float = 15.0) -> None:
        self._stall, self._quiet = stall_seconds, quiet_seconds
        self._running: set[RunningReply] = set()
        self._closed = False

    async def events(
        self, namespace: str, conversation: str, work: Callable[[Tell], Awaitable[None]]
    ) -> AsyncIterator[Event]:
        """What `work` tells, as it comes, and `QUIET` whenever nothing does. It is stopped when the reader leaves."""
        if self._closed:
            raise HTTPException(503, "the server is about to stop; send again when it is back")
        running = RunningReply(namespace, conversation)
        running.task = asyncio.create_task(self._work(running, work))
        self._running.add(running)
        try:
            yield "start", {"reply": running.id}
            while (event := await self._next(running)) is not None:
                yield event
        finally:
            running.task.cancel()

    async def _next(self, running: RunningReply) -> Event | None:
        try:
            async with asyncio.timeout(self._quiet):
                return await running.events.get()
        except TimeoutError:
            return QUIET, {}

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

    async def close(self, grace: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """Let replies in hand go on for so many seconds, then stop them; all are recorded when this returns.

        No more are begun. `hurry`: whether there is no time left.
        """
        self._closed = True
        clock = asyncio.get_running_loop()
        until = clock.time() + grace
        while self._running and clock.time() < until and not hurry():
            await asyncio.sleep(LOOK)
        tasks = [one.task for one in self._running if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
