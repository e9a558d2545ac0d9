"""Worker tasks that ask a job's items, so many at a time; where the requests share a preamble, one goes ahead.

An entry of the prompt cache can be read once the first reply has begun ("Prompt caching"): so the first request goes
alone, and the others follow its first event. If it fails before, the next one leads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sash.bulk.items import Item, JobProgress, Outcome
from sash.conversation import AsyncConversation
from sash.errors import AccessDenied, CeilingReached, SashError, StoreError
from sash.model.replies import Reply

Waiting = tuple[int, Item, str]
STOPPING = (AccessDenied, CeilingReached)
"""Errors that every other item would meet, too."""


class Workers:
    """One run over a job's items."""

    def __init__(
        self,
        chat_of: Callable[[str], AsyncConversation],
        token_of: Callable[[int], str],
        *,
        lead: bool,
        tell: Callable[[JobProgress], Any],
    ) -> None:
        self._chat_of, self._token_of, self._tell = chat_of, token_of, tell
        self._warm = asyncio.Event()
        self._leading = asyncio.Lock()
        self._stopped: SashError | None = None
        self._outcomes: dict[int, Outcome] = {}
        if not lead:
            self._warm.set()

    async def ask(self, items: Sequence[Waiting], workers: int, *, total: int) -> dict[int, Outcome]:
        """Ask them all; the outcomes by position."""
        ahead = iter(items)
        before = total - len(items)
        self._report(total, before)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, len(items))):
                    group.create_task(self._work(ahead, total, before))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return self._outcomes

    async def _work(self, ahead: Iterable[Waiting], total: int, before: int) -> None:
        for position, item, name in ahead:
            self._outcomes[position] = await self._outcome(position, item, name)
            self._report(total, before)

    async def _outcome(self, position: int, item: Item, name: str) -> Outcome:
        if self._stopped is not None:
            return Outcome(position=position, id=name, error=self._stopped)
        try:
            async with self._chat_of(name) as chat:
                reply = await self._reply(chat, item, self._token_of(position))
        except StoreError:
            raise  # the record is not to be had: nobody would get further
        except SashError as error:
            if isinstance(error, STOPPING):
                self._stopped = error
            return Outcome(position=position, id=name, error=error)
        return Outcome(position=position, id=name, reply=reply)

    async def _reply(self, chat: AsyncConversation, item: Item, token: str) -> Reply:
        if not self._warm.is_set():
            async with self._leading:
                stream = None if self._warm.is_set() else await self._led(chat, item, token)
            if stream is not None:
                try:
                    led: Reply = await stream.until_done()
                    return led
                finally:
                    await stream.close()
        return await chat.send(item.content, token=token)

    async def _led(self, chat: AsyncConversation, item: Item, token: str) -> Any:
        """A stream whose first event has come: from here on the others find the preamble in the cache."""
        stream = await chat.stream(item.content, token=token).__aenter__()
        self._warm.set()
        return stream

    def _report(self, total: int, before: int) -> None:
        found = self._outcomes.values()
        self._tell(
            JobProgress(
                done=before + len(found),
                failed=sum(outcome.error is not None for outcome in found),
                total=total,
                dollars=sum(outcome.reply.cost or 0.0 for outcome in found if outcome.reply),
            )
        )
