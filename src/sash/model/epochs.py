"""Epochs and requests: what a view is made of, and what one request sent.

Together with the turns these values rebuild any past request byte for byte. Frozen; tokens and unix
seconds throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sash.model.cards import Ttl
from sash.model.preamble import Preamble
from sash.model.summaries import Summary
from sash.model.turns import Turn
from sash.model.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """What an epoch sends otherwise than recorded, mostly for a tool run that outgrew its budget. Empty: nothing."""

    cleared: frozenset[int] = frozenset()
    """seqs of turns whose tool results are placeholders (the user's) or whose calls lost their input (a reply's)"""
    dropped: frozenset[int] = frozenset()
    """seqs of turns left out of the view: the oldest calls of a running exchange, with their results"""
    results: frozenset[tuple[int, str]] = frozenset()
    """single results that are placeholders, by seq and call id: of a turn whose results were too large together"""
    served: int = 0
    """how many of the oldest tool results the API is asked to clear; the same ones for the whole epoch"""
    inputs: bool = False
    """whether it clears the inputs of those calls, too"""
    spared: tuple[str, ...] = ()
    """the tools whose results it is to leave"""
    drops: bool = False
    """the API is asked to drop thinking blocks whose prefix changed"""
    detached: frozenset[int] = frozenset()
    """seqs of turns sent without what was attached to them in another view, for it stands in this one already"""

    def __bool__(self) -> bool:
        return bool(self.cleared or self.dropped or self.results or self.drops or self.served or self.detached)

    def single(self, seq: int) -> frozenset[str]:
        """The calls whose results alone are placeholders in the turn `seq`."""
        return frozenset(call for turn, call in self.results if turn == seq)

    def tidy(self) -> Relief:
        """The same; single results are named only of turns that are neither cleared nor left out."""
        gone = self.cleared | self.dropped
        return replace(self, results=frozenset(one for one in self.results if one[0] not in gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The life of a view between two cuts. `id` 0: not recorded yet."""

    id: int = 0
    model: str
    preamble: Preamble
    first_seq: int
    """seq of the first turn in the view (pins apart)"""
    thinking_stripped_to: int
    """seq of the newest turn when it began: up to here thinking is stripped, behind it is sent verbatim"""
    pinned_seqs: tuple[int, ...] = ()
    """first seqs of the exchanges before `first_seq` that stand in front, whole and without thinking"""
    instructions: tuple[int, ...] = ()
    """seqs of the instructions given before `first_seq` that are placed again behind its first user turn"""
    tagged: bool = False
    """instructions are sent as tagged user text, for the model takes no system turns"""
    relief: Relief = field(default_factory=Relief)
    """what is sent otherwise than recorded"""
    summary: Summary | None = None
    """what stands in front for the turns before, as a user message of its own"""
    attachments_from: int = 0
    """seq of the first turn whose attachment is sent: the newest question's when it began"""
    family: int = 0
    """id of the first of the epochs on several models that go on side by side, each to be resumed; 0: its own"""
    strategy: str = ""
    """the repr of the strategy that made it"""
    reason: str = ""
    """why it began, in words"""

    def shows(self, turn: Turn) -> bool:
        """Whether what is attached to `turn` stands in this view."""
        return (
            turn.attachment is not None and turn.seq >= self.attachments_from and turn.seq not in self.relief.detached
        )


Place = Literal["tools", "system", "turn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A `cache_control` marker: in `tools` or `system` at index `block`, or on block `block` of the turn `seq`."""

    place: Place
    block: int
    ttl: Ttl
    seq: int = 0
    role: str = ""
    """what it is for: preamble, stable part (of it), previous tail, new tail, base; or "hand" """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one request sent beyond its epoch and turns, enough to rebuild it."""

    model: str
    max_tokens: int
    options: Mapping[str, Any] = field(default_factory=dict)
    """body fields, in the order they were sent"""
    betas: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    """the name of the key it went with, where there are several"""
    markers: tuple[Marker, ...] = ()
    last: int
    """seq of the newest turn when it was sent (which a retry may leave out, as withdrawn)"""
    left_out: tuple[int, ...] = ()
    """seqs up to `last` that were withdrawn when it was sent"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the planner expects a request to use: tokens, and dollars of the prompt (the reply is not foreseen)."""

    prompt: int
    upper: int
    read: int
    write: int
    fresh: int
    dollars: float | None
    """None: no prices are known for the model"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One row of the request log."""

    id: int
    number: int
    """counts the requests of a conversation from 1"""
    branch: int
    epoch: int
    turn: int
    """id of the newest turn sent"""
    reply: int | None
    state: Literal["sent", "answered", "failed", "interrupted"]
    at: float
    sent: Sent
    expected: Expected
    usage: Usage | None
    cost: float | None
    latency: float | None
    stop_reason: str | None
    message_id: str | None
    error: str | None
    why: Mapping[str, Any] = field(default_factory=dict)
    """the decision, as `plan.why` had it"""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """what came beside the reply, as `Answer.extra`"""
    surprise: str = ""
    """how the bill differs from what was expected, and why; "" where it does not"""
    body_hash: str = ""
