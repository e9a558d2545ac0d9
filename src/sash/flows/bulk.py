"""Questions asked as a batch: each recorded as a request of its conversation, handed in together, settled one by one.

A request that is about to be handed in is in the record with its turn, so a crash anywhere loses nothing: a batch whose
id was never heard of is looked for, and what it did not hold is pending again. A result is used once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sash.errors import CallerError, ConversationBusy, RemoteError, RequestRejected, Unavailable
from sash.flows.batch_steps import NextResult, OpenResults, ReadBatch, RecentBatches, SubmitBatch
from sash.flows.bulk_steps import (
    CloseHandedIn,
    HandedIn,
    HandIn,
    KeepHandIn,
    KnownBatches,
    MarkHandIn,
    ReadHandIns,
)
from sash.flows.once import Submission
from sash.flows.prepare import prepare
from sash.flows.send import begin, fit, state_of
from sash.flows.steps import Claim, FailRequest, FinishRequest, Flow, Now, SettleClaim
from sash.flows.talk import Chat
from sash.model.answers import Answer
from sash.model.batches import BatchItem, BatchResult, BatchState, portions
from sash.model.bill import bill
from sash.model.blocks import dumps
from sash.model.cards import ModelCard
from sash.model.turns import Draft
from sash.model.usage import Usage
from sash.planning.plan import Settings

LEASE = 30 * 3_600.0
"""Seconds for which an item is claimed: a batch takes 24 hours at most ("Batch processing")."""
SKEW = 60.0
"""Seconds by which this clock may be ahead of the API's."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A request that is recorded and may be handed in."""

    handed: HandedIn
    item: BatchItem
    betas: tuple[str, ...]


def make_ready(chat: Chat, given: Submission, settings: Settings, *, job: str, position: int) -> Flow[Ready | None]:
    """Record one question as a request about to leave; None where it was answered before. Raises CallerErrors."""
    now = yield from Now()
    claimed = yield from Claim(
        conversation=chat.conversation,
        token=given.token,
        digest=given.digest,
        within=0.0,
        arrived=given.arrived,
        at=now,
        lease=LEASE,
    )
    if claimed.state == "answered":
        return None
    if claimed.state == "running":
        raise ConversationBusy(f"somebody else is asking item {position} of job {job!r}", conversation=chat.id)
    chat = replace(chat, submission=claimed.submission, endpoint=False)
    try:
        prepared = yield from prepare(chat, () if claimed.state == "pending" else given.drafts, settings)
        item = BatchItem(custom_id="checked", body=prepared.plan.body)
    except CallerError:
        yield from SettleClaim(submission=claimed.submission)
        raise
    begun = yield from begin(chat, prepared, settings)
    handed = HandedIn(
        custom_id=f"{_digest(job)}-{begun.request}",
        conversation=chat.conversation,
        position=position,
        request=begun.request,
        number=begun.number,
        submission=claimed.submission,
        turns=(*prepared.pending, *(turn.id for turn in begun.turns)),
        model=settings.model,
    )
    return Ready(handed=handed, item=replace(item, custom_id=handed.custom_id), betas=prepared.plan.sent.betas)


def hand_in(ready: Sequence[Ready], *, namespace: str, job: str) -> Flow[int]:
    """Hand in what is ready, in as few batches as can be; how many those were. What is not taken is pending again."""
    count = 0
    left = {one.item.custom_id: one for one in ready}
    try:
        for betas in dict.fromkeys(one.betas for one in ready):
            for portion in portions(one.item for one in ready if one.betas == betas):
                items = tuple(left.pop(item.custom_id).handed for item in portion)
                yield from _submit(portion, items, betas, namespace=namespace, job=job)
                count += 1
    except GeneratorExit:
        raise
    except BaseException:  # Ctrl-C too: what was not handed in is not claimed any longer
        yield from release(tuple(left.values()))
        raise
    return count


def release(ready: Sequence[Ready]) -> Flow[None]:
    """What was made ready is not handed in after all: its turns are pending."""
    for one in ready:
        yield from _fail(one.handed, "not_handed_in", "it was not handed in")


def _submit(
    portion: Sequence[BatchItem], items: tuple[HandedIn, ...], betas: tuple[str, ...], *, namespace: str, job: str
) -> Flow[None]:
    now = yield from Now()
    key = yield from KeepHandIn(namespace=namespace, job=job, items=items, at=now)
    try:
        state = yield from SubmitBatch(items=portion, betas=betas)
    except RemoteError as failed:
        if failed.facts.get("status") is not None:  # else it may have been made all the same: it is looked for later
            yield from _give_up(key, items, f"{type(failed).__name__}: {failed.facts.get('kind')}")
        raise
    yield from MarkHandIn(id=key, phase="submitted", batch=state.id)


def collect(job: str, cards: Mapping[str, ModelCard], *, namespace: str) -> Flow[dict[int, RemoteError]]:
    """Settle all batches of a job that have ended; errors by the position of their items."""
    errors: dict[int, RemoteError] = {}
    for batch in (yield from ReadHandIns(namespace=namespace, job=job)):
        found = yield from _found(batch)
        if found is None:
            yield from _give_up(batch.id, batch.items, "Unavailable: batch_lost")
            continue
        state = yield from ReadBatch(id=found)
        if state.ended:
            errors |= yield from _settled(batch, found, cards)
    return errors


def _found(batch: HandIn) -> Flow[str | None]:
    """The API's id of a batch: as recorded; else of the one that was made then and nobody knows of."""
    if batch.batch:
        return batch.batch
    known = yield from KnownBatches()
    recent: Sequence[BatchState] = yield from RecentBatches(since=batch.at - SKEW)
    ours = [state.id for state in recent if state.id not in known and state.items == batch.size]
    if not ours:
        return None
    yield from MarkHandIn(id=batch.id, phase="submitted", batch=ours[-1])
    return ours[-1]


def _settled(batch: HandIn, found: str, cards: Mapping[str, ModelCard]) -> Flow[dict[int, RemoteError]]:
    """Use every result once; what has none is pending again."""
    waiting = {item.custom_id: item for item in batch.items}
    errors: dict[int, RemoteError] = {}
    handle = yield from OpenResults(id=found)
    while (result := (yield from NextResult(handle=handle))) is not None:
        item = waiting.pop(result.custom_id, None)
        if item is None:
            continue  # settled in an earlier try
        failed = yield from _use(item, result, cards[item.model])
        if failed is not None:
            errors[item.position] = failed
    for item in waiting.values():
        errors[item.position] = yield from _fail(item, "batch_lost", "the batch has no result for it")
    yield from MarkHandIn(id=batch.id, phase="done")
    return errors


def _use(item: HandedIn, result: BatchResult, card: ModelCard) -> Flow[RemoteError | None]:
    if result.answer is not None:
        yield from _finish(item, result.answer, card)
        return None
    kind = result.error or result.ending
    return (yield from _fail(item, kind, result.message or f"the item {result.ending}", result=result))


def _finish(item: HandedIn, answer: Answer, card: ModelCard) -> Flow[None]:
    """Record a reply, at half the price."""
    answer, _ = fit(answer, ())
    blocks = answer.blocks
    state = state_of(answer)
    now = yield from Now()
    yield from FinishRequest(
        request=item.request,
        reply=Draft(role="assistant", content=dumps(blocks)) if blocks else None,
        state=state,
        settle=item.turns,
        settled="withdrawn" if state == "withdrawn" else "answered",
        usage=Usage.of_prompt(answer.usage),
        usage_json=answer.usage,
        cost=bill(answer.usage, card, model=answer.model, batch=True),
        stop_reason=answer.stop_reason,
        message_id=answer.id,
        request_id=answer.request_id,
        at=now,
        model=item.model,
        extra=answer.extra,
    )
    yield from SettleClaim(submission=item.submission, numbers=(item.number,))
    yield from CloseHandedIn(custom_id=item.custom_id)


def _fail(item: HandedIn, kind: str, message: str, *, result: BatchResult | None = None) -> Flow[RemoteError]:
    """Record that no reply came: a refused request takes its turn along, any other is pending again."""
    refused = result is not None and result.ending == "errored" and not result.may_pass_later
    now = yield from Now()
    error = RequestRejected if refused else Unavailable
    yield from FailRequest(
        request=item.request,
        withdraw=item.turns if refused else (),
        error=f"{error.__name__}: {kind}",
        request_id=None,
        at=now,
    )
    yield from SettleClaim(submission=item.submission)
    yield from CloseHandedIn(custom_id=item.custom_id)
    remedy = "mend the question" if refused else "run the job again"
    facts: dict[str, Any] = {"status": None, "kind": kind, "request_id": None, "number": item.number}
    facts |= {"turn": next(iter(item.turns[-1:]), None), "state": "withdrawn" if refused else "pending"}
    return error(f"no reply came of the batch ({kind}): {message}; {remedy}", retry_after=None, **facts)


def _give_up(key: int, items: Sequence[HandedIn], error: str) -> Flow[None]:
    """A batch that was never made: its requests failed, its turns are pending again."""
    for item in items:
        yield from _fail(item, error.partition(": ")[2], "the batch was not made")
    yield from MarkHandIn(id=key, phase="lost")


def _digest(job: str) -> str:
    return hashlib.sha256(job.encode("utf-8", "surrogatepass")).hexdigest()[:16]
