"""Message Batches as values: what is handed in, how it stands, what came back. Unix seconds; no I/O.

Sizes and the form of ids are those of the "Batch processing" docs. A result tells what became of one item: a reply, or
that there is none and why; only replies are paid for, at half the price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sash.errors import InvalidOption
from sash.model.answers import Answer
from sash.model.blocks import dumps

MOST_ITEMS = 100_000
MOST_BYTES = 256 * 1024 * 1024
AROUND = 16
"""Bytes around the list of items."""
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_BARRED = ("stream", "speed", "thread")

T = TypeVar("T")
Ending = Literal["succeeded", "errored", "canceled", "expired"]
Kind = Literal["question", "summary"]
Phase = Literal["submitting", "submitted", "done", "lost"]
UNDER_WAY: tuple[Phase, ...] = ("submitting", "submitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One request of a batch: its own id, and the body of a request that is not streamed."""

    custom_id: str
    body: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not _CUSTOM_ID.fullmatch(self.custom_id):
            raise InvalidOption(
                f"custom_id has 1 to 64 letters, digits, '_' and '-', not {self.custom_id!r:.80}",
                option="custom_id",
                value=self.custom_id,
            )
        for name in _BARRED:
            if self.body.get(name):
                raise InvalidOption(f"{name!r} does not go with batches; leave it out", option=name, value=True)

    @property
    def bytes(self) -> int:
        """What it takes of the most that a batch may weigh."""
        return len(dumps({"custom_id": self.custom_id, "params": self.body}).encode()) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """How a batch stands. `counts`: items by how they ended; all are 0 before the end, but `processing`."""

    id: str
    status: str
    """in_progress, canceling or ended"""
    counts: Mapping[str, int]
    created_at: float
    expires_at: float
    kept: bool = True
    """its results can still be fetched"""

    @property
    def ended(self) -> bool:
        """Whether there are results, and there will be no others."""
        return self.status == "ended"

    @property
    def items(self) -> int:
        """How many requests it holds."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of one item."""

    custom_id: str
    ending: Ending
    answer: Answer | None = None
    """of one that succeeded"""
    error: str = ""
    """of one that errored: the API's error type"""
    message: str = ""
    """... and what it says"""

    @property
    def may_pass_later(self) -> bool:
        """Whether the same request may succeed when sent again: nothing was wrong with it."""
        return self.ending in ("expired", "canceled") or self.error in (
            "api_error",
            "overloaded_error",
            "timeout_error",
        )


class Portion(Generic[T]):
    """Items on their way into one batch, each with what belongs to it."""

    def __init__(self, *, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._held: list[T] = []
        self._bytes = AROUND

    def __len__(self) -> int:
        return len(self._held)

    def takes(self, item: BatchItem) -> bool:
        """Whether one more fits. Raises InvalidOption for one that fits no batch."""
        if item.bytes + AROUND > self._most_bytes:
            raise InvalidOption(
                f"request {item.custom_id!r} has {item.bytes:,} bytes; a whole batch may have {self._most_bytes:,}",
                option="body",
                value=item.custom_id,
            )
        return not self or (len(self) < self._most_items and self._bytes + item.bytes <= self._most_bytes)

    def add(self, item: BatchItem, what: T) -> None:
        """One more, for which `takes` has said yes."""
        self._held.append(what)
        self._bytes += item.bytes

    def emptied(self) -> list[T]:
        """What it holds; it holds nothing from then on."""
        held, self._held, self._bytes = self._held, [], AROUND
        return held


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
class WaitingItem:
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
