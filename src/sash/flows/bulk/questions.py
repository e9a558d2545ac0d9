"""Questions asked as a batch: each recorded as a request of its conversation, handed in together, settled one by one.

Thin above `batches.py`: a question is in the record with its turn before it is handed in, so a crash anywhere
loses nothing; what a batch did not hold is pending again. A result is used once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sash.errors import CallerError, ConversationBusy, RemoteError, RequestRejected, Unavailable
from sash.flows.bulk import batches
from sash.flows.bulk.batches import Nothing, Ready, Whose
from sash.flows.context import Context
from sash.flows.record import Record
from sash.flows.request.idempotency import Submission
from sash.flows.request.prepare import prepare
from sash.flows.request.send import begin, fit, state_of
from sash.flows.steps import Flow, Now
from sash.model.answers import Answer
from sash.model.batches import Batch, BatchItem, BatchResult, WaitingItem
from sash.model.bill import bill
from sash.model.blocks import dumps
from sash.model.cards import ModelCard
from sash.model.requests import FinishedRequest
from sash.model.submissions import Claim
from sash.model.turns import Draft
from sash.model.usage import Usage
from sash.planning.inputs import Settings

LEASE = 30 * 3_600.0
"""Seconds for which an item is claimed: a batch takes 24 hours at most ("Batch processing")."""

Came = tuple[int, RemoteError | None]
"""The position of a question that was settled, and what came in the place of its reply."""
Cards = Callable[[str], ModelCard]
"""The card of a model that a question was asked of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingQuestion:
    """What is recorded of a question that waits for its reply."""

    position: int
    """of the item in its job"""
    request: int
    number: int
    submission: int
    turns: tuple[int, ...]
    """ids of the turns that a reply settles"""

    @classmethod
    def of(cls, item: WaitingItem) -> WaitingQuestion:
        """From the record."""
        return cls(**{**item.facts, "turns": tuple(item.facts["turns"])})

    @property
    def facts(self) -> dict[str, Any]:
        """For the record."""
        return {
            "position": self.position,
            "request": self.request,
            "number": self.number,
            "submission": self.submission,
            "turns": list(self.turns),
        }


def make_ready(chat: Context, given: Submission, settings: Settings, *, job: str, position: int) -> Flow[Ready | None]:
    """Record one question as a request about to leave; None where it was answered before. Raises CallerErrors."""
    now = yield from Now()
    claimed = chat.store.submissions.claim(
        Claim(
            conversation=chat.conversation,
            token=given.token,
            digest=given.digest,
            within=0.0,
            arrived=given.arrived,
            at=now,
            lease=LEASE,
        )
    )
    if claimed.state == "answered":
        return None
    if claimed.state == "running":
        raise ConversationBusy(f"somebody else is asking item {position} of job {job!r}", conversation=chat.id)
    chat = replace(chat, submission=claimed.submission, count_online=False)
    try:
        prepared = yield from prepare(chat, () if claimed.state == "pending" else given.drafts, settings)
        body = prepared.plan.shared_body
        request = BatchItem(custom_id="checked", body=body)
    except CallerError:
        chat.store.submissions.release(claimed.submission)
        raise
    begun = begin(chat, prepared, settings)
    question = WaitingQuestion(
        position=position,
        request=begun.request,
        number=begun.number,
        submission=claimed.submission,
        turns=(*prepared.pending, *(turn.id for turn in begun.turns)),
    )
    name = f"{_digest(f'{job} {dumps(body)}')}-{begun.request}"
    item = WaitingItem(custom_id=name, conversation=chat.conversation, model=settings.model, facts=question.facts)
    return Ready(item=item, request=replace(request, custom_id=name), betas=prepared.plan.sent.betas)


def hand_in(store: Record, ready: Iterable[Ready], *, namespace: str, job: str) -> Flow[list[str]]:
    """Hand in what is ready, in as few batches as can be; their ids. What is not taken is pending again."""
    whose = Whose(kind="question", namespace=namespace, job=job)
    return (yield from batches.hand_in(store, whose, partial(_free, store), map(_as_flow, ready)))


def release(store: Record, ready: Iterable[Ready]) -> Flow[None]:
    """What was made ready is not handed in after all: its turns are pending."""
    yield from batches.release(partial(_free, store), ready)


def collect(store: Record, job: str, card_of: Cards, *, namespace: str) -> Flow[dict[int, RemoteError]]:
    """Settle all batches of a job that have ended; errors by the position of their items."""
    mine = store.batches.read(kind="question", namespace=namespace, job=job)
    return (yield from collect_from(store, mine, card_of))


def collect_from(store: Record, under_way: Sequence[Batch], card_of: Cards) -> Flow[dict[int, RemoteError]]:
    """Settle those of these batches that have ended; errors by the position of their items."""
    looked = yield from batches.collect(store, under_way, partial(_use, store, card_of), partial(_free, store))
    return {position: error for position, error in looked.came if error is not None}


def under_way(store: Record, job: str, *, namespace: str) -> frozenset[int]:
    """The positions of a job's items that wait in a batch."""
    waiting: set[int] = set()
    for batch in store.batches.read(kind="question", namespace=namespace, job=job):
        items = store.batches.items(batch.id)
        waiting.update(WaitingQuestion.of(item).position for item in items)
    return frozenset(waiting)


def _as_flow(ready: Ready) -> Flow[Ready | None]:
    yield from ()
    return ready


def _use(
    store: Record,
    card_of: Cards,
    batch: Batch,  # noqa: ARG001 - as of any kind
    item: WaitingItem,
    result: BatchResult,
) -> Flow[Came]:
    if result.answer is not None:
        return (yield from _finish(store, item, result.answer, card_of(item.model)))
    refused = result.ending == "errored" and not result.may_pass_later
    kind = result.error or result.ending
    why = Nothing(kind=kind, message=result.message or f"the item {result.ending}")
    return (yield from _fail(store, item, why, refused=refused))


def _finish(store: Record, item: WaitingItem, answer: Answer, card: ModelCard) -> Flow[Came]:
    """Record a reply, at half the price."""
    question = WaitingQuestion.of(item)
    answer, _ = fit(answer, ())
    blocks = answer.blocks
    state = state_of(answer)
    now = yield from Now()
    store.requests.finish(
        FinishedRequest(
            conversation=item.conversation,
            request=question.request,
            reply=Draft(role="assistant", content=dumps(blocks)) if blocks else None,
            state=state,
            settled_turns=question.turns,
            settled_as="withdrawn" if state == "withdrawn" else "answered",
            usage=Usage.of_prompt(answer.usage),
            usage_json=answer.usage,
            cost=bill(answer.usage, card, model=answer.model, batch=True),
            stop_reason=answer.stop_reason,
            message_id=answer.id,
            request_id=answer.request_id,
            at=now,
            model=item.model,
            extra=answer.extra,
            item=item.custom_id,
        )
    )
    store.submissions.release(question.submission, (question.number,))
    return question.position, None


def _free(store: Record, item: WaitingItem, why: Nothing) -> Flow[Came]:
    return (yield from _fail(store, item, why, refused=False))


def _fail(store: Record, item: WaitingItem, why: Nothing, *, refused: bool) -> Flow[Came]:
    """Record that no reply came: a refused request takes its turn along, any other is pending again."""
    question = WaitingQuestion.of(item)
    now = yield from Now()
    error = RequestRejected if refused else Unavailable
    store.requests.fail(
        question.request,
        withdraw=question.turns if refused else (),
        error=f"{error.__name__}: {why.kind}",
        request_id=None,
        at=now,
    )
    store.submissions.release(question.submission)
    store.batches.close_item(item.custom_id)
    remedy = "mend the question" if refused else "run the job again"
    facts: dict[str, Any] = {"status": None, "kind": why.kind, "request_id": None, "number": question.number}
    facts |= {"turn": next(iter(question.turns[-1:]), None), "state": "withdrawn" if refused else "pending"}
    message = f"no reply came of the batch ({why.kind}): {why.message}; {remedy}"
    return question.position, error(message, retry_after=None, **facts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
