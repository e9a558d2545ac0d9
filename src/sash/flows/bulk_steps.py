"""Steps for questions handed in as a batch: recorded item by item before they leave, closed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from sash.flows.steps import StoreStep

Phase = Literal["submitting", "submitted", "done", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """A request that waits for its result."""

    custom_id: str
    conversation: int
    position: int
    """of the item in its job"""
    request: int
    number: int
    submission: int
    turns: tuple[int, ...]
    """ids of the turns that a reply settles"""
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """A batch of a job, and what of it still waits."""

    id: int
    batch: str
    """the API's id; "" while that is not known"""
    phase: Phase
    at: float
    size: int
    """how many requests were handed in"""
    items: tuple[HandedIn, ...]


@dataclass(frozen=True, kw_only=True)
class KeepHandIn(StoreStep[int]):
    """Record a batch that is about to be handed in; its id here."""

    method: ClassVar[str] = "keep_hand_in"
    namespace: str
    job: str
    items: tuple[HandedIn, ...]
    at: float


@dataclass(frozen=True, kw_only=True)
class MarkHandIn(StoreStep[None]):
    """Record what became of a batch: its id once it is known, its phase."""

    method: ClassVar[str] = "mark_hand_in"
    id: int
    phase: Phase
    batch: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadHandIns(StoreStep[Sequence[HandIn]]):
    """A job's batches that are neither done nor lost, oldest first."""

    method: ClassVar[str] = "read_hand_ins"
    namespace: str
    job: str


@dataclass(frozen=True, kw_only=True)
class KnownBatches(StoreStep[frozenset[str]]):
    """The ids of all batches that this store knows as somebody's."""

    method: ClassVar[str] = "known_batches"


@dataclass(frozen=True, kw_only=True)
class CloseHandedIn(StoreStep[None]):
    """An item waits no more."""

    method: ClassVar[str] = "close_handed_in"
    custom_id: str
