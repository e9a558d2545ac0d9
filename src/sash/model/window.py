"""What the store holds for the next request: where a conversation stands, its last request, its window of turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sash.model.cards import Ttl
from sash.model.counts import Count
from sash.model.epochs import Epoch, Sent
from sash.model.preamble import Preamble
from sash.model.summaries import Summary, Trouble
from sash.model.turns import Turn, last_spoken
from sash.model.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where a conversation stands."""

    conversation: int
    branch: int
    seq: int
    """of the newest turn, 0 when there is none"""
    turn: Turn | None
    """the newest turn"""
    epoch: Epoch | None
    requests: int
    new_epoch_reason: str = ""
    """why the next request must begin an epoch; "" if it need not"""
    model: str = ""
    """the one in force, whoever replied last; "" before the first request"""
    key: str = ""
    """the name of the key that the conversation sticks to"""
    user: str = ""
    """whose the conversation is; "" for nobody's"""
    brought: Preamble = field(default_factory=Preamble)
    """system prompt and tools that came with turns from elsewhere: in force until a first request"""
    forgotten: int = 0
    """id of the newest entry in the audit of what was forgotten"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A line of turns of a conversation, and where it parts from another one."""

    id: int
    parent: int | None
    """id of the branch whose turns up to `fork_seq` it shares; None: it shares none"""
    fork_seq: int
    reason: str
    """start, fork, edit, regenerate, or conflict"""
    at: float
    """unix seconds"""
    newest: int
    """seq of its newest turn"""


@dataclass(frozen=True, kw_only=True)
class LastRequest:
    """The last request of an epoch that ended in a reply: the anchor of counting and caching."""

    at: float
    sent: Sent
    usage: Usage
    wire: Mapping[str, Any] = field(default_factory=dict)
    """usage as the API gave it"""
    first: int = 0
    """seq of the newest turn that the first request of its epoch sent"""
    upper: int = 0
    """the bound that was held to it when it was planned"""
    why: Mapping[str, Any] = field(default_factory=dict)
    """the decision, as `plan.why` had it"""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a window is planned from, as the store holds it. Turns are in order and never withdrawn ones."""

    head: Head
    turns: tuple[Turn, ...]
    """from the start asked for: the epoch's, or further back where another strategy may reach for more"""
    withdrawn: tuple[int, ...]
    """seqs that were withdrawn: since the first of `turns`, and within the pinned exchanges"""
    pinned_turns: tuple[Turn, ...]
    """turns before `turns` of the exchanges that are pinned now, or stand in front of the present epoch"""
    pinned_seqs: frozenset[int]
    """first seqs of all pinned exchanges"""
    instructions: tuple[Turn, ...]
    """turns of role system before `turns`, those among `pinned_turns` included"""
    counts: Mapping[int, Count]
    """by seq"""
    uncounted: frozenset[int]
    """seqs of the turns (`pinned_turns` and `instructions`, too) that have none"""
    preamble_count: Count | None
    last: LastRequest | None
    preamble_at: float | None
    """start of the newest request of any conversation with this preamble and model"""
    preamble_ttl: Ttl
    gaps: tuple[float, ...]
    """this conversation's newest gaps between plain user requests, start to start, newest last"""
    other_gaps: tuple[float, float, float]
    """over the namespace's other conversations: within 5 min, within 1 h, all"""
    learned: Mapping[str, Any]
    calibration: str = ""
    """what usage taught the estimator about this model on this base, as JSON text; "" when nothing yet"""
    summary: Summary | None = None
    """the one that covers most of this branch"""
    block: Summary | None = None
    """what the API compacted most of this branch into"""
    trouble: Trouble = field(default_factory=Trouble)
    """with making the next one"""
    resumed: bool = False
    """whether the epoch is another than the one of the conversation's newest request"""

    @property
    def all_turns(self) -> tuple[Turn, ...]:
        """Pinned ones, instructions, and those of the window; an instruction that is pinned stands twice."""
        return (*self.pinned_turns, *self.instructions, *self.turns)

    @cached_property
    def epoch(self) -> Epoch | None:
        """The present epoch, unless all that it held was withdrawn: then nothing of it is left to grow."""
        epoch = self.head.epoch
        newest = last_spoken(self.turns)
        return epoch if epoch is not None and newest is not None and newest.seq >= epoch.first_seq else None
