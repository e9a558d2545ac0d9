"""Summaries for conversations at rest, in batches at half the price: hand in, leave, collect whenever.

    from sash.bulk.summaries import Summaries

    with Summaries("chats.db") as summaries:
        summaries.submit()              # what rests; then the process may end
        print(summaries.collect())      # hours later, anywhere: what has come is used, once

`AsyncSummaries` is the same with `await`. What a summary covers may leave the view of a conversation that summarises
(`Summarised`) at its next cut, without another request. Nothing is decided here: see `sash.flows.bulk.summaries`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sash.claude.adapter import AsyncClaude, Claude
from sash.claude.clients import async_client, sync_client
from sash.conversation.async_driver import attentive, drive_async
from sash.conversation.drivers import Performer, drive
from sash.counting.estimator import Estimators
from sash.flows.bulk import summaries as flows
from sash.flows.bulk.summaries import Submitted
from sash.flows.summaries.resting import Backlog, Collected, at_once
from sash.model.closing import Closing
from sash.stores import Store, open_store

POLL = 60.0
"""Seconds between two looks at a batch."""


class _Shared:
    """What both share: the store, the settings, a counter for each model."""

    def __init__(self, store: str | Path | Store, clock: Callable[[], float], settings: dict[str, Any]) -> None:
        self.backlog = Backlog(**settings)
        self._owns_store = isinstance(store, str | Path)
        self._store = open_store(store, self.backlog.namespace)
        self._clock = clock
        self._counter = Estimators()

    def _close(self) -> None:
        if self._owns_store:
            self._store.close()


class Summaries(_Shared, Closing):
    """Summaries of the conversations in a database that nobody speaks in.

    `client`: an `Anthropic` client, "simulator", or None for one from the environment. `settings`: those of `Backlog`
    (by, limit, keep, least, idle, must_keep, namespace). Raises InvalidOption, UnknownModel.
    """

    def __init__(
        self, store: str | Path | Store, *, client: Any = None, clock: Callable[[], float] = time.time, **settings: Any
    ) -> None:
        super().__init__(store, clock, settings)
        self._performer = Performer(Claude(sync_client(client)), clock)

    def submit(self) -> Submitted:
        """Hand in what rests and no summary covers yet. Raises RemoteErrors."""
        return drive(flows.submit(self._store, self.backlog, self._counter), self._performer)

    def collect(self) -> Collected:
        """Use what has come. Raises RemoteErrors; what was used till then stays used."""
        return drive(flows.collect(self._store, self._counter), self._performer)

    def run(self, *, every: float = POLL) -> Collected:
        """Hand in, and return when nothing waits any more. Raises RemoteErrors."""
        self.submit()
        return self.wait(every=every)

    def wait(self, *, every: float = POLL) -> Collected:
        """Look every so many seconds, and return when nothing waits any more. Raises RemoteErrors."""
        total = self.collect()
        while total.waiting:
            time.sleep(every)
            total = _onward(total, self.collect())
        return total

    def now(self) -> Collected:
        """Without batches: one request after the other, at the full price."""
        return drive(at_once(self._store, self.backlog, self._counter), self._performer)

    def close(self) -> None:
        """Close the store, if it was opened here."""
        self._close()


class AsyncSummaries(_Shared):
    """The same with `await`, over an `AsyncAnthropic` client."""

    def __init__(
        self, store: str | Path | Store, *, client: Any = None, clock: Callable[[], float] = time.time, **settings: Any
    ) -> None:
        super().__init__(store, clock, settings)
        self._record = attentive(self._store)
        self._performer = Performer(AsyncClaude(async_client(client)), clock)

    async def submit(self) -> Submitted:
        """Hand in what rests. See `Summaries.submit`."""
        return await drive_async(flows.submit(self._record, self.backlog, self._counter), self._performer)

    async def collect(self) -> Collected:
        """Use what has come. See `Summaries.collect`."""
        return await drive_async(flows.collect(self._record, self._counter), self._performer)

    async def run(self, *, every: float = POLL) -> Collected:
        """Hand in, and return when nothing waits any more. See `Summaries.run`."""
        await self.submit()
        return await self.wait(every=every)

    async def wait(self, *, every: float = POLL) -> Collected:
        """Look until nothing waits any more. See `Summaries.wait`."""
        total = await self.collect()
        while total.waiting:
            await asyncio.sleep(every)
            total = _onward(total, await self.collect())
        return total

    async def now(self) -> Collected:
        """Without batches. See `Summaries.now`."""
        return await drive_async(at_once(self._record, self.backlog, self._counter), self._performer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the store, if it was opened here."""
        await asyncio.to_thread(self._close)


def _onward(before: Collected, now: Collected) -> Collected:
    """The sum of two looks: what waits is what waits now."""
    return Collected(
        waiting=now.waiting,
        ready=before.ready + now.ready,
        rejected=before.rejected + now.rejected,
        failed=before.failed + now.failed,
        lost=before.lost + now.lost,
        dollars=before.dollars + now.dollars,
    )
