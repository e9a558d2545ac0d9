"""Workers: who is at the jobs that are left (`jobs.py`), and how it has been going. Values; unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from sash.model.jobs import JobKind


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
