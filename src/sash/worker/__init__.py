"""Workers: processes that do what conversations leave to them, one job at a time, and keep the rules of retention.

    sash worker chats.db                                     # any number of them, on any machine that reaches it

    from sash.worker import Worker

    with Worker("postgresql://bot@db.internal/app") as worker:
        worker.run()                                         # until worker.stop(), from a signal or another thread

A conversation leaves its jobs with `background="worker"`; batches under way and rules of retention are jobs by
themselves. A job whose worker died is taken up by another one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from sash.errors import (
    AccessDenied,
    CeilingReached,
    InvalidOption,
    NotFound,
    ReplyInterrupted,
    SashError,
    StoreError,
    StoreUnavailable,
    Unavailable,
)
from sash.flows.summaries.jobs import later
from sash.flows.taken import JobResult
from sash.model.cards import card
from sash.model.closing import Closing
from sash.model.jobs import KINDS, Job
from sash.model.workers import FailingJob, JobsState, WorkerInfo
from sash.recall.settings import Embedder
from sash.stores import Store, open_store
from sash.stores.processes import owner
from sash.stores.urls import is_url
from sash.worker.doing import Doing
from sash.worker.telemetry import Telemetry

log = logging.getLogger("sash")

FIRST = 0.5
"""Seconds of the first rest; doubled with each one in a row, up to `every`."""
BEAT = 15.0
"""Seconds between two words that a worker lives."""
PASSING = (Unavailable, AccessDenied, CeilingReached, ReplyInterrupted, StoreError)
"""What a job is not to blame for: it is tried again for as long as it takes."""
REFUSED = (403, 404)
"""Of what is denied, what waiting does not mend: the model that a job names is none for this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What a worker did."""

    done: int = 0
    failed: int = 0
    """tries that came to nothing"""
    given_up: int = 0
    """those of them after which the job is left until somebody asks for it again"""


class Worker(Closing):
    """Takes jobs from a record and does them, one at a time.

    `store`: the path of a file that is there, a URL, or a store. `jobs`: the kinds it does (all of them). `client`: as
    for a `Conversation`. `by`: the model that summarises and reads for profiles, whatever the conversation said.
    `embedder`: one of the application's own, beside the built-in one where that is installed. `namespace`: the tenant
    whose jobs it does; None: all. `every`: the longest rest in seconds, where there is nothing to do. Further settings
    are those of a `Conversation` that say how requests are sent (limits, retries, breaker, meter, ceilings, keys, ...).

    Raises InvalidOption, UnknownModel, NotFound for a file that is not there, StoreErrors.
    """

    def __init__(
        self,
        store: str | Path | Store,
        *,
        jobs: Sequence[str] = KINDS,
        client: Any = None,
        by: str | None = None,
        embedder: Embedder | None = None,
        namespace: str | None = None,
        every: float = 10.0,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        kinds = tuple(kind for kind in KINDS if kind in _known(jobs))
        if by is not None:
            card(by)
        if isinstance(every, bool) or not isinstance(every, int | float) or not 0 < every < math.inf:
            raise InvalidOption(f"every={every!r}: give seconds above 0", option="every", value=every)
        self._owns_store, self._store = isinstance(store, str | Path), _opened(store, namespace)
        self._namespace, self._every, self._clock = namespace, every, clock
        try:
            self._doing = Doing(self._store, kinds, client, settings, by=by, embedder=embedder, clock=clock)
        except BaseException:
            self.close()
            raise
        self.info = WorkerInfo(token=uuid.uuid4().hex, kinds=kinds, began=clock(), **owner())  # type: ignore[arg-type]
        self._telemetry = Telemetry(self.info.name, self._state, settings.get("meter"))
        self._stopping = False
        self._stops: SimpleQueue[None] = SimpleQueue()

    def __repr__(self) -> str:
        return f"Worker({self.info.name!r}, jobs={', '.join(self.info.kinds)})"

    @property
    def lacks_embedder(self) -> bool:
        """Whether it was to make vectors, and has nothing to make them with: others must."""
        return "embeddings" in self.info.kinds and not self._doing.embedders

    def run(self, *, once: bool = False) -> Worked:
        """Do jobs until `stop` is called; `once`: until there is none left that could be done now.

        A record that cannot be reached meanwhile is waited for; with `once`, its StoreUnavailable is raised.
        """
        came_of: Counter[str] = Counter()
        rest = FIRST
        with self._alive():
            while not self._stopping:
                came = self._next(strict=once)
                came_of[came] += 1
                if came:
                    rest = FIRST
                elif once:
                    break
                else:
                    self._rest(min(rest, self._every))
                    rest *= 2
        given_up = came_of["given up"]
        return Worked(done=came_of["done"], failed=came_of["failed"] + given_up, given_up=given_up)

    def given_up(self) -> Sequence[FailingJob]:
        """What nobody tries any more until it is asked for: the oldest of its jobs, each with its reason."""
        return [job for job in self._state().failing if job.given_up]

    def revive(self) -> int:
        """Have what was given up tried again; how many jobs."""
        return self._store.jobs.revive(namespace=self._namespace)

    def stop(self) -> None:
        """Finish the job in hand, and take no more. Safe within a signal handler, and from any thread."""
        self._stopping = True
        self._stops.put(None)

    def close(self) -> None:
        """Close what it opened: its store, its client from the environment."""
        if hasattr(self, "_doing"):
            self._doing.close()
        if self._owns_store:
            self._store.close()

    def _state(self) -> JobsState:
        """How the jobs stand that are its to do."""
        return self._store.jobs.state(at=self._clock(), namespace=self._namespace)

    # ---- one job after the other ----------------------------------------------------------------

    def _next(self, *, strict: bool) -> str:
        """What became of the next job; "" where there is none, or the record cannot be reached now."""
        try:
            job = self._store.jobs.take(
                self.info, at=self._clock(), namespace=self._namespace, embedders=self._doing.embedders
            )
            return self._do(job) if job is not None else ""
        except StoreUnavailable as error:
            if strict:
                raise
            log.warning("the record cannot be reached: %s", type(error).__name__)
            return ""

    def _do(self, job: Job) -> str:
        """Do a job, and say in the record what became of it: done, nothing (to do, or not yet), failed, given up."""
        with self._telemetry.around(job) as tell:
            try:
                result = self._doing.job(job, lambda: not self._stopping)
            except NotFound:
                result = JobResult(worked=False)  # its conversation was deleted meanwhile
            except Exception as error:  # noqa: BLE001 - of an embedder, too: said in the record, tried again, given up
                return tell(self._failed(job, self._in_words(job, error), fault=_own_fault(error)))
            except BaseException:
                self._store.jobs.finish(job, self.info, again=self._clock(), worked=False)
                raise
            if result.error:
                return tell(self._failed(job, result.error, fault=True))
            self._store.jobs.finish(job, self.info, again=result.again, worked=result.worked)
            return tell("done" if result.worked else "nothing")

    def _failed(self, job: Job, error: str, *, fault: bool) -> str:
        retry_at = later(self._clock(), job.failures)
        given_up = self._store.jobs.fail(job, self.info, error=error, retry_at=retry_at, fault=fault)
        further = "; given up, sash worker --anew tries it again" if given_up else ""
        log.warning("%s of %r came to nothing: %s%s", job.kind, job.conversation or job.namespace, error, further)
        return "given up" if given_up else "failed"

    def _in_words(self, job: Job, error: Exception) -> str:
        """What went wrong, without a word of any message."""
        if not isinstance(error, SashError):
            return f"{type(error).__name__} (not an error of sash)"
        kind, status = error.facts.get("kind"), error.facts.get("status")
        model = f" ({self._doing.model(job)})" if status in REFUSED else ""
        return f"{type(error).__name__}: {kind}{model}" if kind else type(error).__name__

    # ---- alive ----------------------------------------------------------------------------------

    def _rest(self, seconds: float) -> None:
        try:
            self._stops.get(timeout=seconds)
        except Empty:
            return

    @contextmanager
    def _alive(self) -> Iterator[None]:
        """Among the living as long as this lasts."""
        self._store.jobs.renew(self.info)
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(ended,), name="sash worker lives", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._tell(self._store.jobs.end)

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT):
            self._tell(self._store.jobs.renew)

    def _tell(self, what: Callable[[WorkerInfo], None]) -> None:
        """Say that it lives, or no more; where that cannot be said, the record finds out by itself."""
        try:
            what(self.info)
        except StoreError as error:
            log.warning("a worker could not say whether it lives: %s", type(error).__name__)


def _known(jobs: Any) -> frozenset[str]:
    """The kinds that were named. Raises InvalidOption."""
    named = list(jobs) if isinstance(jobs, list | tuple | set | frozenset) else [jobs]
    strange = next((one for one in named if one not in KINDS), None)
    if strange is not None or not named:
        raise InvalidOption(f"jobs={strange!r}: choose among {', '.join(KINDS)}", option="jobs", value=strange)
    return frozenset(named)


def _opened(store: Any, namespace: str | None) -> Store:
    """The record, which must be there already, as its tenant or as all see it."""
    if store is None:
        raise InvalidOption(
            "a worker needs the record that others write to: a file or a URL", option="store", value=None
        )
    if isinstance(store, str | Path) and not is_url(store) and not Path(store).exists():
        raise NotFound(f"no database at {str(store)!r}: name one that is there", kind="database", key=str(store))
    return open_store(store, namespace)


def _own_fault(error: Exception) -> bool:
    """Whether a job failed for its own sake: however often it is tried, it would again."""
    return not isinstance(error, PASSING) or getattr(error, "facts", {}).get("status") in REFUSED
