"""What a plan is made from: what the caller chose, and what the record holds of the conversation.

Values alone; sizes are tokens, times unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, Protocol

from sash.model.cards import ModelCard
from sash.model.counts import ZERO, Count
from sash.model.epochs import Epoch, Marker, Relief
from sash.model.keys import KeyName
from sash.model.preamble import Preamble
from sash.model.summaries import Summary
from sash.model.turns import Turn, by_exchange
from sash.model.window import Loaded
from sash.planning.cache.restless import Restless
from sash.planning.situation import Gaps, Marks, Size, Strategy, Warmth
from sash.planning.traits import Traits, traits

CLEARING_BETA = "context-management-2025-06-27"
BINDING_BETA = "thinking-binding-controls-2026-08-01"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the caller chose for this request."""

    card: ModelCard
    preamble: Preamble
    strategy: Strategy
    budget: int
    keep: int
    max_tokens: int
    marks: Marks | None = None
    """the caller's choice of lifetimes; None: the strategy's, or 5 min where it has none"""
    options: Mapping[str, Any] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    hand_markers: tuple[Marker, ...] = ()
    """markers that the caller put on the new turn's blocks"""
    aside: str = ""
    """why this model is asked beside others, whose epochs go on meanwhile; "": it takes their place"""
    key: KeyName = field(default_factory=KeyName)
    """the key it goes with"""
    home: str = ""
    """the model in force, where another one is asked this time"""
    new_epoch_reason: str = ""
    """why a new epoch must begin with this request whatever the strategy says; "" if it need not"""
    memory: str = ""
    """what was chosen to be remembered, in plain words"""
    reserve: int = 0
    """tokens of the budget that stay free: for what may be recalled with the newest question"""
    max_result: int | None = None
    """tokens of a tool result above which only its ends are sent; None: by price, where Claude can read on"""
    beta: bool = True
    """whether beta features may be asked for where they help"""
    cheap: frozenset[str] | None = None
    """names of the tools that were said to be cheap to call again; None: nobody said, so that the last request holds"""

    @property
    def model(self) -> str:
        """The model's id, as it is sent."""
        return self.card.id

    @cached_property
    def strategy_name(self) -> str:
        """How the strategy is shown, and named in the record."""
        return repr(self.strategy)

    @cached_property
    def traits(self) -> Traits:
        """What the strategy says of itself."""
        return traits(self.strategy)


class ClearedSizes(Protocol):
    """Sizes of recorded turns in their cleared forms."""

    def __call__(self, turn: Turn, only: frozenset[str] | None = None, /) -> Count:
        """Of a turn with its tool results (`only`: those of these calls), or its calls' inputs, cleared."""
        ...

    def saves(self, turn: Turn, /) -> Mapping[str, Size]:
        """What a placeholder in the place of each result of a turn would save, by call id."""
        ...


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the next request may be made of: what the record holds, and what is known of its sizes and of the cache."""

    loaded: Loaded
    counts: Mapping[int, Count] = field(default_factory=dict)
    """by seq"""
    fixed: Count
    """the preamble and what every request carries"""
    anchor: Count | None = None
    """exact size of the last request of this epoch ..."""
    anchor_seq: int = 0
    """... which sent the turns up to this seq"""
    tail: Marker | None = None
    """the tail marker of the last request of this epoch"""
    warmth: Warmth = field(default_factory=Warmth)
    gaps: Gaps = field(default_factory=Gaps)
    lost: str = ""
    """the option that changed since the last request and lost what was cached; "" where none did"""
    summary: Summary | None = None
    """the one that covers most; at a cut it stands in front, for strategies that summarise"""
    summary_size: Count = ZERO
    """of the user turn that carries it"""
    present_size: Count = ZERO
    """of the one that stands in front of the present epoch"""
    cleared_sizes: ClearedSizes
    """the sizes of turns with their tool results, or their calls' inputs, cleared"""
    cleared_results: frozenset[tuple[int, str]] = frozenset()
    """results of the newest turn that are placeholders from this request on, by seq and call id"""
    bounded: bool = False
    """nobody could count what may be too large: single results give way by the bound, not by the estimate"""
    attachment_counts: Mapping[int, Count] = field(default_factory=dict)
    """sizes of attachments by the seq of their turn; no part of `counts`"""
    unseen: float = 0.0
    """tokens to allow for beside the bounds of all this: what requests turned out to hold that nobody counted"""
    restless: Restless = field(default_factory=Restless)
    """what changes in front of the messages from request to request"""
    asked: bool = False
    """the last request of this epoch was counted by the endpoint"""
    instructed: tuple[Turn, ...] = ()
    """the turns of role system among those that may be sent, `loaded.instructions` apart"""
    compacted: int = 0
    """seq of the last block among those that the API compacted by threshold; 0 for none"""
    answering: tuple[int, ...] = ()
    """seqs of the turns of tool results among those that may be sent, oldest first"""

    @cached_property
    def epoch(self) -> Epoch | None:
        """The present epoch, where something of it is left to grow."""
        return self.loaded.epoch

    @property
    def relief(self) -> Relief:
        """What the present epoch sends otherwise than recorded."""
        return self.epoch.relief if self.epoch else Relief()

    @property
    def in_front(self) -> list[Turn]:
        """The older turns that the present epoch sends before its start: pinned exchanges, then instructions again."""
        if self.epoch is None:
            return []
        groups = by_exchange(self.loaded.pinned_turns)
        older = [turn for group in groups if group[0].seq in self.epoch.pinned_seqs for turn in group]
        return [*older, *(turn for turn in self.loaded.instructions if turn.seq in self.epoch.instructions)]

    @cached_property
    def repeated(self) -> frozenset[int]:
        """seqs of turns new to the present view whose attachments, made for another one, quote what it holds."""
        epoch, sent = self.epoch, self.loaded.last.sent.last if self.loaded.last else 0
        if epoch is None:
            return frozenset()
        new = takewhile(lambda turn: turn.seq > sent, reversed(self.loaded.turns))
        if not any(turn.attachment is not None for turn in new):
            return frozenset()
        turns = [turn for turn in self.loaded.turns if turn.seq >= epoch.first_seq]
        present, found = {turn.seq for turn in (*self.in_front, *turns)}, set()
        for turn in turns:
            if turn.attachment is not None and epoch.shows(turn):
                quoted = {source.seq for source in turn.attachment.sources if source.recalled}
                if turn.seq > sent and quoted & present:
                    found.add(turn.seq)
                else:
                    present |= quoted
        return frozenset(found)

    def but(self, **changes: Any) -> Memory:
        """The same, had the record held something else."""
        return replace(self, loaded=replace(self.loaded, **changes))

    def shown(self, seq: int) -> Count:
        """What the attachment of a turn adds to the present view; of a new turn, to the next one."""
        since = self.epoch.attachments_from if self.epoch else 0
        alive = seq in self.attachment_counts and seq >= since and seq not in self.relief.detached | self.repeated
        return self.attachment_counts[seq] if alive else ZERO
