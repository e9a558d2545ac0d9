"""An entry of a user's profile: what holds, where it was said, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from sash.model.turns import Turn
from sash.model.usage import Usage

Kind = Literal["fact", "preference", "instruction"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Ended = Literal["", "superseded", "removed", "redacted"]

LONGEST = 400
"""Characters of an entry: a sentence, not a letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Something that a user said, to be kept."""

    kind: Kind
    text: str
    """in the user's words"""
    topic: str = ""
    """what it is about: a later entry of the same topic takes its place; "" for nothing else's"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a profile, in force or not."""

    id: int
    kind: Kind
    text: str
    topic: str
    sources: tuple[int, ...]
    """ids of the turns in which it was said; none for what was set by hand"""
    by: str
    """who made it: "rules", "model", or "hand" """
    at: float
    """when it was said, or last said again, in unix seconds"""
    ended: Ended = ""
    """why it is no longer in force; "" while it is"""
    ended_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilled:
    """An entry that a model found, with what it stands on."""

    learned: Learned
    turn: Turn
    quote: str
    """words of the turn that say it"""
    replaces: tuple[int, ...] = ()
    """ids of entries that no longer hold because of it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilling:
    """A job that is ours until its lease ends: a user's turns that no model has read yet."""

    user: str
    namespace: str
    token: str
    turns: tuple[Turn, ...]
    """the oldest first"""
    failures: int = 0
    """in a row, at these turns"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDistilling:
    """What came of a request to a model, and what it cost."""

    task: Distilling
    conversation: int
    """that asked for it"""
    turns: tuple[Turn, ...]
    """those of the job that were read"""
    found: tuple[Distilled, ...] | None
    """None: it was no answer"""
    refused: Mapping[str, int] = field(default_factory=dict)
    """how many entries were refused, by reason"""
    model: str
    prompt: str
    """version of the prompt that asked for it"""
    usage: Usage
    cost: float | None
    at: float
    retry_at: float = 0.0
    """of one that failed: not again before"""
    done: bool = True
    """whether these turns have been read for good"""
