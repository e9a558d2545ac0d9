"""Jobs that workers do: what is left to them, who is at it, how it has been going. Values; unix seconds."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker that takes jobs."""

    token: str
    """names it, and no other one, ever"""
    machine: str
    """the name of its host, and since when that has been up"""
    process: int
    kinds: tuple[JobKind, ...]
    began: float

    @property
    def name(self) -> str:
        """For people: host and process number."""
        return f"{self.machine.partition(' ')[0]}:{self.process}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOfJobs:
    """How the jobs of one kind stand."""

    kind: JobKind
    waiting: int = 0
    """that could be taken, or are to be tried again"""
    running: int = 0
    given_up: int = 0
    oldest: float | None = None
    """since when the one has waited that waits longest"""
    done: int = 0
    failed: int = 0
    """tries that came to nothing, ever"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingJob:
    """A job that failed the last time."""

    kind: JobKind
    namespace: str
    subject: int
    conversation: str
    failures: int
    error: str
    retry_at: float
    given_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsState:
    """How all jobs stand, and who is alive to do them."""

    workers: tuple[WorkerInfo, ...]
    kinds: tuple[KindOfJobs, ...]
    failing: tuple[FailingJob, ...]
    """the oldest of them"""
