"""Jobs that workers do: what conversations leave to them. Who is at it is in `workers.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

JobKind = Literal["summaries", "embeddings", "profiles", "batches", "retention"]
KINDS: tuple[JobKind, ...] = get_args(JobKind)

TRIES = 3
"""How often a job is tried that fails for its own sake, or that a worker dies of; then it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftJob:
    """What a conversation leaves to workers."""

    kind: JobKind
    maker: str = ""
    """the model or the embedder that makes it; "" for the built-in embedder"""
    terms: Mapping[str, Any] = field(default_factory=dict)
    """what its maker must know, as JSON values"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(LeftJob):
    """A job that a worker has taken."""

    id: int
    namespace: str
    subject: int
    """the key of a conversation or of a batch; 0 for a whole namespace"""
    conversation: str = ""
    """the id of its conversation, if it has one"""
    wished: int
    """how often it was left so far: what is left again while it is done is done again"""
    failures: int = 0
    """in a row"""
