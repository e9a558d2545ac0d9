"""Steps for Message Batches: of the API (hand in, ask how one stands, read results) and of the record.

A batch is recorded before it is handed in, item by item, so that a crash on either side of that loses nothing and
nothing is used twice. What an item is for, its kind knows (`sash.flows.batches`); the record keeps it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sash.flows.steps import Step, StoreStep
from sash.model.batches import BatchItem, BatchResult, BatchState


@dataclass(frozen=True, kw_only=True)
class SubmitBatch(Step[BatchState]):
    """Hand in a batch. Raises RemoteError; after an Unavailable without status it may have been made all the same."""

    items: Sequence[BatchItem]
    betas: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadBatch(Step[BatchState]):
    """How a batch stands. Raises RemoteError (404: not of this workspace, or deleted)."""

    id: str


@dataclass(frozen=True, kw_only=True)
class CancelBatch(Step[BatchState]):
    """Ask for a batch's end; what is done by then keeps its results. Raises RemoteError."""

    id: str


@dataclass(frozen=True, kw_only=True)
class RecentBatches(Step[Sequence[BatchState]]):
    """The workspace's batches made at `since` (unix seconds) or later, newest first. Raises RemoteError."""

    since: float


@dataclass(frozen=True, kw_only=True)
class OpenResults(Step[Any]):
    """Begin to read the results of an ended batch; the result is a handle. Raises RemoteError."""

    id: str


@dataclass(frozen=True, kw_only=True)
class NextResult(Step[BatchResult | None]):
    """The next result, in no particular order; None at the end. Raises RemoteError."""

    handle: Any


BATCH_STEPS = (SubmitBatch, ReadBatch, CancelBatch, RecentBatches, OpenResults, NextResult)

# ---- the record -----------------------------------------------------------------------------------

Kind = Literal["question", "summary"]
Phase = Literal["submitting", "submitted", "done", "lost"]
UNDER_WAY: tuple[Phase, ...] = ("submitting", "submitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch of ours, as it is recorded."""

    id: int
    batch: str
    """the API's id; "" while that is not known"""
    phase: Phase
    kind: Kind
    namespace: str
    job: str
    """whose questions they are; "" for summaries"""
    terms: Mapping[str, Any]
    """what all items have in common, as JSON values"""
    size: int
    """how many items were handed in"""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item that waits for its result."""

    custom_id: str
    conversation: int
    model: str
    """of the conversation"""
    facts: Mapping[str, Any]
    """what its kind needs to use the result, as JSON values"""
    branch: int | None = None
    parent: int | None = None
    """id of the summary that it goes on from"""


@dataclass(frozen=True, kw_only=True)
class KeepBatch(StoreStep[Batch]):
    """Record a batch that is about to be handed in."""

    method: ClassVar[str] = "keep_batch"
    kind: Kind
    items: tuple[Item, ...]
    at: float
    namespace: str = ""
    job: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MarkBatch(StoreStep[None]):
    """Record what became of a batch: its id once it is known, its phase. Done or lost, its items go."""

    method: ClassVar[str] = "mark_batch"
    id: int
    phase: Phase
    batch: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadBatches(StoreStep[Sequence[Batch]]):
    """Batches in these phases, oldest first. None: of any kind, of all namespaces, of all jobs."""

    method: ClassVar[str] = "read_batches"
    kind: Kind | None = None
    namespace: str | None = None
    job: str | None = None
    phases: tuple[Phase, ...] = UNDER_WAY


@dataclass(frozen=True, kw_only=True)
class ReadItems(StoreStep[Sequence[Item]]):
    """The items of a batch that still wait for their result, in the order they were handed in."""

    method: ClassVar[str] = "read_items"
    id: int


@dataclass(frozen=True, kw_only=True)
class CloseItem(StoreStep[None]):
    """An item waits no more."""

    method: ClassVar[str] = "close_item"
    custom_id: str
