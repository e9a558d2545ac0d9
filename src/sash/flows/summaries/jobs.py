"""The job of making a summary: taken so that nobody makes the same one, given back whatever happens.

Whoever fails leaves the record as it was but for a note of when to try again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sash.errors import CallerError, ConversationBusy, RemoteError, SashError, StoreError
from sash.flows.context import Context
from sash.flows.record import Record
from sash.flows.steps import Flow, Now
from sash.model.summaries import Summary, SummaryTask
from sash.planning.summaries.cost import SummaryRequest

R = TypeVar("R")

LEASE = 900.0
"""Seconds for which a job is ours: after that another process may take it over."""
BACKOFF, LONGEST = 30.0, 3_600.0
"""Seconds to leave it after a failure: doubled with each one in a row."""


@dataclass(frozen=True, kw_only=True)
class SummaryResult:
    """What came of it: the summary, or None and why. Dollars."""

    summary: Summary | None = None
    note: str = ""
    cost: float = 0.0
    error: SashError | None = None
    """of the far side, or of the record"""


Make = Callable[[SummaryTask], Flow[SummaryResult]]


def with_job(
    chat: Context, wish: SummaryRequest, make: Make, *, strict: bool = False, server: bool = False
) -> Flow[SummaryResult]:
    """Take the job and make the summary. Failures of the far side are told, not raised, unless `strict`.

    `server`: what the API compacts goes on from its own last block, not from a summary of another make.
    """
    now = yield from Now()
    task = chat.store.summaries.begin(
        chat.conversation, upto=wish.upto, at=now, until=now + LEASE, anew=wish.anew, server=server
    )
    if task is None and strict:
        raise ConversationBusy(f"a summary of {chat.id!r} is being made; try again later", conversation=chat.id)
    if task is None:
        return SummaryResult(note="somebody else is making it, or there is nothing left to cover")

    try:
        return (yield from or_given_back(make(task), giving_back(chat.store, chat.conversation, task)))
    except (RemoteError, StoreError, CallerError) as error:
        if strict:
            raise
        note = f"{type(error).__name__}: {getattr(error, 'kind', None) or 'no summary'}"
        return SummaryResult(note=note, error=error)


def giving_back(store: Record, conversation: int, task: SummaryTask) -> Callable[[str, float], None]:
    """What gives the job of a summary back, for `or_given_back`."""

    def give_back(error: str, now: float) -> None:
        store.summaries.fail(
            conversation, token=task.token, error=error, retry_at=later(now, task.failures), upto=task.upto
        )

    return give_back


def or_given_back(work: Flow[R], give_back: Callable[[str, float], None]) -> Flow[R]:
    """The work on a job; an error gives the job back (its name, and when it came) before it goes on its way."""
    try:
        return (yield from work)
    except GeneratorExit:
        raise  # nobody drives this flow any more; the lease ends by itself
    except BaseException as error:  # cancelled, Ctrl-C, a bug
        with suppress(StoreError, CallerError):  # gone, or closed meanwhile: the lease ends by itself
            give_back(type(error).__name__, (yield from Now()))
        raise


def later(now: float, failures: int) -> float:
    """When to try again after so many failures, in unix seconds."""
    return now + min(LONGEST, BACKOFF * 2.0**failures)
