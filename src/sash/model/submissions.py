"""Submissions: something that is about to be sent, claimed so that the same, submitted twice, is sent once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Somebody is about to send something. Unix seconds.

    The same: of the same client token; without one, the newest submission of this conversation if it has the same
    content and is younger than `within` seconds.
    """

    conversation: int
    token: str | None
    digest: str
    """of the content"""
    within: float
    """seconds; 0: only the token tells"""
    arrived: float
    """when it was submitted ..."""
    at: float
    """... and when it comes to be claimed"""
    lease: float
    """seconds after which a claim that nobody settled is void"""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What became of a claim: ours to answer ("new"), ours again with its turn still pending ("pending"),
    somebody's who is at it ("running"), or answered before by the requests of these numbers.

    `left`: it has replies, but who made them never said that they were all, and nothing was asked since.
    """

    state: Literal["new", "pending", "running", "answered"]
    submission: int
    numbers: tuple[int, ...] = ()
    left: bool = False
