"""Summaries by the Batches API: conversations at rest are handed in at half the price, and collected whenever.

Thin above `batches.py`: what rests is made ready, what comes back is judged. One whose conversation moved on is
kept as rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add

from sash.flows.bulk import batches
from sash.flows.bulk.batches import Nothing, Ready, Whose
from sash.flows.record import Record
from sash.flows.steps import Flow, Now
from sash.flows.summaries.jobs import later
from sash.flows.summaries.resting import Backlog, Collected, Counters, body, digest, due, judged, kept, resting, sizer
from sash.model.batches import Batch, BatchItem, BatchResult, WaitingItem
from sash.model.summaries import Resting


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What was handed in."""

    batches: tuple[str, ...] = ()
    """the API's ids"""
    conversations: int = 0
    skipped: tuple[str, ...] = ()
    """ids of conversations with a turn too large for one request"""


@dataclass(kw_only=True)
class _Told:
    """What is told of conversations while they are made ready."""

    ready: int = 0
    skipped: list[str] = field(default_factory=list)


def submit(store: Record, backlog: Backlog, counters: Counters) -> Flow[Submitted]:
    """Hand in what rests and no summary covers. Raises RemoteError; what surely was not sent is given back first."""
    told = _Told()
    found = yield from resting(store, backlog)
    making: Iterator[Flow[Ready | None]] = (_ready(store, backlog, one, counters, told) for one in found)
    terms = {"by": backlog.by, "limit": backlog.limit, "must_keep": backlog.must_keep}
    sent = yield from batches.hand_in(store, Whose(kind="summary", terms=terms), partial(_free, store), making)
    return Submitted(batches=tuple(sent), conversations=told.ready, skipped=tuple(told.skipped))


def collect(store: Record, counters: Counters) -> Flow[Collected]:
    """Use the results of all batches that have ended. Raises RemoteError; what was used till then stays used."""
    return (yield from collect_from(store, store.batches.read(kind="summary"), counters))


def collect_from(store: Record, under_way: Sequence[Batch], counters: Counters) -> Flow[Collected]:
    """Use the results of those of these batches that have ended. Raises as `collect` does."""
    looked = yield from batches.collect(store, under_way, partial(_use, store, counters), partial(_free, store))
    return reduce(add, looked.came, Collected(waiting=looked.waiting, lost=looked.lost))


def _ready(store: Record, backlog: Backlog, one: Resting, counters: Counters, told: _Told) -> Flow[Ready | None]:
    """Take the job of a conversation's next summary, where it wants one."""
    found = yield from due(store, backlog, one, counters)
    if found.skipped:
        told.skipped.append(one.id)
    if found.task is None:
        return None
    told.ready += 1
    task = found.task.task
    item = WaitingItem(
        custom_id=task.token,
        conversation=one.conversation,
        model=one.model,
        branch=task.branch,
        parent=task.parent.id if task.parent else None,
        facts={
            "upto": task.upto,
            "ids": [turn.id for turn in task.turns],
            "digest": digest(task.turns, task.parent),
        },
    )
    return Ready(item=item, request=BatchItem(custom_id=task.token, body=body(backlog, task)))


def _use(store: Record, counters: Counters, batch: Batch, item: WaitingItem, result: BatchResult) -> Flow[Collected]:
    found = store.summaries.task(item.custom_id)
    if found is None:
        return Collected()  # used by somebody else just now, or its conversation was deleted
    now = yield from Now()
    if result.answer is None:
        why = " ".join(filter(None, (result.ending, result.error)))
        return _failed(store, item, why, retry_at=now if result.may_pass_later else later(now, found.task.failures))
    terms = Backlog(**batch.terms)
    size = sizer(counters(item.model or terms.by))
    return kept(store, judged(terms, found, result.answer, size, now, batch=batch.batch))


def _free(store: Record, item: WaitingItem, why: Nothing) -> Flow[Collected]:
    now = yield from Now()
    return _failed(store, item, why.message, retry_at=now)


def _failed(store: Record, item: WaitingItem, why: str, *, retry_at: float) -> Collected:
    """Give the job back."""
    store.summaries.fail(
        item.conversation,
        token=item.custom_id,
        error=f"batch item {why}",
        retry_at=retry_at,
        upto=item.facts["upto"],
    )
    store.batches.close_item(item.custom_id)
    return Collected(failed=1)
