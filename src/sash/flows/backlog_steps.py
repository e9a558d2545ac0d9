"""Steps for backlogs: which conversations rest, and what an item of a batch is to become a summary of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sash.flows.steps import StoreStep
from sash.flows.summary_steps import SummaryTask


@dataclass(frozen=True, kw_only=True)
class Resting:
    """A conversation that nobody has spoken in for a while."""

    conversation: int
    namespace: str
    id: str
    model: str
    """of its last request; "" where there was none"""
    covered: int
    """seq up to which a summary covers it; 0: none does"""


@dataclass(frozen=True, kw_only=True)
class BatchTask:
    """A summary that is to be made of a conversation at rest."""

    conversation: int
    model: str
    """of the conversation"""
    task: SummaryTask
    intact: bool = True
    """its turns still say what they said when it was recorded"""


@dataclass(frozen=True, kw_only=True)
class ReadResting(StoreStep[Sequence[Resting]]):
    """Conversations without a turn since `before`, and for which nobody is making a summary, oldest rest first."""

    method: ClassVar[str] = "read_resting"
    namespace: str | None
    """None: all of them"""
    before: float
    at: float


@dataclass(frozen=True, kw_only=True)
class ReadTask(StoreStep[BatchTask | None]):
    """What an item of a batch is to become a summary of; None where it does not wait, or its conversation is gone."""

    method: ClassVar[str] = "read_task"
    custom_id: str
