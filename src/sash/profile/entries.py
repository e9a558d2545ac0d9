"""An entry of a user's profile: what holds, where it was said, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

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
    """who made it: "rules", or "hand" """
    at: float
    """when it was said, or last said again, in unix seconds"""
    ended: Ended = ""
    """why it is no longer in force; "" while it is"""
    ended_at: float | None = None
