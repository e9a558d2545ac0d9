"""What is recorded of a request: before it leaves, when its reply has come, and when none came. Frozen values.

`sash.model.epochs.Request` is the same read back. Tokens, dollars and unix seconds throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sash.model.counts import Count
from sash.model.epochs import Epoch, Expected, Sent
from sash.model.turns import Draft, State, Turn
from sash.model.usage import Usage


@dataclass(frozen=True, kw_only=True)
class NewRequest:
    """A request about to leave, with the turns that it is the first to send."""

    conversation: int
    branch: int
    head: int
    """seq of the newest turn that its planner saw"""
    turns: tuple[Draft, ...]
    epoch: Epoch
    sent: Sent
    expected: Expected
    why: Mapping[str, Any]
    body_hash: str
    at: float
    plain: bool
    """whether the newest turn sent opens an exchange (its gap then teaches the planner)"""
    counts: Mapping[int, Count] = field(default_factory=dict)
    """by seq: sizes estimated for this request, stored so that nothing is tokenised twice"""
    interrupted: tuple[int, ...] = ()
    """ids of paused turns that this request gives up"""
    preamble_count: Count | None = None
    learned: Mapping[str, Any] | None = None
    home: str = ""
    """the model in force from now on, where another one is asked this time; "": the one asked"""
    submission: int = 0
    """the submission (see `sash.model.submissions`) whose turns these are; 0: none"""
    forgotten: int | None = None
    """`Head.forgotten` when it was planned; None: not known"""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What was recorded of a request about to leave."""

    conversation: int
    turns: tuple[Turn, ...]
    epoch: Epoch
    request: int
    number: int


@dataclass(frozen=True, kw_only=True)
class FinishedRequest:
    """A request that was answered, and its reply."""

    conversation: int
    request: int
    reply: Draft | None
    state: State
    """of the reply: answered or interrupted; withdrawn for a refusal"""
    settled_turns: tuple[int, ...]
    """ids of the turns that this reply settles ..."""
    settled_as: State
    """... and the state they are in now: answered, or withdrawn for a refusal"""
    usage: Usage | None
    usage_json: Mapping[str, Any]
    cost: float | None
    stop_reason: str | None
    message_id: str | None
    request_id: str | None
    error: str | None = None
    at: float
    model: str
    counts: Mapping[int, Count] = field(default_factory=dict)
    """by seq: exact sizes that this usage tells"""
    reply_count: Count | None = None
    preamble_count: Count | None = None
    base: str = ""
    calibration: Mapping[str, Any] | None = None
    """the estimator's new state of learning for (model, base); None: unchanged"""
    extra: Mapping[str, Any] = field(default_factory=dict)
    answers_calls: bool = True
    """whether it may have sent results of tools, which then need not be kept beside the record any longer"""
    last: bool = False
    """whether its call sends nothing more: the place in line is given up with it"""
    surprise: str = ""
    """how the bill differs from what was expected, and why; "" where it does not"""
    item: str = ""
    """the item of a batch that it was; "" for a request of its own"""


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What a request used that ended without a reply: its prompt was read, and is billed."""

    usage: Usage
    usage_json: Mapping[str, Any]
    cost: float | None
    """dollars; None where no price is known"""
