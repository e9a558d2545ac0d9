"""Steps for Message Batches: hand in, ask how it stands, read the results, cancel, look for one that got lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sash.flows.steps import Step
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
