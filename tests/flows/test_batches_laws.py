"""Whatever fails between handing in and collecting: no turn is lost, no result used twice, all is covered at last."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash import Conversation
from sash.backlog import Summaries
from sash.errors import RemoteError
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

BATCHES = "/v1/messages/batches"
ITEMS = f"{BATCHES}/items"
DAY = 24 * 3_600.0

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
)


class Afternoon:
    """Two conversations, and somebody who hands in and collects."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.db"
        self.sim = Simulator(batch_rules=BatchRules(begins_after=60, seconds_per_request=13 * 3_600))
        self.client = self.sim.client(max_retries=0)
        self.said = {"a": 0, "b": 0}
        for id in self.said:
            for _ in range(5):
                self.say(id)
        self.sim.clock.advance(7_200)
        self.summaries = self.open()

    def open(self) -> Summaries:
        return Summaries(
            self.path, client=self.client, clock=self.sim.clock.now, limit=600, keep=100, least=150, idle=3_600
        )  # fmt: skip

    def say(self, id: str = "a") -> None:
        with Conversation(
            self.path, id=id, client=self.client, clock=self.sim.clock.now, endpoint=False, counter="features"
        ) as chat:  # fmt: skip
            number = self.said[id]
            chat.send(f"Parcel {number} weighs {number * 3 + 7} kilograms. " + "The tide came in and went out. " * 8)
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

    def wait(self, seconds: float) -> None:
        self.sim.clock.advance(seconds)

    # ---- what has to hold

    def check(self) -> None:
        """No turn is lost; each paid result is in the record at most once, at its price."""
        paid = [attempt for attempt in self.sim.log if attempt.path == ITEMS and attempt.cost]
        kept = []
        for id, times in self.said.items():
            with Conversation(self.path, id=id, client=self.client, clock=self.sim.clock.now, create=False) as chat:
                assert len(chat.history()) == 2 * times
                kept += chat.summaries()
        assert len(kept) <= len(paid)
        assert sum(summary.cost or 0.0 for summary in kept) <= sum(attempt.cost for attempt in paid) + 1e-9

    def settle(self) -> None:
        """Left in peace, everything that rests is covered in the end."""
        self.sim.calm()
        for _ in range(4):
            self.sim.clock.advance(2 * DAY)
            self.collect()
            self.sim.clock.advance(3_700)
            self.submit()
        self.sim.clock.advance(2 * DAY)
        self.collect()
        for id in self.said:
            with Conversation(self.path, id=id, client=self.client, clock=self.sim.clock.now, create=False) as chat:
                assert any(summary.state == "ready" for summary in chat.summaries())

    def close(self) -> None:
        self.summaries.close()
        self.client.close()


def live(steps: list[tuple[Any, ...]]) -> None:
    """Take the steps, checking after each; then leave everything in peace."""
    with tempfile.TemporaryDirectory() as folder:
        one = Afternoon(Path(folder))
        try:
            for name, *arguments in steps:
                getattr(one, name)(*arguments)
                one.check()
            one.settle()
            one.check()
        finally:
            one.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(operations, min_size=2, max_size=10))
def test_nothing_is_lost_or_used_twice(steps: list[tuple[Any, ...]]) -> None:
    """Any order of handing in, collecting, faults, cancellations, deletions, restarts and new turns keeps the laws."""
    live(steps)


@pytest.mark.nightly
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(operations, min_size=2, max_size=16))
def test_nothing_is_lost_or_used_twice_at_length(steps: list[tuple[Any, ...]]) -> None:
    """The same, a thousand times, at length."""
    live(steps)
