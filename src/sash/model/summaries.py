"""Summaries: what stands in a view for turns that left it, and where each came from.

A summary covers its line of turns from the beginning up to `upto`. It is derived: the turns stay in the record, and it
can be made again from them. Frozen values; tokens, dollars, unix seconds. It knows neither how one is made nor when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sash.model.blocks import Block, parsed
from sash.model.turns import Turn
from sash.model.usage import Usage

Method = Literal["model", "warm", "server"]
"""Who read what: a model of its own the leaving turns, the chat's model its own warm prefix; or the API compacted."""
Outcome = Literal["ready", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is sent in the place of the turns up to `upto`."""

    id: int
    upto: int
    """seq of the newest turn it covers"""
    text: str
    content: str
    """JSON text of the blocks of the user turn that carries it, exactly as sent"""
    verbatim: tuple[int, ...] = ()
    """seqs of turns up to `upto` that must stay in view beside it, for it does not hold all that they say"""

    @property
    def blocks(self) -> list[Block]:
        """The content, parsed."""
        return parsed(self.content)

    @property
    def signed(self) -> bool:
        """Whether it is a block of the API's own compaction, to be sent back first of all, as it came."""
        return '"type":"compaction"' in self.content

    @property
    def role(self) -> Literal["user", "assistant"]:
        """Whose message carries it: a summary is told by the user, a block comes from the API."""
        return "assistant" if self.signed else "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRecord(Summary):
    """A summary with its provenance, as `chat.summaries()` gives it."""

    state: Outcome
    """ready; or rejected by the guards: kept to be looked at, never sent"""
    parent: int | None
    """id of the summary it was made from, beside the turns of `sources()`"""
    model: str
    prompt: str
    """version of the prompt that asked for it"""
    method: Method
    tokens: int
    """what it weighs in a prompt of the conversation, as estimated when it was made"""
    usage: Usage
    """of all requests it took"""
    cost: float | None
    requests: int
    at: float
    report: Mapping[str, Any] = field(default_factory=dict)
    """what the guards found: must-keep facts kept, added as a list, kept verbatim, lost; the reason of a rejection"""
    turns: tuple[int, ...] = field(default=(), repr=False)

    def sources(self) -> tuple[int, ...]:
        """Ids of the turns it was made from, oldest first; those before them are in its parent."""
        return self.turns

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How making summaries of a conversation has been going wrong. The default: it has not."""

    failures: int = 0
    """in a row"""
    retry_at: float = 0.0
    """not before this time, in unix seconds"""
    upto: int = 0
    """seq up to which the last one was to cover"""
    error: str = ""
    held_until: float = 0.0
    """until when somebody is at it who lives, in unix seconds"""


@dataclass(frozen=True, kw_only=True)
class SummaryTask:
    """A job that is ours until its lease ends: what the summary is to be made from."""

    token: str
    branch: int
    upto: int
    parent: Summary | None
    turns: tuple[Turn, ...]
    """those that the parent kept verbatim, then all behind it up to `upto`, withdrawn ones left out; oldest first"""
    failures: int = 0
    """to make it, in a row"""


@dataclass(frozen=True, kw_only=True)
class NewSummary:
    """What came of a request for a summary: its text with its sources and what it cost, usable or not."""

    conversation: int
    task: SummaryTask
    state: Outcome
    text: str
    content: str
    verbatim: tuple[int, ...]
    model: str
    prompt: str
    method: Method
    tokens: int
    requests: int
    usage: Usage
    cost: float | None
    report: Mapping[str, Any] = field(default_factory=dict)
    at: float
    retry_at: float = 0.0
    """of a rejected one: not again before"""
    item: str = ""
    """the custom id of the batch item it came from, which waits no more; one that does not wait is not kept again"""


@dataclass(frozen=True, kw_only=True)
class Resting:
    """A conversation that nobody has spoken in for a while."""

    conversation: int
    namespace: str
    id: str
    model: str
    """of its last request; "" where there was none"""
    covered: int
    """seq up to which a summary covers it; 0: none does"""


@dataclass(frozen=True, kw_only=True)
class BatchTask:
    """A summary that is to be made of a conversation at rest."""

    conversation: int
    model: str
    """of the conversation"""
    task: SummaryTask
    intact: bool = True
    """its turns still say what they said when it was recorded"""
