"""Jobs that workers take: each is done as it would have been beside its conversation, which left it (`left.py`).

What is raised is what the far side or the record raised; who does the jobs says when each is tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sash.flows.bulk import questions, summaries
from sash.flows.bulk.questions import Cards
from sash.flows.context import Context
from sash.flows.distil import WORTH_IT, distil
from sash.flows.history.recall import embed
from sash.flows.record import Record
from sash.flows.steps import Flow, Now
from sash.flows.summaries.resting import Counters
from sash.flows.summaries.summarise import summarise
from sash.model.jobs import Job
from sash.planning.inputs import Settings
from sash.planning.strategies.summarised import Summarised
from sash.planning.summaries.cost import SummaryRequest
from sash.recall.settings import Embedder

LATER = 30.0
"""Seconds after which a job is looked at again that somebody else is doing."""
POLL = 60.0
"""Seconds between two looks at a batch."""

GoOn = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What came of a job."""

    again: float | None = None
    """when it is to be looked at again, in unix seconds; None: it is done"""
    worked: bool = True
    """whether anything was done"""
    error: str = ""
    """why it came to nothing for its own sake"""


def summarise_left(chat: Context, settings: Settings, job: Job, by: str) -> Flow[JobResult]:
    """Have `by` make the summary. Raises RemoteErrors, StoreErrors, CallerErrors."""
    before, now = chat.store.summaries.trouble(chat.conversation), (yield from Now())
    if before.held_until > now:
        return JobResult(again=min(before.held_until, now + LATER), worked=False)
    own = Summarised(by=by, tokens=job.terms["tokens"], must_keep=job.terms["must_keep"], warm=False)
    made = yield from summarise(chat, settings, own, SummaryRequest(upto=job.terms["upto"]))
    if made.error is not None:
        raise made.error
    after = chat.store.summaries.trouble(chat.conversation)
    if made.summary is None and after.failures > before.failures:
        return JobResult(error=f"rejected: {made.note}")
    if made.summary is None and after.held_until > now:
        return JobResult(again=now + LATER, worked=False)
    return JobResult(worked=made.summary is not None)


def distil_left(chat: Context, settings: Settings, job: Job, by: str, go_on: GoOn) -> Flow[JobResult]:
    """Have `by` read what the conversation's user said, request after request. Raises as `summarise_left` does."""
    now, worked = (yield from Now()), False
    if not chat.user:
        return JobResult(worked=False)  # it is nobody's any more
    until = chat.store.distillings.until(user=chat.user, namespace=chat.namespace)
    if until > now:
        return JobResult(again=min(until, now + LATER), worked=False)
    while go_on():
        found = yield from distil(chat, settings, by, least=WORTH_IT if worked else job.terms["least"])
        if found.error is not None:
            raise found.error
        if not found.turns:
            return JobResult(worked=worked)
        if found.note:
            return JobResult(error=found.note)
        worked = True
    return JobResult(again=now, worked=worked)


def embed_left(chat: Context, embedder: bool | Embedder, go_on: GoOn) -> Flow[JobResult]:
    """Give all turns their vectors."""
    done, now = embed(chat, embedder, go_on), (yield from Now())
    return JobResult(again=None if go_on() else now, worked=bool(done))


def collect_left(store: Record, job: Job, counters: Counters, card_of: Cards) -> Flow[JobResult]:
    """Use what has come of a batch, of whatever kind. Raises RemoteErrors."""
    under_way = [batch for batch in store.batches.read() if batch.id == job.subject]
    for batch in under_way:
        if batch.kind == "summary":
            yield from summaries.collect_from(store, [batch], counters)
        else:
            yield from questions.collect_from(store, [batch], card_of)
    if any(batch.id == job.subject for batch in store.batches.read()):
        return JobResult(again=(yield from Now()) + POLL, worked=False)
    return JobResult(worked=bool(under_way))
