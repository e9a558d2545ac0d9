"""The vocabulary of I/O: what a flow may ask of network, clock and caller, as frozen values.

A flow is a generator that yields steps and is sent their results; `result = yield from Step(...)` is typed. Steps are
performed by the Claude adapter or the driver; what is recorded, a flow asks of its store at once
(`sash.flows.record`). Flows know nothing of SQL, sockets, threads or clocks.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sash.model.answers import Answer, StreamEvent, Wire
from sash.model.batches import BatchItem, BatchResult, BatchState
from sash.model.functions import Function

R = TypeVar("R")
Flow = Generator["Step[Any]", Any, R]


@dataclass(frozen=True, kw_only=True)
class Step(Generic[R]):
    """One piece of I/O with a result of type R."""

    def __iter__(self) -> Generator[Step[R], R, R]:
        return (yield self)


class Abandoned(BaseException):
    """The caller left a stream before its end; thrown into the flow like a cancellation."""


# ---- the clock, the model, the caller -------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Now(Step[float]):
    """The time, in unix seconds."""


@dataclass(frozen=True, kw_only=True)
class Pause(Step[None]):
    """Let `seconds` pass, for somebody else to get on."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Send(Step[Answer]):
    """Send a request and wait for the whole reply. Raises RemoteError."""

    wire: Wire


@dataclass(frozen=True, kw_only=True)
class OpenStream(Step[Any]):
    """Send a request and open its stream; the result is a handle. Raises RemoteError."""

    wire: Wire


@dataclass(frozen=True, kw_only=True)
class NextEvent(Step[StreamEvent | None]):
    """The next event, or None at the end. Raises RemoteError."""

    handle: Any


@dataclass(frozen=True, kw_only=True)
class Snapshot(Step[Answer | None]):
    """What has come so far, as an answer (None: not even its beginning). Asks nothing of the network."""

    handle: Any


@dataclass(frozen=True, kw_only=True)
class CloseStream(Step[None]):
    """Close a stream, finished or not."""

    handle: Any


@dataclass(frozen=True, kw_only=True)
class Emit(Step[None]):
    """Hand an event to the caller."""

    event: StreamEvent


@dataclass(frozen=True, kw_only=True)
class CallTool(Step[Any]):
    """Call a function with the input that Claude chose. Raises whatever the function raises."""

    function: Function
    input: Any


@dataclass(frozen=True, kw_only=True)
class CountTokens(Step[int]):
    """Ask the count-tokens endpoint. Raises RemoteError."""

    params: Mapping[str, Any]
    betas: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WaitForBackground(Step[bool]):
    """Wait for what this very conversation object does in the background, if anything.

    Whether something ended there since the call began: the record has changed then.
    """


# ---- Message Batches ----------------------------------------------------------------------------


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


BATCH_STEPS = (SubmitBatch, ReadBatch, RecentBatches, OpenResults, NextResult)
