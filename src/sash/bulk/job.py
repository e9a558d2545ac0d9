"""A job of many questions: its price, and the way it is run.

`Bulk` holds items and settings; `workers` asks them at once, `batches` hands them in. Items are told apart by a token
in the record (see `flows.request.idempotency`): so a job may be broken off and run again, by any process, either way.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sash.bulk.batches import HandedOver
from sash.bulk.description import Description
from sash.bulk.items import Item, JobProgress, Outcome, as_items
from sash.bulk.progress import shown
from sash.bulk.quote import Quote, quote
from sash.bulk.workers import Workers
from sash.claude.clients import async_client
from sash.conversation import Conversation
from sash.conversation.arguments import question_of
from sash.conversation.session import Session
from sash.counting.estimator import Estimator
from sash.errors import InvalidOption, NotFound, SashError
from sash.model.cards import ModelCard
from sash.model.closing import Closing
from sash.model.counts import Count
from sash.planning.situation import Marks
from sash.stores import Store, open_store

Tell = Callable[[JobProgress], Any]


class Bulk(Closing):
    """Many independent questions under one name.

    `items`: contents as `Conversation.send` takes them, or `Item`s. `id` names the job: run again under the same name
    and in the same store, it goes on where it was. `workers`: how many requests run at a time (limits come on top:
    `limits=`). `client`: an `AsyncAnthropic`, "simulator", or None for one from the environment. Further settings are
    those of `Conversation` (model, system, max_tokens, limits, memo, ceilings, keys, fallback, ...).
    Raises CallerErrors for what cannot work.
    """

    def __init__(
        self,
        items: Iterable[Any],
        *,
        store: str | Path | Store | None = None,
        id: str,
        client: Any = None,
        workers: int = 8,
        namespace: str = "",
        **settings: Any,
    ) -> None:
        if not isinstance(id, str) or not id:
            raise InvalidOption(f"id is a non-empty text that names the job, not {id!r}", option="id", value=id)
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise InvalidOption(f"workers={workers!r}: give a whole number above 0", option="workers", value=workers)
        if settings.get("tools"):
            raise InvalidOption(
                "a job asks for replies; nobody is there to answer tool calls", option="tools", value=None
            )
        self.id, self.namespace, self.workers = id, namespace, workers
        self.items = as_items(items, id)
        self._owns_store = store is None or isinstance(store, str | Path)
        self.store = open_store(store, namespace)
        self._client = client
        self._settings = {"cache": Marks(preamble="5m", tail=None), "priority": "background", **settings}
        self._session = Session(client=client, **self._settings)
        self._job = Description(
            id=id,
            namespace=namespace,
            items=self.items,
            store=self.store,
            settings=self._settings,
            clock=settings.get("clock", time.time),
            card=self._session.card,
        )

    def __repr__(self) -> str:
        return f"Bulk(id={self.id!r}, items={len(self.items)}, model={self.card.id!r})"

    def close(self) -> None:
        """Close the store, where the job opened it."""
        if self._owns_store:
            self.store.close()

    @property
    def card(self) -> ModelCard:
        """The model that is asked."""
        return self._job.card

    def quote(self) -> Quote:
        """What the rest of the job will cost. Sends nothing, writes nothing."""
        counter = Estimator.for_model(self.card, base=self._settings.get("counter", "auto"))
        preamble = counter.preamble(self._session.preamble.system_blocks, ())
        waiting = self._waiting()
        sizes = [self._size(item, name, counter, preamble) for _, item, name in waiting]
        return quote(
            self.card,
            preamble,
            sizes,
            total=len(self.items),
            max_tokens=self._session.max_tokens,
            cached=self._settings["cache"] is not None,
        )

    def run(
        self, *, batch: bool = False, wait: bool = True, poll: float = 30.0, progress: bool | Tell = False
    ) -> list[Outcome]:
        """Ask what has no reply yet; the outcomes of all items, in their order.

        At once, by workers; or as a `batch` at half the price, within 24 hours: looked at every `poll` seconds, or
        (`wait=False`) left to itself, for a later run to collect. What is in a batch is not asked otherwise meanwhile.
        `progress`: True shows a bar, a callable is told of every `Step`. An item that fails does not stop the others,
        but a key that is refused or a ceiling that is reached does: the outcomes say so, and running again goes on.
        """
        outcomes: list[Outcome] = _apart(lambda: self.run_async(batch=batch, wait=wait, poll=poll, progress=progress))
        return outcomes

    async def run_async(
        self, *, batch: bool = False, wait: bool = True, poll: float = 30.0, progress: bool | Tell = False
    ) -> list[Outcome]:
        """The same in a running event loop."""
        if isinstance(poll, bool) or not 0 <= poll < float("inf"):
            raise InvalidOption(f"poll={poll!r}: give seconds", option="poll", value=poll)
        with shown(progress, str(self.quote()) if progress is True else "", len(self.items)) as tell:
            client, owned = async_client(self._client), self._client is None
            try:
                backlog = HandedOver(self._job, client, tell)
                await backlog.collect()  # what came to nothing is asked again
                under_way = await backlog.under_way()
                waiting = [one for one in await asyncio.to_thread(self._waiting) if one[0] not in under_way]
                if batch:
                    fresh = await backlog.hand_in(waiting, poll=poll if wait else None)
                else:
                    team = Workers(self._job.chat_of(client), self._job.token, lead=self.quote().shared > 0, tell=tell)
                    fresh = await team.ask(waiting, self.workers, total=len(self.items))
                return await self._all(fresh, client, await backlog.under_way())
            finally:
                if owned:
                    await client.close()

    # ---- parts ----------------------------------------------------------------------------------

    def _waiting(self) -> list[tuple[int, Item, str]]:
        """The items without a reply, with their positions."""
        prefix = f"{self.id}:"
        answered = self.store.submissions.answered(namespace=self.namespace, prefix=prefix)
        return [(n, item, name) for n, (item, name) in enumerate(self.items) if self._job.token(n) not in answered]

    def _size(self, item: Item, name: str, counter: Estimator, preamble: Count) -> Count:
        """The prompt of one item: of its conversation, where that has begun; else of a new one."""
        if item.id is not None:
            try:
                with Conversation(
                    self.store, id=name, namespace=self.namespace, client="simulator", create=False, **self._settings
                ) as chat:
                    return chat.plan(item.content).prompt
            except NotFound:
                pass
        return preamble + counter.message("user", question_of(item.content)[0].blocks)

    async def _all(self, fresh: dict[int, Outcome], client: Any, under_way: frozenset[int]) -> list[Outcome]:
        """The outcomes of this run, and from the record those of earlier ones."""
        outcomes = []
        for position, (item, name) in enumerate(self.items):
            if position in under_way:
                fresh[position] = Outcome(position=position, id=name)
            elif position not in fresh:
                fresh[position] = await self._earlier(position, item, name, client)
            outcomes.append(fresh[position])
        return outcomes

    async def _earlier(self, position: int, item: Item, name: str, client: Any) -> Outcome:
        try:
            async with self._job.chat_of(client)(name) as chat:
                reply = await chat.send(item.content, token=self._job.token(position))
        except SashError as error:  # the job of this name had another item here
            return Outcome(position=position, id=name, error=error)
        return Outcome(position=position, id=name, reply=reply)


def _apart(make: Callable[[], Any]) -> Any:
    """Run a coroutine to its end: in a thread of its own where a loop is running already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    results: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(asyncio.run(make()))
        except BaseException as error:  # noqa: BLE001 - raised again for the caller
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
