"""What a worker does with each kind of job: the flow, who drives it, and the conversation's terms beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from sash.claude.adapter import Claude
from sash.claude.clients import check_client, sync_client, with_middleware
from sash.claude.keys import first_client, keyed
from sash.conversation.drivers import Performer, drive
from sash.conversation.session import Asking, Session
from sash.conversation.tracing import Spans, performer
from sash.counting.estimator import Estimators
from sash.errors import MissingExtra
from sash.flows.steps import Flow
from sash.flows.taken import GoOn, JobResult, collect_left, distil_left, embed_left, summarise_left
from sash.limits.layers import flush
from sash.model.cards import card
from sash.model.jobs import Job, JobKind
from sash.recall.settings import Embedder
from sash.stores import Store
from sash.stores.embedders import installed

ASKING: frozenset[JobKind] = frozenset({"summaries", "profiles", "batches"})
"""Kinds that ask Claude."""
RULES = 3_600.0
"""Seconds between two looks at what a rule of retention is over."""


class Doing:
    """Does jobs. `settings`: of conversations, how requests are sent. Raises CallerErrors for what cannot work."""

    def __init__(
        self,
        store: Store,
        kinds: Sequence[JobKind],
        client: Any,
        settings: Mapping[str, Any],
        *,
        by: str | None,
        embedder: Embedder | None,
        clock: Callable[[], float],
    ) -> None:
        check_client(client, waits=False)
        self._store, self._given, self._settings, self._by, self._clock = store, client, settings, by, clock
        self._session = Session(client=client, clock=clock, **settings)  # raises for what no conversation takes
        self._counter = Estimators()
        self._embedders: dict[str, bool | Embedder] = {"": True} if installed() else {}
        if embedder is not None:
            self._embedders[embedder.name] = embedder
        self._asked: Any = None
        if ASKING & set(kinds):
            self._claude  # noqa: B018 - a key that is missing is said before the first job is taken

    @property
    def embedders(self) -> tuple[str, ...]:
        """The embedders at hand, by name."""
        return tuple(self._embedders)

    def job(self, job: Job, go_on: GoOn) -> JobResult:
        """Do a job. Raises whatever keeps it from being done."""
        if job.kind == "retention":
            return self._keep_rule(job)
        if job.kind == "batches":
            return self._drive(collect_left(self._store, job, self._counter, card), job)
        beside = self._beside(job)
        if job.kind == "summaries":
            return self._drive(summarise_left(beside.chat, beside.settings, job, self.model(job)), job)
        if job.kind == "profiles":
            return self._drive(distil_left(beside.chat, beside.settings, job, self.model(job), go_on), job)
        return drive(embed_left(beside.chat, self._embedder(job.maker), go_on), Performer(None, self._clock))

    def model(self, job: Job) -> str:
        """The model that does a job; of a batch, whichever its questions name."""
        return (self._by or job.maker) if job.kind != "batches" else f"batch {job.subject}"

    def close(self) -> None:
        """Have everything written down, and close the client that was made here."""
        if self._asked is not None:
            flush(self._claude.client)
            if self._given is None or isinstance(self._given, str):
                self._asked.close()

    def _keep_rule(self, job: Job) -> JobResult:
        now = self._clock()
        if self._store.retained(job.namespace) is None:
            return JobResult(worked=False)  # it was taken back
        pruned = self._store.prune(job.namespace, now=now)
        return JobResult(again=now + RULES, worked=bool(pruned.conversations))

    def _beside(self, job: Job) -> Asking:
        """The conversation of a job, for work beside it. Raises NotFound."""
        terms = {"counter": job.terms["counter"]} if "counter" in job.terms else {}
        session = Session(
            client=self._given,
            id=job.conversation,
            namespace=job.namespace,
            create=False,
            recall=False,
            clock=self._clock,
            **{**self._settings, **terms},
        )
        session.open(self._store)
        return session.beside(self._store)

    def _drive(self, flow: Flow[JobResult], job: Job) -> JobResult:
        return drive(flow, performer(lambda: self._spans(job), self._claude, self._clock))

    def _spans(self, job: Job) -> Spans | None:
        layers = self._session.layers
        return Spans(job.conversation, **layers.tracing) if layers.meter else None

    @cached_property
    def _claude(self) -> Claude:
        """Claude by one client for all jobs, behind the guards that were asked for."""
        keys = self._session.keys
        self._asked = sync_client(first_client(keys, self._given, waits=False))
        client = with_middleware(self._asked, self._session.layers.middleware(self._store, self._clock))
        return Claude(client, keyed(keys, client))

    def _embedder(self, name: str) -> bool | Embedder:
        if name not in self._embedders:
            raise MissingExtra(f"the embedder {name!r} is not at hand", extra="semantic")
        return self._embedders[name]
