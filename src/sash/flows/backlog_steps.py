"""Steps for backlogs: which conversations rest, which batches are under way, and what each item is to become.

A batch is recorded before it is handed in, item by item, so that a crash on either side of that loses nothing and
nothing is applied twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from sash.flows.steps import StoreStep
from sash.flows.summary_steps import SummaryTask

BatchPhase = Literal["submitting", "submitted", "done", "lost"]


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
class BatchRow:
    """A batch of ours, as it is recorded."""

    id: int
    batch: str
    """the API's id; "" while that is not known"""
    phase: BatchPhase
    by: str
    """the model that summarises"""
    limit: int
    """tokens that a summary may have"""
    must_keep: bool
    items: int
    at: float


@dataclass(frozen=True, kw_only=True)
class BatchTask:
    """An item that waits for its result."""

    custom_id: str
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
class KeepBatch(StoreStep[BatchRow]):
    """Record a batch that is about to be handed in. The custom id of each item is its task's token."""

    method: ClassVar[str] = "keep_batch"
    by: str
    limit: int
    must_keep: bool
    tasks: tuple[BatchTask, ...]
    at: float


@dataclass(frozen=True, kw_only=True)
class MarkBatch(StoreStep[None]):
    """Record what became of a batch: its id once it is known, its phase. Done or lost, its items go."""

    method: ClassVar[str] = "mark_batch"
    id: int
    phase: BatchPhase
    batch: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadBatches(StoreStep[Sequence[BatchRow]]):
    """Batches in these phases, oldest first."""

    method: ClassVar[str] = "read_batches"
    phases: tuple[BatchPhase, ...] = ("submitting", "submitted")


@dataclass(frozen=True, kw_only=True)
class ReadItems(StoreStep[Sequence[str]]):
    """The custom ids of a batch's items that still wait for their result."""

    method: ClassVar[str] = "read_items"
    id: int


@dataclass(frozen=True, kw_only=True)
class ReadItem(StoreStep[BatchTask | None]):
    """One item with its turns; None where it does not wait any more, or its conversation is gone."""

    method: ClassVar[str] = "read_item"
    custom_id: str


@dataclass(frozen=True, kw_only=True)
class CloseItem(StoreStep[None]):
    """An item waits no more."""

    method: ClassVar[str] = "close_item"
    custom_id: str
