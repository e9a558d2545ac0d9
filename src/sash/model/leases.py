"""Who may write to a conversation now: one at a time, in order of arrival. See `sash.flows.order`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One call that stands in the line of a conversation."""

    conversation: int
    token: str
    """names the ticket, and nobody else's, ever"""
    caller: str
    """the thread or task that waits for the call, so that it never waits for itself; a process tells its own apart"""
    within: tuple[str, ...] = ()
    """callers that wait for this one in turn: it is called in a function of theirs"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How a ticket stands in its line."""

    ahead: int
    """how many come first; 0: the conversation is ours"""
    own: bool = False
    """whether one of those is a call of the same caller or of one it is within: it cannot end before this one does"""
