"""The vocabulary of I/O: what a flow may ask of network, clock and caller, as frozen values.

A flow is a generator that yields steps and is sent their results; `result = yield from Step(...)` is typed. Steps are
performed by the Claude adapter or the driver; what is recorded, a flow asks of its store at once
(`sash.flows.record`). Flows know nothing of SQL, sockets, threads or clocks.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeVar

from sash.limits.ceilings import Account, Charge
from sash.model.answers import Answer, StreamEvent, Wire
from sash.model.batches import BatchItem, BatchResult, BatchState
from sash.model.functions import Function
from sash.model.requests import Begun, FinishedRequest, NewRequest, Paid
from sash.model.turns import Turn
from sash.model.window import Head

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
class Settle(Step[None]):
    """Wait for the summary that this very conversation object is making in the background, if it is."""


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


# ---- the record: on its way into `sash.flows.record` ------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StoreStep(Step[R]):
    """A step that the store's method of the name `method` performs."""

    method: ClassVar[str]

    def on(self, store: Any) -> Any:
        """Perform it."""
        return getattr(store, self.method)(**{one.name: getattr(self, one.name) for one in fields(self)})


@dataclass(frozen=True, kw_only=True)
class ReadHead(StoreStep[Head]):
    """Where the conversation stands now; cheap."""

    method: ClassVar[str] = "read_head"
    conversation: int


@dataclass(frozen=True, kw_only=True)
class BeginRequest(NewRequest, StoreStep[Begun]):
    """Record a request before it is sent."""

    method: ClassVar[str] = "begin_request"

    def on(self, store: Any) -> Any:
        """Perform it."""
        return store.begin_request(self)


@dataclass(frozen=True, kw_only=True)
class FinishRequest(FinishedRequest, StoreStep[Turn | None]):
    """Record reply, usage and cost in one transaction; the result is the reply's turn."""

    method: ClassVar[str] = "finish_request"

    def on(self, store: Any) -> Any:
        """Perform it."""
        return store.finish_request(self)


@dataclass(frozen=True, kw_only=True)
class FailRequest(StoreStep[None]):
    """Record that a request ended without a reply, and take the turns that caused it out of the view."""

    method: ClassVar[str] = "fail_request"
    request: int
    withdraw: tuple[int, ...] = ()
    """ids of turns; all others stay pending"""
    error: str
    request_id: str | None
    at: float
    paid: Paid | None = None
    """None: nothing is known to be billed"""


@dataclass(frozen=True, kw_only=True)
class Health:
    """Which models failed of late, by the record of everybody's requests in this store."""

    failed: Mapping[str, float] = field(default_factory=dict)
    """when a request to a model last failed for the far side's sake, where none was answered since"""


@dataclass(frozen=True, kw_only=True)
class ReadHealth(StoreStep[Health]):
    """Which of these models failed after the time `since`, and were not heard of again."""

    method: ClassVar[str] = "read_health"
    models: tuple[str, ...]
    since: float


@dataclass(frozen=True, kw_only=True)
class ReadSpent(StoreStep[Sequence[Charge]]):
    """What accounts with ceilings hold now."""

    method: ClassVar[str] = "read_spent"
    accounts: tuple[Account, ...]


@dataclass(frozen=True, kw_only=True)
class KeyHealth:
    """Which keys were refused or limited of late, and not taken since."""

    out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadKeyHealth(StoreStep[KeyHealth]):
    """Which of these keys are out, by the record of everybody's requests in this store."""

    method: ClassVar[str] = "read_key_health"
    keys: tuple[str, ...]
    limited_since: float
    refused_since: float
