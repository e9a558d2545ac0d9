"""Whatever fails between handing in and collecting: nothing is lost, used twice or paid twice, all is done at last.

One law for batches of every kind: summaries of conversations at rest, and the questions of a job.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash import Conversation
from sash.bulk import Bulk
from sash.bulk.batches import HandedOver
from sash.bulk.summaries import Summaries
from sash.claude.adapter import AsyncClaude, Claude
from sash.claude.batch import AsyncBatchClient, BatchClient
from sash.errors import NotFound, RemoteError, Unavailable
from sash.flows.steps import SubmitBatch
from sash.simulator import (
    BatchRules,
    ConnectionLost,
    Fault,
    HttpError,
    Overloaded,
    RateLimited,
    Refusal,
    ServerError,
    Simulator,
    Stopped,
    Timeout,
)
from striking import around_all

BATCHES = "/v1/messages/batches"
ITEMS = f"{BATCHES}/items"
DAY = 24 * 3_600.0
TOLD = 5

sending = st.sampled_from(
    [Timeout(billed=True), Timeout(), ConnectionLost(billed=True), ConnectionLost(), ServerError(), RateLimited(),
     Overloaded(), HttpError(status=401, message="No.")]
)  # fmt: skip
working = st.sampled_from([Overloaded(), ServerError(), HttpError(status=400, message="No."), Refusal(), Stopped()])
operations = st.one_of(
    st.tuples(st.just("submit")),
    st.tuples(st.just("submit")),
    st.tuples(st.just("collect")),
    st.tuples(st.just("collect")),
    st.tuples(st.just("cut_off"), sending),
    st.tuples(st.just("item_fails"), working),
    st.tuples(st.just("collect_fails"), sending),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("delete")),
    st.tuples(st.just("wait"), st.sampled_from([10.0, 61.0, 400.0, 5_000.0, DAY])),
    st.tuples(st.just("say")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("struck"), st.integers(1, 20), st.booleans(), st.sampled_from(["submit", "collect"])),
)


class Struck(BaseException):
    """Ctrl-C, or the end of the process."""


@contextlib.contextmanager
def striking(at: int, *, dead: bool) -> Iterator[None]:
    """Step or call number `at` is done, and struck; `dead`: no later one is done either."""
    count = 0

    @contextlib.contextmanager
    def struck() -> Iterator[None]:
        nonlocal count
        if dead and count >= at:
            raise Struck
        yield
        count += 1
        if count == at:
            raise Struck

    with around_all(struck), contextlib.suppress(Struck):
        yield


class Afternoon:
    """Somebody who hands in and collects."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.db"
        self.sim = Simulator(batch_rules=BatchRules(begins_after=60, seconds_per_request=13 * 3_600))
        self.client = self.sim.client(max_retries=0)
        self.gone = 0
        """batches whose results nobody can read any more"""

    def submit(self) -> None:
        raise NotImplementedError

    def collect(self) -> None:
        raise NotImplementedError

    def struck(self, at: int, dead: bool, what: str) -> None:
        with striking(at, dead=dead):
            getattr(self, what)()

    def cut_off(self, fault: Fault) -> None:
        self.sim.fail_next(fault, path=BATCHES)
        self.submit()
        self.sim.calm()

    def collect_fails(self, fault: Fault) -> None:
        for batch in self.batches():
            for verb in ("", "/results"):
                self.sim.fail_next(fault, path=f"{BATCHES}/{batch.id}{verb}")
        self.collect()
        self.sim.calm()

    def item_fails(self, fault: Fault) -> None:
        self.sim.fail_next(fault, path=ITEMS)

    def batches(self) -> list[Any]:
        return list(self.client.messages.batches.list())

    def cancel(self) -> None:
        for batch in self.batches():
            if batch.processing_status == "in_progress":
                self.client.messages.batches.cancel(batch.id)

    def delete(self) -> None:
        for batch in self.batches():
            if batch.processing_status == "ended":
                self.client.messages.batches.delete(batch.id)
                self.gone += 1

    def wait(self, seconds: float) -> None:
        self.sim.clock.advance(seconds)

    def paid(self) -> list[Any]:
        """The items that were billed."""
        return [attempt for attempt in self.sim.log if attempt.path == ITEMS and attempt.cost]

    def settle(self) -> None:
        """Left in peace, everything is done in the end."""
        self.sim.calm()
        for _ in range(4):
            self.sim.clock.advance(2 * DAY)
            self.collect()
            self.sim.clock.advance(3_700)
            self.submit()
        self.sim.clock.advance(2 * DAY)
        self.collect()

    def close(self) -> None:
        self.client.close()


def tell(path: Path, id: str, sim: Simulator, client: Any, numbers: Iterable[int]) -> None:
    """Say something of each of these parcels in a conversation of the file."""
    with Conversation(
        path, id=id, client=client, clock=sim.clock.now, count_online=False, counter="features"
    ) as chat:  # fmt: skip
        for number in numbers:
            chat.send(f"Parcel {number} weighs {number * 3 + 7} kilograms. " + "The tide came in and went out. " * 8)


@cache
def two_conversations() -> bytes:
    """A file of "a" and "b", each told `TOLD` times: made once, for that takes longer than most afternoons."""
    sim = Simulator()
    with tempfile.TemporaryDirectory() as folder, sim.client() as client:
        for id in ("a", "b"):
            tell(path := Path(folder) / "a.db", id, sim, client, range(TOLD))
        return path.read_bytes()


class Resting(Afternoon):
    """Two conversations whose summaries are made in batches."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.said = {"a": TOLD, "b": TOLD}
        self.path.write_bytes(two_conversations())
        self.sim.clock.advance(7_200)
        self.summaries = self.open()

    def open(self) -> Summaries:
        return Summaries(
            self.path, client=self.client, clock=self.sim.clock.now, limit=600, keep=100, least=150, idle=3_600
        )  # fmt: skip

    def say(self, id: str = "a") -> None:
        tell(self.path, id, self.sim, self.client, range(self.said[id], self.said[id] + 1))
        self.said[id] += 1

    def restart(self) -> None:
        self.summaries.close()
        self.summaries = self.open()

    def submit(self) -> None:
        with contextlib.suppress(RemoteError):
            self.summaries.submit()

    def collect(self) -> None:
        with contextlib.suppress(RemoteError):
            self.summaries.collect()

    def check(self) -> None:
        """No turn is lost; each paid result is in the record at most once, at its price."""
        kept = []
        for id, times in self.said.items():
            with Conversation(self.path, id=id, client=self.client, clock=self.sim.clock.now, create=False) as chat:
                assert len(chat.history()) == 2 * times
                kept += chat.summaries()
        assert len(kept) <= len(self.paid())
        assert sum(summary.cost or 0.0 for summary in kept) <= sum(attempt.cost for attempt in self.paid()) + 1e-9

    def settle(self) -> None:
        """Left in peace, everything that rests is covered in the end."""
        super().settle()
        for id in self.said:
            with Conversation(self.path, id=id, client=self.client, clock=self.sim.clock.now, create=False) as chat:
                assert any(summary.state == "ready" for summary in chat.summaries())

    def close(self) -> None:
        self.summaries.close()
        super().close()


class Asking(Afternoon):
    """Two jobs of as many questions in one file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.questions = [f"Where is crate number {number}?" for number in range(2)]
        self.jobs: list[Bulk] = []
        self.restart()

    def restart(self) -> None:
        for job in self.jobs:
            job.close()
        self.jobs = [
            Bulk(
                [f"{name}: {question}" for question in self.questions], store=self.path, id=name, max_tokens=200,
                client=self.sim.async_client(max_retries=0), clock=self.sim.clock.now, counter="features",
                model="claude-sonnet-5-5",
            )
            for name in ("north", "south")
        ]  # fmt: skip

    def say(self) -> None:
        """One more question for each."""
        self.questions.append(f"Where is crate number {len(self.questions)}?")
        self.restart()

    def submit(self) -> None:
        for job in self.jobs:
            with contextlib.suppress(RemoteError):
                job.run(batch=True, wait=False)

    def collect(self) -> None:
        for job in self.jobs:
            with contextlib.suppress(RemoteError):
                asyncio.run(HandedOver(job._job, job._client, lambda _: None).collect())

    def check(self) -> None:
        """A question is recorded once and answered once, its result is its own, and nothing is paid twice."""
        paid = [attempt.body["messages"][-1]["content"][0]["text"] for attempt in self.paid()]
        cost = 0.0
        for job in self.jobs:
            for item, name in job.items:
                assert paid.count(item.content) <= 1 + self.gone
                try:
                    chat = Conversation(job.store, id=name, client=self.client, create=False)
                except NotFound:
                    continue
                turns = [turn for turn in chat.history() if turn.state != "withdrawn"]
                assert [turn.text for turn in turns if turn.role == "user"] in ([], [item.content])
                assert sum(turn.role == "assistant" for turn in turns) <= min(1, paid.count(item.content))
                cost += chat.usage().dollars
        assert cost <= sum(attempt.cost for attempt in self.paid()) + 1e-9

    def settle(self) -> None:
        """Left in peace, every question is answered in the end."""
        super().settle()
        assert all(job.quote().asked == 0 for job in self.jobs)

    def close(self) -> None:
        for job in self.jobs:
            job.close()
        super().close()


KINDS: dict[str, Any] = {"question": Asking, "summary": Resting}


def live(kind: str, steps: list[tuple[Any, ...]]) -> None:
    """Take the steps, checking after each; then leave everything in peace."""
    with tempfile.TemporaryDirectory() as folder:
        one = KINDS[kind](Path(folder))
        try:
            for name, *arguments in steps:
                getattr(one, name)(*arguments)
                one.check()
            one.settle()
            one.check()
        finally:
            one.close()


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(operations, min_size=2, max_size=10))
def test_nothing_is_lost_or_used_twice(kind: str, steps: list[tuple[Any, ...]]) -> None:
    """Any order of handing in, collecting, faults, strikes, cancellations, deletions and restarts keeps the laws."""
    live(kind, steps)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(operations, min_size=2, max_size=16))
def test_nothing_is_lost_or_used_twice_at_length(kind: str, steps: list[tuple[Any, ...]]) -> None:
    """The same, a thousand times, at length."""
    live(kind, steps)


@contextlib.contextmanager
def made_all_the_same(status: int | None) -> Iterator[None]:
    """Every batch is made, and its maker is told of an error."""
    failed = Unavailable("no answer came", status=status, kind="api_error", request_id=None, retry_after=None)
    perform, perform_async = Claude.perform, AsyncClaude.perform

    def failing(self: Claude, step: Any) -> Any:
        done = perform(self, step)
        if isinstance(step, SubmitBatch):
            raise failed
        return done

    async def failing_async(self: AsyncClaude, step: Any) -> Any:
        done = await perform_async(self, step)
        if isinstance(step, SubmitBatch):
            raise failed
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Claude, "perform", failing)
        patch.setattr(AsyncClaude, "perform", failing_async)
        yield


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("status", [504, 500, None])
def test_a_batch_made_behind_an_error_is_the_only_one(kind: str, status: int | None) -> None:
    """Where an error came although the batch was made, it is found, used by whose it is, and not handed in again."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(KINDS[kind](Path(folder))) as one:
        with made_all_the_same(status):
            one.submit()
        made = len(one.batches())
        one.settle()
        one.check()
        assert made == len(one.batches()) >= 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_batch_that_cannot_be_seen_yet_is_waited_for(kind: str) -> None:
    """A 404 just after the creation, or on a batch that the list has, gives nothing back."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(KINDS[kind](Path(folder))) as one:
        one.submit()
        made = [batch.id for batch in one.batches()]
        assert made
        for advance, unlisted in ((1.0, True), (3_600.0, False)):
            one.sim.clock.advance(advance)
            for id in made:
                one.sim.fail_next(HttpError(status=404, message="Not found."), path=f"{BATCHES}/{id}")
                if unlisted:
                    one.sim.fail_next(HttpError(status=404, message="Not found."), path=f"{BATCHES}/{id}")
            with nothing_listed() if unlisted else contextlib.nullcontext():
                one.collect()
                one.submit()
            one.sim.calm()
            assert [batch.id for batch in one.batches()] == made
        one.settle()
        one.check()
        assert [batch.id for batch in one.batches()] == made


@contextlib.contextmanager
def nothing_listed() -> Iterator[None]:
    """The list of batches is empty, as it may be for a moment."""

    async def none(*_: Any) -> list[Any]:
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchClient, "recent", lambda *_: [])
        patch.setattr(AsyncBatchClient, "recent", none)
        yield
