"""Steps for making summaries: taking the job, so that nobody else makes the same one; keeping what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sash.flows.steps import Step, StoreStep
from sash.model.summaries import Outcome, Summary, SummaryRecord, Way
from sash.model.turns import Turn
from sash.model.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Settle(Step[None]):
    """Wait for the summary that this very conversation object is making in the background, if it is."""


@dataclass(frozen=True, kw_only=True)
class SummaryTask:
    """A job that is ours until its lease ends: what the summary is to be made from."""

    token: str
    branch: int
    upto: int
    parent: Summary | None
    turns: tuple[Turn, ...]
    """those that the parent kept verbatim, then all behind it up to `upto`, withdrawn ones left out; oldest first"""
    failures: int = 0
    """to make it, in a row"""


@dataclass(frozen=True, kw_only=True)
class BeginSummary(StoreStep[SummaryTask | None]):
    """Take the job of summarising a conversation's present branch up to a turn.

    None: somebody else is at it, or nothing is left to cover. A lease that ended is taken over.
    """

    method: ClassVar[str] = "begin_summary"
    conversation: int
    upto: int
    """seq of the newest turn to cover"""
    at: float
    until: float
    """when the lease ends, in unix seconds"""
    anew: bool = False
    """from the first turn on, whatever summaries there are"""
    server: bool = False
    """it goes on from the last block that the API compacted, not from a summary of another make"""


@dataclass(frozen=True, kw_only=True)
class KeepSummary(StoreStep[Summary | None]):
    """Record a summary with its sources and what it cost, and give the job back.

    The result is None where it may not be used: rejected, made after the lease was lost, or from turns that were
    withdrawn meanwhile. It is recorded all the same, as rejected: it was paid for.
    """

    method: ClassVar[str] = "keep_summary"
    conversation: int
    task: SummaryTask
    state: Outcome
    text: str
    content: str
    verbatim: tuple[int, ...]
    model: str
    prompt: str
    way: Way
    tokens: int
    requests: int
    usage: Usage
    cost: float | None
    report: Mapping[str, Any] = field(default_factory=dict)
    at: float
    retry_at: float = 0.0
    """of a rejected one: not again before"""
    item: str = ""
    """the custom id of the batch item it came from, which waits no more; one that does not wait is not kept again"""


@dataclass(frozen=True, kw_only=True)
class FailSummary(StoreStep[None]):
    """Give the job back without a summary, and say why and until when to leave it."""

    method: ClassVar[str] = "fail_summary"
    conversation: int
    token: str
    error: str
    retry_at: float
    upto: int


@dataclass(frozen=True, kw_only=True)
class ReadSummaries(StoreStep[Sequence[SummaryRecord]]):
    """All summaries of the present branch, rejected ones included, in the order they were made."""

    method: ClassVar[str] = "read_summaries"
    conversation: int
