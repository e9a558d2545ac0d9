"""The port: what a store must do. One method for each store step, taking the step itself.

Every method is one transaction: it happens whole or not at all, and raises only StoreError and the
CallerErrors named with its step. Methods may be called from any thread. `reports` are read-only
questions about many conversations, for people and the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sash.flows import backlog_steps, batch_steps, steps
from sash.flows.summary_steps import BeginSummary, FailSummary, KeepSummary, ReadSummaries, SummaryTask
from sash.limits.ceilings import Charge
from sash.model.epochs import Epoch, Request
from sash.model.summaries import Summary, SummaryRecord
from sash.model.turns import Turn
from sash.model.window import Head, Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationInfo:
    """One row of a listing. Times are unix seconds."""

    id: str
    namespace: str
    title: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: float
    updated_at: float
    turns: int
    requests: int
    dollars: float
    """of the requests whose price is known"""
    unpriced: int = 0
    """requests whose price nobody knows; they are not in `dollars`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of a conversation that was deleted."""

    turns: int
    """turns that are gone"""
    heirs: tuple[str, ...] = ()
    """ids of the forks that its shared turns belong to now"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One search result: where it is, and the words around the match."""

    conversation: str
    turn: int
    seq: int
    role: str
    at: float
    snippet: str
    score: float
    """bm25 of SQLite's FTS5: the smaller the better"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Usage summed over a group of requests. Tokens and dollars."""

    group: tuple[str, ...]
    requests: int
    fresh: int
    read: int
    written: int
    output: int
    dollars: float
    """of the requests whose price is known"""
    unpriced: int = 0
    """requests whose price nobody knows; they are not in `dollars`"""

    @property
    def prompt(self) -> int:
        """All prompt tokens."""
        return self.fresh + self.read + self.written

    @property
    def cached_share(self) -> float:
        """The share of the prompt read from the cache, 0 to 1."""
        return self.read / self.prompt if self.prompt else 0.0


class Store(Protocol):
    """Where the record lives."""

    def open_conversation(self, step: steps.OpenConversation) -> Head: ...
    def read_head(self, step: steps.ReadHead) -> Head: ...
    def read_window(self, step: steps.ReadWindow) -> Loaded: ...
    def begin_request(self, step: steps.BeginRequest) -> steps.Begun: ...
    def finish_request(self, step: steps.FinishRequest) -> Turn | None: ...
    def fail_request(self, step: steps.FailRequest) -> None: ...
    def read_health(self, step: steps.ReadHealth) -> steps.Health: ...
    def read_spent(self, step: steps.ReadSpent) -> Sequence[Charge]: ...
    def read_key_health(self, step: steps.ReadKeyHealth) -> steps.KeyHealth: ...
    def claim(self, step: steps.Claim) -> steps.Claimed: ...
    def read_answered(self, step: steps.ReadAnswered) -> frozenset[str]: ...
    def settle_claim(self, step: steps.SettleClaim) -> None: ...
    def keep_result(self, step: steps.KeepResult) -> None: ...
    def read_results(self, step: steps.ReadResults) -> Mapping[str, str]: ...
    def new_branch(self, step: steps.NewBranch) -> Head: ...
    def read_turns(self, step: steps.ReadTurns) -> Sequence[Turn]: ...
    def read_turn(self, step: steps.ReadTurn) -> Turn: ...
    def read_request(self, step: steps.ReadRequest) -> tuple[Request, Epoch, Sequence[Turn]]: ...
    def set_branch(self, step: steps.SetBranch) -> None: ...
    def mend(self, step: steps.Mend) -> None: ...
    def withdraw(self, step: steps.Withdraw) -> int: ...
    def redact(self, step: steps.Redact) -> int: ...
    def append_turns(self, step: steps.AppendTurns) -> Sequence[Turn]: ...
    def read_imported(self, step: steps.ReadImported) -> frozenset[str]: ...
    def set_pin(self, step: steps.SetPin) -> None: ...
    def begin_summary(self, step: BeginSummary) -> SummaryTask | None: ...
    def keep_summary(self, step: KeepSummary) -> Summary | None: ...
    def fail_summary(self, step: FailSummary) -> None: ...
    def read_summaries(self, step: ReadSummaries) -> Sequence[SummaryRecord]: ...
    def read_resting(self, step: backlog_steps.ReadResting) -> Sequence[backlog_steps.Resting]: ...
    def read_task(self, step: backlog_steps.ReadTask) -> backlog_steps.BatchTask | None: ...
    def keep_batch(self, step: batch_steps.KeepBatch) -> batch_steps.Batch: ...
    def mark_batch(self, step: batch_steps.MarkBatch) -> None: ...
    def read_batches(self, step: batch_steps.ReadBatches) -> Sequence[batch_steps.Batch]: ...
    def read_items(self, step: batch_steps.ReadItems) -> Sequence[batch_steps.Item]: ...
    def close_item(self, step: batch_steps.CloseItem) -> None: ...

    def conversations(
        self, *, namespace: str = "", limit: int = 50, before: ConversationInfo | None = None
    ) -> Sequence[ConversationInfo]:
        """Conversations, the newest used first; `before` (the last one of a page) pages on."""
        ...

    def describe(
        self, id: str, *, namespace: str = "", title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> ConversationInfo:
        """Set title and app metadata (None: leave as it is). Raises NotFound."""
        ...

    def delete(self, id: str, *, namespace: str = "", reason: str = "") -> Deleted:
        """Remove a conversation with all that was made of it; audited with `reason`. Raises NotFound.

        Turns that forks of it show belong to the oldest fork from then on. What it cost stays in the sums.
        """
        ...

    def search(
        self, query: str, *, namespace: str = "", conversation: str | None = None, limit: int = 20
    ) -> Sequence[Hit]:
        """Full-text search over all turns; words are matched as words whatever signs they hold."""
        ...

    def usage(
        self, *, by: Sequence[str] = ("day", "model"), namespace: str = "", conversation: str | None = None
    ) -> Sequence[UsageRow]:
        """Tokens and dollars grouped by any of day, model, conversation."""
        ...

    def close(self) -> None:
        """Close it; further calls raise ConversationClosed."""
        ...
