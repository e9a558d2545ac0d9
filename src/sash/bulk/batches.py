"""A job's items handed over as batches: recorded, submitted, looked at, collected (`flows.bulk.questions`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from sash.bulk.description import Description
from sash.bulk.items import Item, JobProgress, Outcome
from sash.claude.adapter import AsyncClaude
from sash.conversation.async_driver import attentive, drive_async
from sash.conversation.drivers import Performer, asked
from sash.errors import CallerError
from sash.flows.bulk.batches import Ready
from sash.flows.bulk.questions import collect, hand_in, make_ready, release, under_way
from sash.flows.record import Record
from sash.flows.request.idempotency import Submission
from sash.flows.steps import Flow


class HandedOver:
    """What of a job is, or is to be, in batches."""

    def __init__(self, job: Description, client: Any, tell: Callable[[JobProgress], Any]) -> None:
        self._job, self._client, self._tell = job, client, tell
        self._record: Record = attentive(job.store)
        self._performer = Performer(AsyncClaude(client), job.clock)

    async def under_way(self) -> frozenset[int]:
        """The positions of items that wait in a batch."""
        job = self._job
        found = asked(lambda: under_way(self._record, job.id, namespace=job.namespace))
        waiting: frozenset[int] = await self._drive(found)
        return waiting

    async def collect(self) -> dict[int, Outcome]:
        """Settle what has ended; the outcomes of items that came to nothing, by position."""
        job = self._job
        errors = await self._drive(collect(self._record, job.id, job.card_of, namespace=job.namespace))
        return {n: Outcome(position=n, id=job.items[n][1], error=error) for n, error in errors.items()}

    async def hand_in(self, items: Sequence[tuple[int, Item, str]], *, poll: float | None) -> dict[int, Outcome]:
        """Hand them in and collect, looking every `poll` seconds; None: collect nothing yet."""
        outcomes: dict[int, Outcome] = {}
        ready: list[Ready] = []
        try:
            for position, item, name in items:
                try:
                    made = await self._drive(self._ready(position, item, name))
                except CallerError as error:
                    outcomes[position] = Outcome(position=position, id=name, error=error)
                else:
                    ready += [made] if made is not None else []
        except BaseException:
            await self._drive(release(self._record, ready))
            raise
        await self._drive(hand_in(self._record, ready, namespace=self._job.namespace, job=self._job.id))
        while poll is not None and (waiting := await self.under_way()):
            self._report(outcomes, len(waiting))
            await asyncio.sleep(poll)
            outcomes |= await self.collect()
        self._report(outcomes, len(await self.under_way()))
        return outcomes

    def _ready(self, position: int, item: Item, name: str) -> Flow[Ready | None]:
        """Record an item as a question about to leave."""
        job, session = self._job, self._job.session_of(name, self._client)
        session.open(self._record)
        asking = session.asking(self._record, {})
        drafts = asking.question(item.content)
        given = Submission(token=job.token(position), drafts=drafts, within=0.0, arrived=job.clock())
        return (yield from make_ready(asking.chat, given, asking.settings, job=job.id, position=position))

    async def _drive(self, flow: Any) -> Any:
        return await drive_async(flow, self._performer)

    def _report(self, outcomes: dict[int, Outcome], waiting: int) -> None:
        total = len(self._job.items)
        self._tell(JobProgress(done=total - waiting, failed=len(outcomes), total=total, dollars=0.0))
