"""Message Batches, whatever their items are: recorded, handed in, looked for where that was cut off, used once.

A batch is recorded item by item before it is sent. Where nobody knows whether it was made, it is looked for before
anything is sent again: by its size, and by an id of ours among its results. What is surely not there is given back.
What becomes of an item, its kind says (`Use`, `Free`): questions (`questions.py`), summaries (`summaries.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from sash.errors import AccessDenied, RemoteError, Unavailable
from sash.flows.record import Record
from sash.flows.steps import Flow, NextResult, Now, OpenResults, ReadBatch, RecentBatches, SubmitBatch
from sash.model.batches import Batch, BatchItem, BatchResult, BatchState, Kind, Portion, WaitingItem

T = TypeVar("T")

CLOCKS = 120.0
"""Seconds by which the API's clock may differ from ours; a batch not listed by then was never made."""
UNSURE = (None, 500, 502, 503, 504)
"""What leaves open whether a batch was made: no answer at all, or a fault in between."""


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """Why an item has no result."""

    kind: str
    """an error type of the API's, or one of ours"""
    message: str


NOT_HANDED_IN = Nothing(kind="not_handed_in", message="it was not handed in")


Use = Callable[[Batch, WaitingItem, BatchResult], Flow[T]]
"""What becomes of an item when its result has come: a reply, or the word that there is none."""
Free = Callable[[WaitingItem, Nothing], Flow[T]]
"""What becomes of an item when none will come: it is as if it had never been handed in."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """An item that may be handed in."""

    item: WaitingItem
    request: BatchItem
    betas: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Whose:
    """What a batch is recorded as. `terms`: what its items have in common, as JSON values."""

    kind: Kind
    namespace: str = ""
    job: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Looked(Generic[T]):
    """What was found when batches were looked at."""

    came: tuple[T, ...] = ()
    """of items that are settled now"""
    waiting: int = 0
    """items of batches that have not ended"""
    lost: int = 0
    """batches that are not there any more, or never were"""

    def __add__(self, other: Looked[T]) -> Looked[T]:
        return Looked(came=self.came + other.came, waiting=self.waiting + other.waiting, lost=self.lost + other.lost)


# ---- handing in -------------------------------------------------------------------------------------------


def hand_in(store: Record, whose: Whose, free: Free[T], making: Iterable[Flow[Ready | None]]) -> Flow[list[str]]:
    """Make items ready, and hand them in, in as few batches as can be; their ids. Raises RemoteError.

    Whatever is raised, items that were made ready and not handed in are free again.
    """
    sent: list[str] = []
    portions: dict[tuple[str, ...], Portion[Ready]] = {}
    try:
        for make in making:
            ready = yield from make
            if ready is None:
                continue
            portion = portions.setdefault(ready.betas, Portion())
            if not portion.takes(ready.request):
                sent += [(yield from _send(store, whose, free, portion.emptied()))]
            portion.add(ready.request, ready)
        for portion in filter(len, portions.values()):
            sent += [(yield from _send(store, whose, free, portion.emptied()))]
    except GeneratorExit:
        raise
    except BaseException:  # Ctrl-C too
        yield from release(free, [ready for portion in portions.values() for ready in portion.emptied()])
        raise
    return sent


def release(free: Free[T], left: Iterable[Ready]) -> Flow[None]:
    """What was made ready is not handed in after all."""
    yield from _each(free, [ready.item for ready in left], NOT_HANDED_IN)


def _send(store: Record, whose: Whose, free: Free[T], portion: Sequence[Ready]) -> Flow[str]:
    """Record a batch, hand it in, record its id."""
    now = yield from Now()
    batch = store.batches.keep(
        kind=whose.kind,
        namespace=whose.namespace,
        job=whose.job,
        terms=whose.terms,
        items=tuple(ready.item for ready in portion),
        at=now,
    )
    try:
        state = yield from SubmitBatch(items=tuple(ready.request for ready in portion), betas=portion[0].betas)
    except RemoteError as error:
        if not (isinstance(error, Unavailable) and error.status in UNSURE):
            yield from _lose(store, batch, free, Nothing(kind=str(error.kind), message=f"not handed in: {error.kind}"))
        raise
    store.batches.mark(batch.id, phase="submitted", batch=state.id)
    return state.id


# ---- collecting -------------------------------------------------------------------------------------------


def collect(store: Record, under_way: Iterable[Batch], use: Use[T], free: Free[T]) -> Flow[Looked[T]]:
    """Use the results of all these batches that have ended. Raises RemoteError; what was used till then stays used."""
    total: Looked[T] = Looked()
    for batch in under_way:
        total = total + (yield from _collected(store, batch, use, free))
    return total


def _collected(store: Record, batch: Batch, use: Use[T], free: Free[T]) -> Flow[Looked[T]]:
    if not batch.batch:
        found = yield from _looked_for(store, batch)
        if found is None:
            return _waiting(store, batch)
        if not found:
            return (yield from _gone(store, batch, free, "it was never made"))
        store.batches.mark(batch.id, phase="submitted", batch=found)
        batch = replace(batch, batch=found)
    try:
        return (yield from _read(store, batch, use, free))
    except AccessDenied as error:
        if error.status != 404 or (yield from Now()) >= batch.at + CLOCKS:
            raise
        return _waiting(store, batch)  # made just now, and not to be seen everywhere yet


def _read(store: Record, batch: Batch, use: Use[T], free: Free[T]) -> Flow[Looked[T]]:
    """What became of a batch that has an id. Raises AccessDenied where it may be that it cannot be seen yet."""
    try:
        state: BatchState | None = yield from ReadBatch(id=batch.batch)
    except AccessDenied as error:
        state = (yield from _listed(batch)) if error.status == 404 else None
        if state is None and (error.status != 404 or (yield from Now()) < batch.at + CLOCKS):
            raise
    if state is None:
        return (yield from _gone(store, batch, free, "it is not there any more"))
    if not state.ended:
        return _waiting(store, batch)
    if not state.kept:
        return (yield from _gone(store, batch, free, "its results are not kept any more"))
    return (yield from _used(store, batch, use, free))


def _waiting(store: Record, batch: Batch) -> Looked[T]:
    return Looked(waiting=len(store.batches.items(batch.id)))


def _listed(batch: Batch) -> Flow[BatchState | None]:
    """A batch that is not found by its id, as the workspace's list has it."""
    listed = yield from RecentBatches(since=batch.at - CLOCKS)
    return next((state for state in listed if state.id == batch.batch), None)


def _looked_for(store: Record, batch: Batch) -> Flow[str | None]:
    """The id of a batch whose sending was cut off; "" where it was never made, None while that is not known.

    What is listed tells how many items a batch has; whether they are ours, only its results tell.
    """
    now = yield from Now()
    known = {one.batch for one in store.batches.read(phases=("submitted", "done", "lost"))}
    listed = yield from RecentBatches(since=batch.at - CLOCKS)
    candidates = [state for state in listed if state.id not in known and state.items == batch.size]
    ours = {item.custom_id for item in store.batches.items(batch.id)}
    for state in candidates:
        if state.ended and state.kept:
            handle = yield from OpenResults(id=state.id)
            first = yield from NextResult(handle=handle)
            if first is not None and first.custom_id in ours:
                return state.id
    undecided = any(not state.ended for state in candidates)
    return None if undecided or now < batch.at + CLOCKS else ""


def _used(store: Record, batch: Batch, use: Use[T], free: Free[T]) -> Flow[Looked[T]]:
    came: list[T] = []
    waiting = {item.custom_id: item for item in store.batches.items(batch.id)}
    handle = yield from OpenResults(id=batch.batch)
    while (result := (yield from NextResult(handle=handle))) is not None:
        item = waiting.pop(result.custom_id, None)
        if item is not None:  # else it was used in an earlier try
            came += [(yield from use(batch, item, result))]
    came += yield from _each(free, waiting.values(), Nothing(kind="batch_lost", message="no result"))
    store.batches.mark(batch.id, phase="done")
    return Looked(came=tuple(came))


def _gone(store: Record, batch: Batch, free: Free[T], why: str) -> Flow[Looked[T]]:
    came = yield from _lose(store, batch, free, Nothing(kind="batch_lost", message=why))
    return Looked(came=tuple(came), lost=1)


def _lose(store: Record, batch: Batch, free: Free[T], why: Nothing) -> Flow[list[T]]:
    """Give all items of a batch back that never was, or is no more."""
    items = store.batches.items(batch.id)
    came = yield from _each(free, items, why)
    store.batches.mark(batch.id, phase="lost", error=why.message)
    return came


def _each(free: Free[T], items: Iterable[WaitingItem], why: Nothing) -> Flow[list[T]]:
    came: list[T] = []
    for item in items:
        came += [(yield from free(item, why))]
    return came
