"""Summaries by the Batches API: conversations at rest are handed in at half the price, and collected whenever.

A batch is recorded item by item before it is sent, results are used once, and one whose conversation moved on is kept
as rejected. A batch whose sending was cut off is looked for before anything is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sash.errors import AccessDenied, RemoteError, Unavailable
from sash.flows.backlog_steps import (
    BatchRow,
    BatchTask,
    CloseItem,
    KeepBatch,
    MarkBatch,
    ReadBatches,
    ReadItem,
    ReadItems,
)
from sash.flows.batch_steps import NextResult, OpenResults, ReadBatch, RecentBatches, SubmitBatch
from sash.flows.resting import Backlog, Collected, Counters, body, due, judged, kept, resting, sizer
from sash.flows.steps import Flow, Now
from sash.flows.summary_jobs import later
from sash.flows.summary_steps import FailSummary
from sash.model.batches import MOST_BYTES, MOST_ITEMS, BatchItem, BatchResult

CLOCKS = 120.0
"""Seconds by which the API's clock may differ from ours; a batch not listed by then was never made."""
UNSURE = (None, 500, 502, 503, 504)
"""What leaves open whether a batch was made: no answer at all, or a fault in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What was handed in."""

    batches: tuple[str, ...] = ()
    """the API's ids"""
    conversations: int = 0
    skipped: tuple[str, ...] = ()
    """ids of conversations with a turn too large for one request"""


# ---- handing in -------------------------------------------------------------------------------------------


def submit(backlog: Backlog, counters: Counters) -> Flow[Submitted]:
    """Hand in what rests and no summary covers. Raises RemoteError; what surely was not sent is given back first."""
    group = _Group()
    sent: list[str] = []
    conversations, skipped = 0, []
    for one in (yield from resting(backlog)):
        found = yield from due(backlog, one, counters)
        skipped += [one.id] if found.skipped else []
        if found.task is None:
            continue
        item = BatchItem(custom_id=found.task.custom_id, body=body(backlog, found.task.task))
        if not group.takes(item):
            sent.append((yield from _send(backlog, group)))
            group = _Group()
        group.add(found.task, item)
        conversations += 1
    if group.items:
        sent.append((yield from _send(backlog, group)))
    return Submitted(batches=tuple(sent), conversations=conversations, skipped=tuple(skipped))


class _Group:
    """What becomes one batch."""

    def __init__(self) -> None:
        self.tasks: list[BatchTask] = []
        self.items: list[BatchItem] = []
        self.bytes = 16  # around the list

    def takes(self, item: BatchItem) -> bool:
        """Whether one more fits."""
        return not self.items or (len(self.items) < MOST_ITEMS and self.bytes + item.bytes <= MOST_BYTES)

    def add(self, task: BatchTask, item: BatchItem) -> None:
        """One more."""
        self.tasks.append(task)
        self.items.append(item)
        self.bytes += item.bytes


def _send(backlog: Backlog, group: _Group) -> Flow[str]:
    """Record the batch, hand it in, record its id. Raises RemoteError."""
    now = yield from Now()
    row = yield from KeepBatch(
        by=backlog.by, limit=backlog.limit, must_keep=backlog.must_keep, tasks=tuple(group.tasks), at=now
    )
    try:
        state = yield from SubmitBatch(items=tuple(group.items))
    except RemoteError as error:
        if not (isinstance(error, Unavailable) and error.status in UNSURE):
            yield from _release(row, f"not handed in: {error.kind}")
        raise
    yield from MarkBatch(id=row.id, phase="submitted", batch=state.id)
    return state.id


# ---- collecting -------------------------------------------------------------------------------------------


def collect(counters: Counters) -> Flow[Collected]:
    """Use the results of all batches that have ended. Raises RemoteError; what was used till then stays used."""
    total = Collected()
    for row in (yield from ReadBatches()):
        total += yield from _collected(row, counters)
    return total


def _collected(row: BatchRow, counters: Counters) -> Flow[Collected]:
    if row.phase == "submitting":
        found = yield from _looked_for(row)
        if found is None:
            return Collected(waiting=row.items)
        if not found:
            return (yield from _gone(row, "it was never made"))
        yield from MarkBatch(id=row.id, phase="submitted", batch=found)
        row = replace(row, batch=found)
    try:
        state = yield from ReadBatch(id=row.batch)
    except AccessDenied as error:
        if error.status != 404:
            raise
        return (yield from _gone(row, "it is not there any more"))
    if not state.ended:
        return Collected(waiting=len((yield from ReadItems(id=row.id))))
    if not state.kept:
        return (yield from _gone(row, "its results are not kept any more"))
    return (yield from _used(row, counters))


def _looked_for(row: BatchRow) -> Flow[str | None]:
    """The id of a batch whose sending was cut off; "" where it was never made, None while that is not known.

    What is listed tells how many items a batch has; whether they are ours, only its results tell.
    """
    now = yield from Now()
    known = {one.batch for one in (yield from ReadBatches(phases=("submitted", "done", "lost")))}
    listed = yield from RecentBatches(since=row.at - CLOCKS)
    candidates = [state for state in listed if state.id not in known and state.items == row.items]
    ours = set((yield from ReadItems(id=row.id)))
    for state in candidates:
        if state.ended and state.kept:
            handle = yield from OpenResults(id=state.id)
            first = yield from NextResult(handle=handle)
            if first is not None and first.custom_id in ours:
                return state.id
    undecided = any(not state.ended for state in candidates)
    return None if undecided or now < row.at + CLOCKS else ""


def _used(row: BatchRow, counters: Counters) -> Flow[Collected]:
    total = Collected()
    waiting = set((yield from ReadItems(id=row.id)))
    handle = yield from OpenResults(id=row.batch)
    while (result := (yield from NextResult(handle=handle))) is not None:
        if result.custom_id in waiting:
            waiting.discard(result.custom_id)
            total += yield from _applied(row, result, counters)
    for custom_id in waiting:
        total += yield from _failed(custom_id, "no result", soon=True)
    yield from MarkBatch(id=row.id, phase="done")
    return total


def _applied(row: BatchRow, result: BatchResult, counters: Counters) -> Flow[Collected]:
    if result.answer is None:
        why = " ".join(filter(None, (result.ending, result.error)))
        return (yield from _failed(result.custom_id, why, soon=result.may_pass_later))
    item = yield from ReadItem(custom_id=result.custom_id)
    if item is None:
        return Collected()  # used by somebody else just now, or its conversation was deleted
    terms = Backlog(by=row.by, limit=row.limit, must_keep=row.must_keep)
    size = sizer(counters(item.model or row.by))
    now = yield from Now()
    return (yield from kept(judged(terms, item, result.answer, size, now, batch=row.batch)))


def _failed(custom_id: str, why: str, *, soon: bool) -> Flow[Collected]:
    item = yield from ReadItem(custom_id=custom_id)
    if item is None:
        return Collected()
    now = yield from Now()
    yield from FailSummary(
        conversation=item.conversation,
        token=item.task.token,
        error=f"batch item {why}",
        retry_at=now if soon else later(now, item.task),
        upto=item.task.upto,
    )
    yield from CloseItem(custom_id=custom_id)
    return Collected(failed=1)


def _gone(row: BatchRow, why: str) -> Flow[Collected]:
    yield from _release(row, why)
    return Collected(lost=1)


def _release(row: BatchRow, why: str) -> Flow[None]:
    """Give all items of a batch back that never was, or is no more."""
    for custom_id in (yield from ReadItems(id=row.id)):
        yield from _failed(custom_id, why, soon=True)
    yield from MarkBatch(id=row.id, phase="lost", error=why)
